"""What a step lets go of is there for the next one."""

import platform
import subprocess
import sys

import pytest

TRAIN = """
import resource, sys
import torch
import vaeviz.training.loop as loop
from vaeviz import ConvVAE, Dataset, TrainConfig
from vaeviz.training import Progress

if sys.argv[1] == "given back":
    loop.keep_freed_memory = lambda: None
data = Dataset.from_arrays(torch.zeros(256, 1, 28, 28, dtype=torch.uint8), validation=0, test=0)
events = loop.train(ConvVAE(data.image_shape), data, TrainConfig(steps=10**6, batch_size=128, device="cpu"))
steps = (event.step for event in events if isinstance(event, Progress))

def faults_until(step):
    while next(steps) < step:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

begun = faults_until(33)  # snapshots are those of steps 32 and 45
print((faults_until(43) - begun) / 10)
"""


def faults_a_step(kept: str) -> float:
    done = subprocess.run([sys.executable, "-c", TRAIN, kept], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's malloc that learns")
def test_a_step_finds_the_pages_that_the_one_before_let_go_of() -> None:
    given_back = faults_a_step("given back")
    assert faults_a_step("kept") < 300 < 1000 < given_back  # pages of 4 kB: more than 4 MB at each step, or 1 at most
