"""Disks that are full, that become read-only, and files that change under a running training."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.browser.driver import wait_until
from tests.training.saves import same_training
from tests.training.small import FOREVER, config, noise, small_model
from vaeviz import Dataset, DenseVAE, TrainConfig, TrainingRun, load_dataset
from vaeviz.training import load_run, resume_run


def call(*words: object) -> bool:
    return subprocess.run([str(word) for word in words], capture_output=True, check=False).returncode == 0


def fill(file: Path) -> None:
    """Write until the disk takes no more."""
    with file.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(b"0" * 4096):
            pass


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 2 MB, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not call("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder):
        pytest.skip("needs to be allowed to mount a disk")
    yield folder
    assert call("umount", "--lazy", folder)


@pytest.fixture
def running() -> Iterator[Callable[[Path], TrainingRun]]:
    """Begin trainings that save all the time; they are stopped at the end."""
    made: list[TrainingRun] = []

    def begin(folder: Path, data: Dataset | None = None) -> TrainingRun:
        data = data or noise()
        run = TrainingRun(small_model(data), data, config(steps=FOREVER), folder=folder, save_every=0.02)
        made.append(run)
        run.start()
        return run

    yield begin
    for run in made:
        run.stop()


def saves_again(run: TrainingRun) -> bool:
    at = run.saved_at_step or 0
    return bool(wait_until(lambda: run.save_error is None and (run.saved_at_step or 0) > at, "it is saved again"))


def fails(run: TrainingRun) -> tuple[int, str]:
    """Wait until a save was not done, and the training went on after that; return the last good step and why."""
    wait_until(lambda: run.save_error, "a save fails")
    step = run.step
    wait_until(lambda: run.step > step + 50, "the training goes on")
    assert (run.status, run.error) == ("running", None)
    return run.saved_at_step, run.save_error


def test_a_disk_that_is_full_keeps_the_save_before_and_the_training_goes_on(disk: Path, running):
    run = running(disk / "run")
    wait_until(lambda: run.saved_at_step, "it is saved")
    filler = disk / "filler"
    fill(filler)
    at, why = fails(run)
    assert "No space left on device" in why
    assert "the save before is whole" in why
    assert load_run(disk / "run", run.dataset).step == at
    filler.unlink()
    assert saves_again(run)
    run.stop()
    same_training(load_run(disk / "run", run.dataset), run)


def test_a_limit_on_the_size_of_files_is_as_a_full_disk(tmp_path: Path, running):
    run = running(tmp_path / "run")
    wait_until(lambda: run.saved_at_step, "it is saved")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    try:
        at, why = fails(run)
        assert "File too large" in why
        assert load_run(tmp_path / "run", run.dataset).step == at
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert saves_again(run)


def test_a_folder_that_becomes_read_only_keeps_its_save_and_the_training_goes_on(disk: Path, running):
    run = running(disk / "run")
    wait_until(lambda: run.saved_at_step, "it is saved")
    wait_until(lambda: call("mount", "-o", "remount,ro", disk), "no save is under way, so that it can be remounted")
    at, why = fails(run)
    assert "Read-only file system" in why
    assert load_run(disk / "run", run.dataset).step == at
    assert call("mount", "-o", "remount,rw", disk)
    assert saves_again(run)


def test_a_run_on_a_disk_that_was_always_read_only_trains_and_says_that_nothing_is_saved(disk: Path, running):
    assert call("mount", "-o", "remount,ro", disk)
    run = running(disk / "run")
    at, why = fails(run)
    assert at is None
    assert why.endswith("nothing is saved yet")


def test_a_saved_run_can_be_looked_at_where_nothing_can_be_written(disk: Path, running):
    run = running(disk / "run")
    wait_until(lambda: run.saved_at_step, "it is saved")
    run.stop()
    assert call("mount", "-o", "remount,ro", disk)
    same_training(load_run(disk / "run", run.dataset), run)
    again = resume_run(disk / "run", run.dataset)
    again.start()
    wait_until(lambda: again.step > run.step, "it goes on")
    again.stop()
    assert "Read-only file system" in again.save_error


@pytest.mark.parametrize("fate", ["changed", "cut", "gone"])
def test_data_that_change_while_they_are_trained_on_are_not_missed_and_refused_afterwards(tmp_path: Path, fate: str):
    file, folder = tmp_path / "pictures.npz", tmp_path / "run"
    images = np.random.default_rng(0).integers(0, 256, (100, 6, 6), dtype=np.uint8)
    np.savez(file, images=images)
    data = load_dataset(file)
    run = TrainingRun(DenseVAE(data.image_shape, (8,)), data, TrainConfig(steps=FOREVER, batch_size=20), folder=folder)
    run.start()
    wait_until(lambda: run.step > 10, "it trains")
    match fate:
        case "changed":
            np.savez(file, images=255 - images)
        case "cut":
            os.truncate(file, file.stat().st_size // 2)
        case "gone":
            file.unlink()
    step = run.step
    wait_until(lambda: run.step > step + 50, "it goes on")
    run.stop()
    assert (run.status, run.save_error, run.saved_at_step) == ("stopped", None, run.step)
    with pytest.raises((ValueError, FileNotFoundError), match=r"pictures\.npz"):
        load_run(folder)
    same_training(load_run(folder, data), run)
