"""A run that is followed in its folder, live."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.saves import rows
from tests.training.small import FOREVER, config, in_step, raising, small_model
from vaeviz.models import VAE
from vaeviz.training import FollowedRun, Run, TrainingRun, follow_run, load_run, resume_run
from vaeviz.training import follow as following
from vaeviz.training.live import Pulse


@pytest.fixture(autouse=True)
def _no_pause_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "GLANCE", 0.0)


@pytest.fixture
def live_run(data) -> Iterator[Callable[..., TrainingRun]]:
    """Make runs that can be followed, which are stopped when the test is over."""
    made: list[TrainingRun] = []

    def make(folder: Path, model: VAE | None = None, *, live: bool = True, **changes) -> TrainingRun:
        made.append(TrainingRun(model or small_model(data), data, config(**changes), folder=folder, live=live))
        return made[-1]

    yield make
    for run in made:
        run.stop()


def test_a_run_is_followed_while_it_trains(data, tmp_path, live_run, eventually):
    run = live_run(tmp_path / "run", steps=FOREVER)
    run.start()
    eventually(lambda: (tmp_path / "run" / "run.json").exists() and run.step > 3)
    followed = follow_run(tmp_path / "run", data)
    assert isinstance(followed, Run)
    assert followed.status == "running"
    _, cursor = followed.metrics_since(0)
    eventually(lambda: followed.metrics_since(cursor)[0])
    step = followed.snapshot().step
    eventually(lambda: followed.snapshot().step > step)
    eventually(lambda: len(followed.steps) > 5)
    assert np.isfinite(followed.snapshot(followed.steps[-1]).mu).all()
    run.pause()
    eventually(lambda: followed.status == "paused")
    assert rows(followed) == rows(run)
    assert followed.steps == run.steps
    assert np.array_equal(followed.snapshot().mu, run.snapshot().mu)
    assert repr(followed).startswith("FollowedRun(")
    run.stop()
    assert followed.status == "stopped"
    saved = load_run(tmp_path / "run", data)
    assert rows(followed) == rows(saved)
    assert followed.steps == saved.steps
    for step in saved.steps:
        assert np.array_equal(followed.snapshot(step).mu, saved.snapshot(step).mu)


def test_kept_snapshots_stay_readable_when_a_save_takes_them_over(data, tmp_path, live_run, eventually):
    run = live_run(tmp_path / "run", steps=FOREVER)
    run.start()
    eventually(lambda: run.step > 20)
    followed = follow_run(tmp_path / "run", data)
    steps = followed.steps
    run.save()
    run.stop()
    for step in steps:
        assert np.array_equal(followed.snapshot(step).mu, run.snapshot(step).mu)
    assert not list((tmp_path / "run" / "live").glob("kept-*"))


def test_a_finished_run_is_told_finished_and_is_equal_to_one_that_was_not_live(data, tmp_path, live_run):
    run = live_run(tmp_path / "run", epochs=2)
    plain = TrainingRun(small_model(data), data, config(epochs=2))
    for each in (run, plain):
        each.start()
        assert each.wait(60) == "finished"
    followed = follow_run(tmp_path / "run", data)
    assert followed.status == "finished"
    assert followed.step == run.total_steps
    assert rows(followed) == rows(plain)
    assert followed.steps == plain.steps


def test_a_run_that_fails_tells_why(data, tmp_path, live_run, eventually):
    model = small_model(data)
    in_step(model.decoder, 9, raising(KeyError("of the model")))
    run = live_run(tmp_path / "run", model, steps=FOREVER)
    run.start()
    run.wait(60)
    followed = follow_run(tmp_path / "run", data)
    assert followed.status == "failed"
    assert followed.error == run.error


def test_a_folder_that_disappears_leaves_what_was_seen(data, tmp_path, live_run, eventually):
    run = live_run(tmp_path / "run", epochs=2)
    run.start()
    run.wait(60)
    followed = follow_run(tmp_path / "run", data)
    newest = followed.snapshot()
    shutil.rmtree(tmp_path / "run")
    assert "is no longer there" in followed.error
    assert followed.status == "stopped"
    assert followed.snapshot() is newest
    assert len(followed.metrics_since(0)[0]) > 0


@pytest.mark.parametrize("body", [b"", b"\xff" * 40, b'\x08\0\0\0\0\0\0\0{"a":1} '])
def test_a_damaged_live_snapshot_is_told_and_the_last_good_one_stays(data, tmp_path, live_run, body: bytes):
    run = live_run(tmp_path / "run", epochs=1)
    run.start()
    run.wait(60)
    followed = follow_run(tmp_path / "run", data)
    newest = followed.snapshot()
    (tmp_path / "run" / "live" / "newest.safetensors").write_bytes(body)
    assert followed.snapshot() is newest
    assert "damaged" in followed.error


def test_a_row_that_is_half_written_waits_for_its_rest(data, tmp_path, live_run):
    run = live_run(tmp_path / "run", epochs=1)
    run.start()
    run.wait(60)
    followed = follow_run(tmp_path / "run", data)
    count = len(followed.metrics_since(0)[0])
    row = np.array([99, 1.0, 0, 3.0, 2.0, 1.0, 5.0]).tobytes()
    with (tmp_path / "run" / "live" / "metrics.f64").open("ab") as stream:
        stream.write(row[:20])
        stream.flush()
        assert len(followed.metrics_since(0)[0]) == count
        stream.write(row[20:])
    assert followed.metrics_since(count)[0][0][:6] == (99, 1.0, "train", 3.0, 2.0, 1.0)


def test_a_process_that_was_killed_is_told_from_one_that_lives(data, tmp_path, live_run):
    run = live_run(tmp_path / "run", epochs=1)
    run.start()
    run.wait(60)
    pulse = tmp_path / "run" / "live" / "pulse.json"
    told = json.loads(pulse.read_bytes()) | {"status": "running"}
    assert told["pid"] == os.getpid()
    pulse.write_text(json.dumps(told))
    assert Pulse(tmp_path / "run").beats
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    pulse.write_text(json.dumps(told | {"pid": gone.pid}))
    assert not Pulse(tmp_path / "run").beats
    pulse.write_text(json.dumps(told | {"host": "elsewhere"}))
    assert Pulse(tmp_path / "run").beats
    os.utime(pulse, (0, 0))
    assert not Pulse(tmp_path / "run").beats


def test_a_run_that_is_resumed_is_followed_on(data, tmp_path, live_run, eventually):
    run = live_run(tmp_path / "run", epochs=3)
    run.start()
    eventually(lambda: run.step > 2)
    run.stop()
    followed = follow_run(tmp_path / "run", data)
    if run.step < run.total_steps:
        again = resume_run(tmp_path / "run", data, live=True)
        again.start()
        again.wait(60)
        assert followed.status == "finished"
        assert rows(followed) == rows(again)
        assert torch.equal(
            next(iter(followed.snapshot().weights.values())), next(iter(again.snapshot().weights.values()))
        )


def test_a_live_folder_that_can_not_be_written_is_told_and_training_goes_on(data, tmp_path, live_run, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "live").write_text("a file is in the way")
    run = live_run(tmp_path / "run", epochs=1)
    run.start()
    assert run.wait(60) == "finished"
    assert "nobody can follow this run live" in run.save_error
    assert follow_run(tmp_path / "run", data).status == "finished"


def test_live_needs_a_folder(data):
    with pytest.raises(ValueError, match="needs a folder="):
        TrainingRun(small_model(data), data, config(), live=True)


def test_a_run_without_live_files_is_followed_from_save_to_save(data, tmp_path, live_run, eventually):
    run = live_run(tmp_path / "run", live=False, steps=FOREVER)
    run.save()
    followed = follow_run(tmp_path / "run", data)
    assert isinstance(followed, FollowedRun)
    assert followed.steps == [0]
    run.start()
    eventually(lambda: run.step > 20)
    run.save()
    eventually(lambda: len(followed.steps) > 5)
    run.stop()
