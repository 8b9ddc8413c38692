"""More than there is memory for is refused in words, before anything is begun."""

import gc
import re
import weakref

import numpy as np
import pytest
import torch

import vaeviz.training.room
import vaeviz.training.snapshots
from tests.training.small import noise, small_model
from vaeviz.data import Dataset
from vaeviz.models import ConvVAE, DenseVAE
from vaeviz.training import SnapshotTaker, TrainConfig, TrainingRun
from vaeviz.training.room import bytes_per_example, check_step, free_memory

CPU = torch.device("cpu")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch):
    """Return a function that says how many bytes are free."""
    return lambda count: monkeypatch.setattr(vaeviz.training.room, "free_memory", lambda device: count)


def test_what_is_free_is_something_and_not_more_than_a_machine_has():
    assert 2**20 < free_memory(CPU) < 2**50


def test_a_limit_on_the_process_counts(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 50 kB\n")
    monkeypatch.setattr(vaeviz.training.room, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(vaeviz.training.room, "_CGROUP", tmp_path)
    assert free_memory(CPU) == 50 * 1024
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(CPU) == 50 * 1024
    (tmp_path / "memory.max").write_text("9000\n")
    assert free_memory(CPU) == 8000


def test_a_batch_that_cannot_fit_is_refused_and_the_batch_that_is_told_is_taken(free):
    data = noise(train=2000)
    free(2_000_000)
    with pytest.raises(ValueError, match=r"^batch_size=2000: a step would take about .* take a batch of") as told:
        TrainingRun(small_model(data), data, TrainConfig(batch_size=2000, embedded=10))
    batch = int(re.search(r"batch of ([\d,]+)$", str(told.value))[1].replace(",", ""))
    assert 1 <= batch < 2000
    assert TrainingRun(small_model(data), data, TrainConfig(batch_size=batch, embedded=10)).status == "ready"


def test_points_that_cannot_fit_are_refused_and_the_number_that_is_told_is_taken(free):
    data = noise(train=2000)
    free(300_000)
    with pytest.raises(ValueError, match=r"^embedded=2\d\d\d: to look at so many examples takes about") as told:
        SnapshotTaker(small_model(data), data, TrainConfig(embedded=10_000))
    most = int(re.search(r"embedded=([\d,]+) at most$", str(told.value))[1].replace(",", ""))
    assert 100 <= most < 2000
    assert len(SnapshotTaker(small_model(data), data, TrainConfig(embedded=most)).ids) == most


def test_images_that_another_device_cannot_hold_are_refused(free):
    data = noise(train=2000)
    free(data.images.nbytes)
    with pytest.raises(ValueError, match=r"^device='meta': the images of .* take device='cpu'"):
        check_step(small_model(data), data, 16, torch.device("meta"))


def test_where_nothing_is_known_everything_is_tried(free):
    data = noise()
    free(None)
    assert TrainingRun(small_model(data), data, TrainConfig(batch_size=len(data.train))).status == "ready"


@pytest.mark.parametrize("kind", [DenseVAE, ConvVAE])
def test_what_a_step_needs_grows_with_the_network_and_says_nothing_of_its_weights(kind):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    data = Dataset.from_arrays(pixels)
    model = kind(data.image_shape)
    needed = bytes_per_example(model, data)
    assert 4 * 28 * 28 * 3 < needed < 30_000_000
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    if kind is DenseVAE:
        assert needed < 4 * sum(p.numel() for p in model.parameters())
        assert bytes_per_example(kind(data.image_shape, hidden_sizes=(4000,)), data) > 2 * needed


def test_all_examples_of_a_large_dataset_are_not_copied(monkeypatch: pytest.MonkeyPatch):
    data = noise(train=200)
    monkeypatch.setattr(vaeviz.training.snapshots, "COPIED", data.images.nbytes - 1)
    taker = SnapshotTaker(small_model(data), data, TrainConfig(embedded=len(data)))
    assert taker.images is data.images
    assert taker.ids.tolist() == list(range(len(data)))
    few = SnapshotTaker(small_model(data), data, TrainConfig(embedded=30))
    assert torch.equal(few.images, data.images[torch.from_numpy(few.ids.copy())])


def test_a_run_that_is_let_go_of_lets_go_of_its_weights():
    data, alive = noise(), []
    for start in (False, True):
        run = TrainingRun(small_model(data), data, TrainConfig(epochs=1, batch_size=16, device="cpu"))
        if start:
            run.start()
            run.wait()
        alive += map(weakref.ref, (*run.model.parameters(), *run.snapshot().vae.parameters()))
        del run
    gc.collect()
    assert [parameter.shape for parameter in (each() for each in alive) if parameter is not None] == []
