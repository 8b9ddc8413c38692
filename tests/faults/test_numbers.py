"""Numbers that are none: in the loss, in a weight; and a clock that jumps."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.browser.driver import wait_until
from tests.training.saves import same_training, uninterrupted
from tests.training.small import FOREVER, Gate, config, equal, in_step, noise, small_model, watched, weights
from tests.views.conftest import look
from vaeviz import DenseVAE, TrainingRun
from vaeviz.training import load_run, resume_run
from vaeviz.views import Explorer, ExplorerState
from vaeviz.views.controls import ControlsView

DATA = noise()


def times(factor: float) -> Callable[[Tensor], Tensor]:
    return lambda output: output * factor


def into_a_weight(model: DenseVAE, value: float) -> Callable[[Tensor], None]:
    """Put a value into a weight, as a defect of the hardware or of an optimizer would."""

    def act(_: Tensor) -> None:
        with torch.no_grad():
            next(model.decoder.parameters()).view(-1)[0] = value

    return act


@pytest.mark.parametrize("fault", ["nan loss", "inf loss", "nan weight", "inf weight"])
@pytest.mark.parametrize("log_every", [1, 25])
def test_what_is_no_number_ends_the_training_and_is_neither_drawn_nor_saved(tmp_path: Path, fault: str, log_every: int):
    model = small_model(DATA)
    value = float(fault.split()[0])
    act = times(value) if "loss" in fault else into_a_weight(model, value)
    in_step(model.decoder if "loss" in fault else model.encoder, 40, act)
    run = TrainingRun(model, DATA, config(steps=FOREVER, log_every=log_every), folder=tmp_path, save_every=0.001)
    state = ExplorerState(run)
    explorer, controls = Explorer(state), ControlsView(state)
    run.start()
    assert run.wait(60) == "failed"
    # It says at which step and in which term.
    assert run.error.startswith("TrainingDivergedError: the ")
    assert any(f"the {term}" in run.error for term in ("reconstruction", "KL", "loss", "weight"))
    assert 40 <= int(run.error.split(" at step ")[1].split(":")[0]) < 40 + 25
    # Back at the last good snapshot: for those who look at it, and for those who have the model.
    good = run.snapshot()
    assert 0 < good.step <= 40
    assert all(bool(torch.isfinite(value).all()) for value in good.weights.values())
    assert equal(weights(run.model), dict(good.weights))
    # Nothing that is no number is drawn.
    look(state)
    assert state.alert.startswith("Training failed. TrainingDivergedError: the ")
    assert (state.frame.snapshot, state.status) == (good, "failed")
    assert np.isfinite(good.mu).all()
    assert all(np.isfinite(row[3:]).all() for row in run.metrics_since(0)[0])
    for source in explorer.loss._sources.values():
        assert all(np.isfinite(np.asarray(column, float)).all() for column in source.data.values())
    # Nor is it saved as good; from the last save one can go on.
    saved = load_run(tmp_path, DATA)
    assert 0 < saved.step <= 40
    assert all(bool(torch.isfinite(value).all()) for value in saved.snapshot().weights.values())
    assert controls._resume.visible
    again = resume_run(tmp_path, DATA, steps=60)
    watched(again.model)
    again.start()
    assert again.wait(60) == "finished"
    same_training(again, uninterrupted(DATA, watched(small_model(DATA)), steps=60, log_every=log_every))


def test_a_clock_that_jumps_changes_neither_the_training_nor_its_times_nor_its_saves(tmp_path: Path, monkeypatch):
    model = small_model(DATA)
    gate = Gate(model, 30)
    run = TrainingRun(model, DATA, config(steps=400, log_every=1), folder=tmp_path, save_every=0.02, live=True)
    state = ExplorerState(run)
    now = time.time
    run.start()
    assert gate.reached.wait(30)
    monkeypatch.setattr(time, "time", lambda: now() - 10 * 365 * 86_400)  # as when a battery is empty
    monkeypatch.setattr(time, "time_ns", lambda: time.time() * 10**9)
    gate.opened.set()
    wait_until(lambda: run.step > 100, "it trains on")
    look(state)
    monkeypatch.setattr(time, "time", lambda: now() + 10 * 365 * 86_400)
    assert run.wait(60) == "finished"
    look(state)
    assert state.frame.snapshot.step == 400
    assert run.save_error is None
    train = [row.seconds for row in run.metrics_since(0)[0] if row.split == "train"]
    assert all(before <= after for before, after in itertools.pairwise(train))
    assert train[-1] < 60
    same_training(load_run(tmp_path, DATA), run)
    same_training(run, uninterrupted(DATA, watched(small_model(DATA)), steps=400, log_every=1))
