"""Training in two processes that torchrun starts."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.browser.driver import ROOT, wait_until
from vaeviz import follow_run, load_run
from vaeviz.cli import main
from vaeviz.training.parallel import AGREE_EVERY

SMALL = ["--data", "digits", "--hidden-sizes", "32", "--device", "cpu"]
FOREVER = ["--steps", "100000000", "--quiet"]


@pytest.fixture
def torchrun() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start command lines in two processes; all are ended when the test is over."""
    started: list[subprocess.Popen] = []

    def command(*words: str | Path) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                 "-m", "vaeviz", "train", *map(str, words)],
                cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
            )
        )  # fmt: skip
        return started[-1]

    yield command
    for launcher in started:
        if launcher.poll() is None:
            for process in [*psutil.Process(launcher.pid).children(recursive=True), launcher]:
                process.kill()
        launcher.communicate()


def ranks_of(launcher: subprocess.Popen) -> list[psutil.Process]:
    """Return the processes that train, rank 0 first."""
    children = psutil.Process(launcher.pid).children(recursive=True)
    return sorted((each for each in children if "RANK" in each.environ()), key=lambda each: each.environ()["RANK"])


def trains(out: Path, steps: int = 10) -> None:
    """Wait until those who follow see so many steps done."""
    wait_until(
        lambda: (out / "live" / "metrics.f64").exists() and follow_run(out).step > steps, f"{steps} steps are done", 60
    )


def sentences(error: str) -> list[str]:
    """Return what vaeviz itself says, beside torchrun's reports."""
    return [line for line in error.splitlines() if line.startswith("vaeviz: ")]


def test_two_processes_have_the_losses_of_one_and_write_one_folder(torchrun, tmp_path: Path):
    out, alone = tmp_path / "two", tmp_path / "one"
    launcher = torchrun(*SMALL, "--epochs", "3", "--dropout", "0.2", "--batch-size", "100", "--out", out)
    told, progress = launcher.communicate(timeout=120)
    assert launcher.returncode == 0, progress
    assert main(["train", *SMALL, "--epochs", "3", "--dropout", "0.2", "--batch-size", "100", "--out", str(alone)]) == 0
    (rows, _), (expected, _) = (load_run(each).metrics_since(0) for each in (out, alone))
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    for row, single in zip(rows, expected, strict=True):
        assert row[3:6] == pytest.approx(single[3:6], rel=1e-5)
    assert load_run(out).status == "finished"
    np.testing.assert_allclose(load_run(out).snapshot().mu, load_run(alone).snapshot().mu, atol=1e-3)
    assert load_run(out).steps == load_run(alone).steps
    assert ", by 2 processes" in told
    assert told.count("explore it") == told.count("finished") == 1
    total = load_run(out).total_steps
    assert f"{total}/{total}" in progress


@pytest.mark.parametrize(
    ("number", "to"), [(signal.SIGINT, "torchrun"), (signal.SIGTERM, "torchrun"), (signal.SIGTERM, 1)]
)
def test_a_signal_to_all_or_to_one_saves_and_ends_all(torchrun, tmp_path: Path, number: int, to: str | int):
    out = tmp_path / "run"
    launcher = torchrun(*SMALL, *FOREVER, "--out", out)
    trains(out)
    ranks = ranks_of(launcher)
    (launcher if to == "torchrun" else ranks[to]).send_signal(number)
    told, error = launcher.communicate(timeout=30)
    assert launcher.returncode != 0
    assert not any(each.is_running() for each in ranks)
    assert sentences(error) == []
    step = load_run(out).step
    assert step % AGREE_EVERY == 0
    assert f"stopped at step {step:,} of 100,000,000, saved in {out}; go on: " in told


def test_a_run_is_resumed_by_two_and_by_one(torchrun, tmp_path: Path):
    out, alone = tmp_path / "two", tmp_path / "one"
    assert main(["train", *SMALL, "--steps", "10", "--out", str(out), "--quiet"]) == 0
    assert torchrun("--resume", "--steps", "30", "--out", out).wait(timeout=60) == 0
    assert main(["train", "--resume", "--steps", "40", "--out", str(out), "--quiet"]) == 0
    assert main(["train", *SMALL, "--steps", "40", "--out", str(alone), "--quiet"]) == 0
    (rows, _), (expected, _) = (load_run(each).metrics_since(0) for each in (out, alone))
    assert rows[-1][3:6] == pytest.approx(expected[-1][3:6], rel=1e-5)


@pytest.mark.parametrize("rank", [0, 1])
def test_when_a_rank_is_killed_the_other_ends_and_rank_0_saves(torchrun, tmp_path: Path, rank: int):
    out = tmp_path / "run"
    launcher = torchrun(*SMALL, *FOREVER, "--out", out)
    trains(out)
    ranks = ranks_of(launcher)
    ranks[rank].kill()
    _, error = launcher.communicate(timeout=30)
    assert launcher.returncode != 0
    assert not any(each.is_running() for each in ranks)
    if rank == 0:  # its last save is whole: here the first
        assert sentences(error) == []
        assert load_run(out).step == 0
    else:
        (sentence,) = sentences(error)
        step = load_run(out).step
        assert step > 10
        assert re.match(
            rf"vaeviz: training failed at step {step:,}: LostRankError: another process .* is gone", sentence
        )
        assert f"the save of step {step:,} is there: python -m vaeviz train --out {out} --resume" in sentence


def test_what_can_not_be_is_told_in_one_sentence(torchrun, tmp_path: Path):
    launcher = torchrun(*SMALL, "--batch-size", "1", "--out", tmp_path / "run")
    _, error = launcher.communicate(timeout=60)
    assert launcher.returncode == 1
    assert sentences(error) == [
        "vaeviz: batch_size=1: it is shared by 2 processes; take a batch of at least that"
    ]  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_what_rank_0_alone_can_not_do_is_told_in_one_sentence(torchrun, tmp_path: Path):
    out = tmp_path / "run"
    assert main(["train", *SMALL, "--steps", "5", "--out", str(out), "--quiet"]) == 0
    launcher = torchrun(*SMALL, "--out", out)
    _, error = launcher.communicate(timeout=60)
    assert launcher.returncode == 1
    (sentence,) = sentences(error)
    assert "holds a run" in sentence
    assert load_run(out).step == 5


def test_a_loss_that_is_no_number_ends_all_with_one_sentence(torchrun, tmp_path: Path):
    launcher = torchrun(*SMALL, "--steps", "1000", "--learning-rate", "10", "--clip", "none", "--out", tmp_path / "run")
    _, error = launcher.communicate(timeout=60)
    assert launcher.returncode == 1
    (sentence,) = sentences(error)
    assert "TrainingDivergedError" in sentence
