"""How torch's threads wait, and that none are kept from a training; each in a process that has just begun."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libgomp is torch's OpenMP on Linux")

THREADS = """
import json, os, sys, threading
{first}
import vaeviz, torch
from vaeviz.openmp import release_threads

def threads():
    return len(os.listdir("/proc/self/task"))

def compute():
    return torch.rand(1000, 1000) @ torch.rand(1000, 1000)

def settled(count):  # a thread that was let go of ends on its own
    while threads() > count:
        os.sched_yield()
    return threads()
"""


def told(script: str, first: str = "", **environment: str) -> object:
    """Run this with two threads of torch, and return what it prints."""
    own = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", THREADS.format(first=first) + script]
    env = own | {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"} | environment
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


SPINS = "print(json.dumps(os.environ.get('GOMP_SPINCOUNT')))"


@pytest.mark.parametrize(
    ("first", "environment", "spins"),
    [
        ("", {}, "1000"),
        ("", {"GOMP_SPINCOUNT": "7"}, "7"),
        ("", {"OMP_WAIT_POLICY": "passive"}, None),
        ("import torch", {}, None),
    ],
)
def test_threads_wait_briefly_unless_somebody_has_chosen_before(first, environment, spins):
    assert told(SPINS, first, **environment) == spins


def test_a_team_is_given_back_and_made_anew():
    script = """
before = threads()
for _ in range(2):
    compute()
    assert threads() == before + 1
    release_threads()
    release_threads()
    settled(before)
print(json.dumps(threads() - before))
"""
    assert told(script) == 0


def test_where_torch_came_first_nothing_is_done():
    script = """
before = threads()
compute()
release_threads()
print(json.dumps(threads() - before))
"""
    assert told(script, "import torch") == 1


def test_only_the_training_has_a_team():
    script = """
alone = threads()
data = vaeviz.load_dataset("digits")
run = vaeviz.TrainingRun(vaeviz.DenseVAE(data.image_shape), data, vaeviz.TrainConfig(steps=100_000, batch_size=512))
compute()
run.start()
while run.step < 3:
    pass
training = settled(alone + 2)  # the run's thread and one beside it
vaeviz.decode(run.snapshot().vae, torch.zeros(5000, 2).numpy())
print(json.dumps([training - alone, settled(training) - training]))
run.stop()
"""
    assert told(script) == [2, 0]
