"""Trains a run in processes that are killed, each in the middle of a save: `python -m tests.faults.killed FOLDER …`.

The folder's name is the moment: what the process was about to do for the n-th time when it was killed.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vaeviz import DenseVAE, TrainConfig, TrainingRun, load_dataset
from vaeviz.training import files

CONFIG = TrainConfig(device="cpu", epochs=12, batch_size=64, seed=3, schedule="one-cycle")
MOST = 120
"""Moments in one save are: before, within and after each of its writes, and before and after each rename."""


def model() -> DenseVAE:
    """Return the model of all these runs."""
    weights = torch.Generator().manual_seed(0)
    return DenseVAE(load_dataset("digits").image_shape, (32,), 2, dropout=0.2, generator=weights)


def train(folder: Path, moment: int) -> None:
    """Train, saving all the time, until the moment comes; what is surely saved is told in a file beside the folder."""
    left = moment

    def perhaps_die() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(path: Path, body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cut = random.Random(moment).randrange(len(body) + 1)
        with path.open("wb") as stream:
            perhaps_die()
            stream.write(body[:cut])
            stream.flush()
            perhaps_die()
            stream.write(body[cut:])
            stream.flush()
            os.fsync(stream.fileno())
            perhaps_die()

    def around(act: Callable[..., Any]) -> Callable[..., None]:
        def acting(*arguments: object) -> None:
            perhaps_die()
            act(*arguments)
            perhaps_die()

        return acting

    files.write = write
    files.os.replace = around(os.replace)
    run = TrainingRun(model(), load_dataset("digits"), CONFIG, folder=folder, save_every=0.01)
    save = run._write

    def told(where: Path, saved: Any) -> None:
        save(where, saved)
        with folder.with_suffix(".saved").open("w") as beside:
            beside.write(str(saved.state.step))

    run._write = told
    run.start()
    run.wait()


def main() -> None:
    """Train in a process of its own for each folder."""
    torch.set_num_threads(1)
    load_dataset("digits")
    for folder in map(Path, sys.argv[1:]):
        child = os.fork()
        if child == 0:
            train(folder, int(folder.name))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write(f"{folder.name} {'killed' if killed else 'ended'}\n")


if __name__ == "__main__":
    main()
