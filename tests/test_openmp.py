"""How torch's threads wait, as its libgomp tells it, and which there are; in processes that have just begun."""

import json
import os
import re
import subprocess
import sys

import pytest

from vaeviz.openmp import BRIEFLY, _brought

pytestmark = pytest.mark.skipif(not _brought(), reason="this torch has no libgomp of its own")

TELL = "import json, os, vaeviz, torch; torch.ones(2) @ torch.ones(2); print(json.dumps(dict(os.environ)))"


@pytest.mark.parametrize(
    ("first", "chosen", "spins", "policy"),
    [
        ("", {}, "2000", "ACTIVE"),
        ("", {"GOMP_SPINCOUNT": "7"}, "7", "PASSIVE"),
        ("", {"OMP_WAIT_POLICY": "passive"}, "0", "PASSIVE"),
        ("import torch", {}, "300000", "PASSIVE"),
    ],
)
def test_threads_wait_briefly_unless_somebody_has_chosen_before(first, chosen, spins, policy):
    environment = {name: value for name, value in os.environ.items() if name not in BRIEFLY} | chosen
    told = subprocess.run(
        [sys.executable, "-c", f"{first}\n{TELL}"],
        env=environment | {"OMP_DISPLAY_ENV": "verbose"}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert re.search(r"GOMP_SPINCOUNT = '(\w+)'", told.stderr)[1] == spins
    assert re.search(r"OMP_WAIT_POLICY = '(\w+)'", told.stderr)[1] == policy
    assert {name: json.loads(told.stdout).get(name) for name in BRIEFLY} == {name: chosen.get(name) for name in BRIEFLY}


COUNT = """
import json, os, sys, threading, time
{first}
import vaeviz, torch
from vaeviz.openmp import release_threads

def threads():
    return len(os.listdir("/proc/self/task"))

def compute():
    return torch.rand(1000, 1000) @ torch.rand(1000, 1000)

def settled(count):  # the system counts a thread for a moment longer than it lives
    end = time.monotonic() + 20
    while threads() > count and time.monotonic() < end:
        os.sched_yield()
    return threads()
"""


def told(script: str, first: str = "", **chosen: str) -> object:
    """Run this with two threads of torch, and return what it prints."""
    own = {name: value for name, value in os.environ.items() if name not in BRIEFLY}
    env = own | {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"} | chosen
    command = [sys.executable, "-c", COUNT.format(first=first) + script]
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def test_a_team_is_given_back_and_made_anew():
    script = """
before, found = threads(), []
for _ in range(3):
    compute()
    found.append(threads() - before)
    release_threads()
    release_threads()
    found.append(settled(before) - before)
print(json.dumps(found))
"""
    assert told(script) == [1, 0] * 3


@pytest.mark.parametrize(("first", "chosen"), [("import torch", {}), ("", {"GOMP_SPINCOUNT": "300000"})])
def test_a_team_is_kept_where_threads_wait_as_somebody_else_has_them(first, chosen):
    script = """
before = threads()
compute()
release_threads()
print(json.dumps(threads() - before))
"""
    assert told(script, first, **chosen) == 1


def test_only_the_training_has_a_team():
    script = """
alone = threads()
data = vaeviz.load_dataset("digits")
run = vaeviz.TrainingRun(vaeviz.DenseVAE(data.image_shape), data, vaeviz.TrainConfig(steps=10**6, batch_size=512))
compute()
run.start()
while run.step < 3:
    time.sleep(0.001)
training = settled(alone + 2)  # the run's thread and one beside it
vaeviz.decode(run.snapshot().vae, torch.zeros(5000, 2).numpy())
after = settled(training)
run.stop()
print(json.dumps([training - alone, after - training]))
"""
    assert told(script) == [2, 0]
