"""A run that was interrupted, by whatever, ends equal to the bit to one that was not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from tests.training.saves import contents, ended, rows, same_training, uninterrupted
from tests.training.small import FOREVER, Gate, config, equal, in_step, raising, small_model, watched, weights
from vaeviz.data import load_dataset
from vaeviz.models import VAE, ConvVAE, DenseVAE
from vaeviz.training import TrainConfig, TrainingRun, TrainState, load_run, resume_run, train
from vaeviz.training.device import computes_bf16
from vaeviz.training.loop import Trainer


def stopped_at(step: int, model: VAE, data, folder, **changes: object) -> TrainingRun:
    """Return a run that was stopped after that step, and saved."""
    gate = Gate(model, step)
    run = TrainingRun(model, data, config(**changes), folder=folder)
    run.start()
    assert gate.reached.wait(30)
    run._wish = "stop"  # as `stop` does, which would wait for the gate
    gate.opened.set()
    assert run.wait(30) == "stopped"
    assert run.step == step
    assert run.save_error is None
    return run


def seeded_conv(data) -> ConvVAE:
    return ConvVAE(data.image_shape, (4, 8), 8, 2, dropout=0.2, generator=torch.Generator().manual_seed(0))


def own_model() -> VAE:
    torch.manual_seed(0)
    return VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(20, 6)), nn.Sequential(nn.Linear(3, 20), nn.Unflatten(1, (1, 4, 5))), 3
    )


needs_bf16 = pytest.mark.skipif(not computes_bf16(torch.device("cpu")), reason="the CPU has no bf16")


# Bit-equal


@pytest.mark.parametrize("step", [1, 3, 4, 5, 11, 16])  # an epoch has 4 steps
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "one-cycle", "l2": 0.1},
        pytest.param({"precision": "bf16"}, marks=needs_bf16),
        {"steps": 18, "log_every": 7},
    ],
    ids=str,
)
def test_a_stopped_run_that_is_resumed_ends_equal_to_the_bit(data, tmp_path, step, changes):
    changes = {"epochs": 5, "log_every": 3, "learning_rate": 0.01} | changes
    stopped_at(step, small_model(data, dropout=0.3), data, tmp_path, **changes)
    run = ended(resume_run(tmp_path, data))
    same_training(run, uninterrupted(data, small_model(data, dropout=0.3), **changes))


def test_a_convolutional_run_that_is_resumed_ends_equal_to_the_bit(data, tmp_path):
    stopped_at(6, seeded_conv(data), data, tmp_path, epochs=4)
    same_training(ended(resume_run(tmp_path, data)), uninterrupted(data, seeded_conv(data), epochs=4))


def test_a_run_may_be_interrupted_again_and_again(data, tmp_path):
    stopped_at(2, small_model(data), data, tmp_path, epochs=6)
    for step in (3, 9, 16):
        run = resume_run(tmp_path, data)
        gate = Gate(run.model, step - run.step)
        run.start()
        assert gate.reached.wait(30)
        run._wish = "stop"
        gate.opened.set()
        assert run.wait(30) == "stopped"
    last = resume_run(tmp_path, data)
    watched(last.model)
    run = ended(last)
    same_training(run, uninterrupted(data, watched(small_model(data)), epochs=6))
    same_training(load_run(tmp_path, data), run)


def test_a_model_of_ones_own_and_its_frozen_parameters_are_resumed(data, tmp_path):
    model, twin = own_model(), own_model()
    for each in (model, twin):
        each.decoder[0].bias.requires_grad_(False)
    stopped_at(5, model, data, tmp_path, epochs=3)
    with pytest.raises(ValueError, match=r"holds a model of your own, Sequential → 3-D → Sequential: pass one like it"):
        resume_run(tmp_path, data)
    given = own_model()
    before = weights(given)
    run = ended(resume_run(tmp_path, data, given))
    same_training(run, uninterrupted(data, twin, epochs=3))
    assert equal(weights(given), before)


def test_a_model_whose_parts_share_weights_is_saved_and_resumed(data, tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.outer = nn.Linear(2, 20)
            self.again = self.inner

        def forward(self, z):
            return self.outer(self.again(self.inner(z))).unflatten(1, (1, 4, 5))

    def model():
        torch.manual_seed(0)
        return VAE(nn.Sequential(nn.Flatten(), nn.Linear(20, 4)), Tied(), 2)

    run = TrainingRun(model(), data, config(), folder=tmp_path / "run")
    run.start()
    run.wait(60)
    assert run.save_error is None
    same_training(load_run(tmp_path / "run", model=model(), dataset=data), uninterrupted(data, model()))


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("precision", ["float32", pytest.param("bf16", marks=needs_bf16)])
def test_train_goes_on_from_a_state(data, dropout, precision):
    told = config(epochs=4, precision=precision)
    whole = small_model(data, dropout=dropout)
    list(train(whole, data, told))
    first, second = small_model(data, dropout=dropout), small_model(data, seed=9, dropout=dropout)
    trainer = Trainer(first, data, told)
    for event in trainer.events():
        if getattr(event, "examples", 0) == 66:
            break
    state = trainer.state()
    assert (state.step, state.examples) == (5, 66)
    list(train(second, data, told, resume=state))
    assert equal(weights(second), weights(whole))
    assert not equal(state.weights, weights(whole))  # a copy, which training has left alone


def test_a_state_before_the_first_step_is_the_weights(data):
    model = small_model(data)
    list(train(model, data, config(epochs=1), resume=TrainState.untrained(small_model(data, seed=7))))
    other = small_model(data, seed=7)
    list(train(other, data, config(epochs=1)))
    assert equal(weights(model), weights(other))


TRAIN_IN_A_PROCESS = """
import sys
import torch
import vaeviz as vz
torch.set_num_threads(1)
data = vz.load_dataset("digits")
model = vz.DenseVAE(data.image_shape, (32,), 2, dropout=0.2, generator=torch.Generator().manual_seed(0))
config = vz.TrainConfig(device="cpu", epochs=20, batch_size=64, seed=3, schedule="one-cycle")
run = vz.TrainingRun(model, data, config, folder=sys.argv[1], save_every=0.02)
run.start()
run.wait()
"""


def test_a_run_killed_in_mid_training_is_resumed_and_ends_equal_to_the_bit(tmp_path, eventually):
    folder = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", TRAIN_IN_A_PROCESS, str(folder)])
    try:
        eventually(lambda: process.poll() is not None or len(list(folder.glob("snapshots/*"))) > 8)
    finally:
        psutil.Process(process.pid).kill()
        process.wait(30)
    saved = load_run(folder)
    assert saved.status == "stopped"
    assert 0 < saved.step < saved.total_steps
    data = load_dataset("digits")
    model = DenseVAE(data.image_shape, (32,), 2, dropout=0.2, generator=torch.Generator().manual_seed(0))
    whole = ended(TrainingRun(model, data, saved.config))
    run = ended(resume_run(folder))
    same_training(run, whole)
    same_training(load_run(folder), whole)


# What is carried on


def test_a_resumed_run_is_the_same_run(data, tmp_path):
    stopped = stopped_at(6, small_model(data), data, tmp_path, epochs=5)
    run = resume_run(tmp_path, data)
    assert (run.status, run.step, run.epoch, run.total_steps) == ("ready", 6, 1.5, 20)
    assert (run.id, run.folder, run.config, run.saved_at_step) == (stopped.id, tmp_path, stopped.config, 6)
    assert run.steps == stopped.steps == [0, 1, 2, 3, 4, 6]
    assert run.snapshot().step == 6
    assert np.array_equal(run.snapshot().mu, stopped.snapshot().mu)
    assert run.metrics_since(0) == stopped.metrics_since(0)
    assert np.array_equal(run.snapshot(0).ids, stopped.snapshot(0).ids)


def test_seconds_go_on_from_where_they_were(data, tmp_path):
    stopped = stopped_at(6, small_model(data), data, tmp_path, epochs=5, log_every=1)
    seconds = [row.seconds for row in ended(resume_run(tmp_path, data)).metrics_since(0)[0][1:]]
    assert seconds == sorted(seconds)
    assert seconds[-1] > stopped.metrics_since(0)[0][-1].seconds


def test_a_run_that_was_saved_before_its_start_is_resumed_from_there(data, tmp_path):
    TrainingRun(small_model(data), data, config()).save(tmp_path)
    same_training(ended(resume_run(tmp_path, data)), uninterrupted(data))


def test_a_run_that_failed_is_resumed_from_its_last_save(data, tmp_path):
    model = small_model(data)
    in_step(model.decoder, 6, raising(ValueError("boom")))
    run = TrainingRun(model, data, config(epochs=3), folder=tmp_path, save_every=1e-9)
    run.start()
    assert run.wait(30) == "failed"
    assert run.saved_at_step == 5
    with pytest.raises(RuntimeError, match=r"^this run has failed and .*; its last save is that of step 5$"):
        run.save()
    resumed = resume_run(tmp_path, data)
    watched(resumed.model)
    same_training(ended(resumed), uninterrupted(data, watched(small_model(data)), epochs=3))


def test_weights_that_are_not_finite_are_not_saved(data, tmp_path):
    model = small_model(data)
    in_step(model.decoder, 6, lambda logits: logits * torch.nan)
    run = TrainingRun(
        model, data, config(steps=FOREVER, log_every=1000, batch_size=5), folder=tmp_path, save_every=1e-9
    )
    run.start()
    assert run.wait(30) == "failed"
    assert run.error.startswith("TrainingDivergedError: the weight encoder")
    assert load_run(tmp_path, data).step == 5


# To another end


def test_a_finished_run_has_ended_and_says_how_to_go_on(data, tmp_path):
    ended(TrainingRun(small_model(data), data, config(), folder=tmp_path))
    with pytest.raises(ValueError, match=r"has ended, at step 8 of 8: go on with more epochs="):
        resume_run(tmp_path, data)
    with pytest.raises(ValueError, match="has ended, at step 8 of 4"):
        resume_run(tmp_path, data, epochs=1)


@pytest.mark.parametrize("more", [{"epochs": 4}, {"steps": 16}])
def test_a_finished_run_goes_on_to_more_epochs_or_steps(data, tmp_path, more):
    ended(TrainingRun(small_model(data), data, config(), folder=tmp_path))
    run = ended(resume_run(tmp_path, data, **more))
    assert run.step == 16
    assert equal(weights(run.model), weights(uninterrupted(data, epochs=4).model))
    assert load_run(tmp_path, data).total_steps == 16


def test_one_cycle_has_its_own_end(data, tmp_path):
    stopped_at(3, small_model(data), data, tmp_path, schedule="one-cycle")
    with pytest.raises(ValueError, match=r"the one-cycle schedule of .* is made for its own end; leave both out$"):
        resume_run(tmp_path, data, epochs=9)


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"steps": 0}, {"epochs": 2.5}, {"device": "abacus"}])
def test_a_bad_wish_is_refused_and_the_folder_left_alone(data, tmp_path, bad):
    stopped_at(3, small_model(data), data, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"^{next(iter(bad))}="):
        resume_run(tmp_path, data, **bad)
    assert contents(tmp_path) == before


def test_metrics_of_a_resumed_run_come_once_each(data, tmp_path):
    stopped_at(6, small_model(data), data, tmp_path, epochs=5, log_every=1)
    run = ended(resume_run(tmp_path, data))
    assert [row.step for row in rows(run) if row.split == "train"] == list(range(1, 21))


@pytest.mark.gpu
def test_a_run_of_cuda_goes_on_on_the_cpu(data, tmp_path):
    stopped_at(6, small_model(data, dropout=0.2), data, tmp_path, epochs=5, device="cuda")
    assert load_run(Path(tmp_path), data).config == TrainConfig(device="cuda", batch_size=16, epochs=5)
    run = ended(resume_run(tmp_path, data, device="cpu"))
    assert run.step == 20
