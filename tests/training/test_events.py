import copy as copying
import dataclasses
from dataclasses import replace
from itertools import islice, pairwise, takewhile

import numpy as np
import pytest
import torch

from tests.training.small import equal, noise, of_type, small_model, trained, weights
from vaeviz.data import Dataset
from vaeviz.latent import decode, embed
from vaeviz.training import Snapshot, SnapshotTaker, TrainConfig, TrainingDivergedError, kept_steps, train


@pytest.fixture
def snapshot(data) -> Snapshot:
    return SnapshotTaker(small_model(data), data, TrainConfig()).take(small_model(data), 3, 0.75)


def test_kept_steps_are_the_powers_of_the_square_root_of_2_rounded():
    assert list(islice(kept_steps(), 12)) == [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64]


def test_kept_steps_ascend_each_once_and_are_few():
    steps = list(takewhile(lambda step: step <= 10**9, kept_steps()))
    assert all(a < b for a, b in pairwise(steps))
    assert len(steps) < 62


def test_mu_and_logvar_are_what_embedding_the_examples_gives(snapshot, data):
    mu, logvar = embed(snapshot.vae, data.images[torch.from_numpy(snapshot.ids.copy())])
    assert np.array_equal(snapshot.mu, mu)
    assert np.array_equal(snapshot.logvar, logvar)


def test_examples_are_embedded_only_when_asked_for_and_only_once(snapshot, monkeypatch):
    calls = []
    monkeypatch.setattr("vaeviz.training.events.embed", lambda *arguments: calls.append(arguments) or embed(*arguments))
    assert not calls
    assert snapshot.mu is snapshot.mu
    assert snapshot.logvar.shape == snapshot.mu.shape
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["ids", "mu", "logvar"])
def test_arrays_are_read_only(snapshot, name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(snapshot, name)[0] = 0


def test_a_snapshot_is_frozen(snapshot):
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.step = 4


def test_its_vae_is_made_only_when_asked_for_and_only_once(data, monkeypatch):
    taker = SnapshotTaker(small_model(data), data, TrainConfig())
    copies, copy = [], copying.deepcopy
    monkeypatch.setattr("vaeviz.training.snapshots.copy.deepcopy", lambda *given: copies.append(given) or copy(*given))
    snapshot = taker.take(small_model(data), 3, 0.75)
    assert not copies
    assert snapshot.vae is snapshot.vae
    assert len(copies) == 1


def test_its_vae_has_the_memory_of_its_weights(snapshot):
    of_vae = {name: value.data_ptr() for name, value in snapshot.vae.state_dict().items()}
    assert of_vae == {name: value.data_ptr() for name, value in snapshot.weights.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder.1.bias": torch.zeros(3)}, r"encoder.1.bias is \(3,\) torch.float32, but the model's is \(16,\)"),
        ({"encoder.1.bias": torch.zeros(16).double()}, r"encoder.1.bias is \(16,\) torch.float64, but the model's is"),
        ({"more": torch.zeros(3)}, r"more is \(3,\) torch.float32, but the model's is not there"),
    ],
)
def test_weights_of_another_model_make_no_snapshot(data, change, words):
    taker = SnapshotTaker(small_model(data), data, TrainConfig())
    with pytest.raises(ValueError, match=words):
        taker.restore(weights(small_model(data)) | change, 3, 0.75)


def test_its_vae_is_on_the_cpu_in_eval_mode_and_nobody_trains_it(snapshot):
    assert not any(module.training for module in snapshot.vae.modules())
    assert all(p.device.type == "cpu" and not p.requires_grad and p.grad is None for p in snapshot.vae.parameters())


def test_its_vae_computes_what_the_model_does(data):
    model = small_model(data, seed=7)
    snapshot = SnapshotTaker(small_model(data), data, TrainConfig()).take(model, 0, 0.0)
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    assert np.array_equal(decode(snapshot.vae, z), decode(model.eval(), z))


def test_it_does_not_change_as_training_goes_on(data):
    seen = {}
    model = small_model(data)
    for event in train(model, data, TrainConfig(epochs=4, batch_size=16, device="cpu")):
        if isinstance(event, Snapshot):
            seen[event.step] = event, weights(event.vae)
    assert len(seen) > 5
    assert all(equal(weights(snapshot.vae), before) for snapshot, before in seen.values())
    assert not equal(seen[1][1], seen[2][1])


def test_the_ids_are_the_same_in_all_snapshots_of_a_training(data):
    snapshots = of_type(Snapshot, trained(data)[1])
    assert all(np.array_equal(snapshot.ids, snapshots[0].ids) for snapshot in snapshots)
    assert all(snapshot.images is snapshots[0].images for snapshot in snapshots)


def embedded_per_split(data: Dataset, embedded: int) -> list[int]:
    ids = SnapshotTaker(small_model(data), data, TrainConfig(embedded=embedded)).ids
    return [int(np.isin(ids, split).sum()) for split in (data.validation, data.train, data.test)]


@pytest.mark.parametrize(
    ("embedded", "shares"),
    [
        (5000, [20, 50, 5]),
        (75, [20, 50, 5]),
        (60, [20, 35, 5]),
        (30, [12, 13, 5]),  # what the test split leaves goes to the two others
        (12, [4, 4, 4]),
        (2, [1, 1, 0]),
        (1, [0, 1, 0]),
    ],
)
def test_every_split_has_an_equal_share_of_the_embedded_examples(data, embedded, shares):
    assert embedded_per_split(data, embedded) == shares


def test_without_validation_and_test_all_embedded_examples_are_training_examples():
    assert embedded_per_split(noise(validation=0, test=0), 30) == [0, 30, 0]


@pytest.mark.parametrize("embedded", [5000, 30])
def test_embedded_examples_come_in_the_order_validation_train_test_each_once(data, embedded):
    snapshot = SnapshotTaker(small_model(data), data, TrainConfig(embedded=embedded)).take(small_model(data), 0, 0.0)
    order = [*data.validation.tolist(), *data.train.tolist(), *data.test.tolist()]
    places = [order.index(example) for example in snapshot.ids]
    assert places == sorted(set(places))
    assert snapshot.mu.shape == (len(snapshot.ids), 2)


def test_a_sorted_split_is_crossed_from_its_beginning_to_its_end():
    data = noise(train=100, validation=0, test=0)
    data = replace(data, train=torch.arange(100))
    ids = SnapshotTaker(small_model(data), data, TrainConfig(embedded=10)).ids
    assert ids.tolist() == list(range(0, 100, 10))


def test_a_model_that_is_not_finite_makes_no_snapshot(data):
    model = small_model(data)
    taker = SnapshotTaker(model, data, TrainConfig())
    with torch.no_grad():
        model.decoder[0].bias[1] = torch.nan
    with pytest.raises(TrainingDivergedError, match=r"the weight decoder\.0\.bias is no longer finite at step 9: try"):
        taker.take(model, 9, 1.0)
