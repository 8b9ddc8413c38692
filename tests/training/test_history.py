import gc
import tempfile
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.small import equal, small_model, weights
from vaeviz.models import VAE
from vaeviz.training import Metrics, MetricsLog, SnapshotStore, SnapshotTaker, TrainConfig, events
from vaeviz.training.history import Kept


def row(step: int, split: str = "train") -> Metrics:
    return Metrics(step, step / 7, split, 1.5 * step, 1.25 * step, 0.25 * step, step / 100)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder in which temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def taker(data) -> SnapshotTaker:
    return SnapshotTaker(small_model(data), data, TrainConfig())


@pytest.fixture
def take(data, taker):
    return lambda step: taker.take(small_model(data, seed=step), step, step / 10)


def size(snapshot) -> int:
    return sum(value.nbytes for value in snapshot.weights.values())


# The log


def test_a_log_gives_back_its_rows_as_they_were():
    log = MetricsLog()
    rows = [row(0, "validation"), row(10), row(12, "test"), row(2**40)]
    for each in rows:
        log.append(each)
    assert log.since(0) == (rows, 4)
    assert [type(value) for value in log.since(0)[0][0]] == [int, float, str, float, float, float, float]


def test_a_cursor_gives_only_what_is_new():
    log = MetricsLog()
    log.append(row(1))
    _, cursor = log.since(0)
    assert log.since(cursor) == ([], cursor)
    log.append(row(2))
    log.append(row(3))
    assert log.since(cursor) == ([row(2), row(3)], 3)


def test_a_cursor_before_the_beginning_gives_everything_and_one_beyond_the_end_nothing():
    log = MetricsLog()
    log.append(row(1))
    assert log.since(-5) == ([row(1)], 1)
    assert log.since(50) == ([], 1)


def test_two_readers_have_cursors_of_their_own():
    log = MetricsLog()
    seen, cursors = ([], []), [0, 0]
    for step in range(1, 21):
        log.append(row(step))
        for reader, every in ((0, 3), (1, 5)):
            if step % every == 0 or step == 20:
                rows, cursors[reader] = log.since(cursors[reader])
                seen[reader].extend(rows)
    assert seen[0] == seen[1] == [row(step) for step in range(1, 21)]


def test_a_million_rows_would_take_less_than_60_megabytes():
    log, one = MetricsLog(), row(1)
    tracemalloc.start()
    try:
        for _ in range(100_000):
            log.append(one)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(log) == 100_000
    assert held < 6_000_000


def test_a_log_can_begin_with_the_rows_of_another():
    log = MetricsLog()
    for each in (row(0, "validation"), row(2**40), row(3)):
        log.append(each)
    other = MetricsLog(log.values())
    other.append(row(4, "test"))
    assert other.since(0) == ([row(0, "validation"), row(2**40), row(3), row(4, "test")], 4)
    assert MetricsLog(MetricsLog().values()).since(0) == ([], 0)


# The store


def test_a_store_knows_its_kept_steps_and_the_newest(taker, take):
    store = SnapshotStore(taker)
    for step, keep in ((0, True), (4, True), (2, True), (5, False)):
        store.add(take(step), keep=keep)
    assert store.steps == [0, 2, 4]
    assert store.newest.step == 5
    assert store.get(4).step == 4


def test_the_newest_can_be_asked_for_by_its_step_until_the_next_one_comes(taker, take):
    store = SnapshotStore(taker)
    store.add(take(7), keep=False)
    assert store.get(7) is store.newest
    store.add(take(9), keep=False)
    with pytest.raises(ValueError, match="step=7: no snapshot of that step is kept"):
        store.get(7)


@pytest.mark.parametrize("step", [-1, 1, 10**12])
def test_an_unknown_step_is_refused_in_words(taker, take, step):
    store = SnapshotStore(taker)
    store.add(take(0), keep=True)
    with pytest.raises(ValueError, match=rf"^step={step}: no snapshot of that step is kept; take one of run.steps$"):
        store.get(step)


def test_keeping_a_step_twice_counts_it_once(taker, take):
    store = SnapshotStore(taker, budget=0)
    for _ in range(3):
        store.add(take(4), keep=True)
    assert store.steps == [4]


def test_nothing_is_written_within_the_budget(taker, take, temporary):
    store = SnapshotStore(taker, budget=10 * size(take(0)))
    for step in range(10):
        store.add(take(step), keep=True)
    assert not list(temporary.iterdir())


def test_weights_that_two_names_share_count_once(data, temporary):
    layer = nn.Linear(20, 20)
    layers = nn.Sequential(nn.Flatten(), layer, layer, nn.Linear(20, 4))
    model = VAE(layers, nn.Sequential(nn.Linear(2, 20), nn.Unflatten(1, data.image_shape)), 2)
    once = sum(p.nbytes for p in model.parameters())
    taker = SnapshotTaker(model, data, TrainConfig())
    assert size(taker.take(model, 0, 0.0)) == once + layer.weight.nbytes + layer.bias.nbytes
    store = SnapshotStore(taker, budget=10 * once)
    for step in range(10):
        store.add(taker.take(model, step, 0.0), keep=True)
    assert not list(temporary.iterdir())
    store.add(taker.take(model, 10, 0.0), keep=True)
    assert list(temporary.iterdir())


@pytest.mark.parametrize("budget", [0, 3])
def test_what_goes_to_disk_comes_back_equal_to_the_bit(taker, take, temporary, budget):
    store = SnapshotStore(taker, budget=budget * size(take(0)))
    for step in range(12):
        store.add(take(step), keep=True)
    (folder,) = temporary.glob("*/files")
    assert len(list(folder.iterdir())) == 12 - max(budget, 1)
    for step in [*range(12), 3, 0]:
        back, expected = store.get(step), take(step)
        assert (back.step, back.epoch) == (step, step / 10)
        assert equal(weights(back.vae), weights(expected.vae))
        assert np.array_equal(back.mu, expected.mu)
        assert not back.vae.training
        assert not any(p.requires_grad for p in back.vae.parameters())


def test_a_snapshot_read_back_is_not_read_again_while_it_is_recent(taker, take, temporary):
    store = SnapshotStore(taker, budget=0)
    for step in range(3):
        store.add(take(step), keep=True)
    assert store.get(0) is store.get(0)


def test_the_kept_weights_in_memory_stay_within_their_bound(taker, take, temporary):
    budget = 3
    store = SnapshotStore(taker, budget=budget * size(take(0)))
    alive = []
    for step in range(30):
        snapshot = take(step)
        alive.append(weakref.ref(snapshot))
        store.add(snapshot, keep=True)
    del snapshot
    alive.extend(weakref.ref(store.get(step)) for step in range(30))
    gc.collect()
    in_memory = {id(reference()) for reference in alive if reference() is not None}
    assert len(in_memory) <= budget + 4  # within the budget, and a few read back
    assert store.steps == list(range(30))


def test_the_temporary_folder_goes_silently_with_the_store(taker, take, temporary):
    store = SnapshotStore(taker, budget=0)
    for step in range(3):
        store.add(take(step), keep=True)
    assert list(temporary.iterdir())
    del store
    gc.collect()
    assert not list(temporary.iterdir())


def test_a_full_disk_loses_no_snapshot(taker, take, temporary, monkeypatch):
    store = SnapshotStore(taker, budget=0)
    store.add(take(0), keep=True)

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("vaeviz.training.history.save_file", full)
    with pytest.raises(OSError, match="no space left"):
        store.add(take(1), keep=True)
    assert store.steps == [0, 1]
    assert equal(weights(store.get(0).vae), weights(take(0).vae))


# Embeddings


@pytest.fixture
def embedded(monkeypatch) -> list[int]:
    """The steps whose examples were embedded, in order; a list that grows."""
    done, embed = [], events.embed
    monkeypatch.setattr(events, "embed", lambda *given: done.append(1) or embed(*given))
    return done


def test_the_embedding_of_a_snapshot_that_goes_to_disk_is_not_worked_out_again(taker, take, temporary, embedded):
    store = SnapshotStore(taker, budget=0)
    first = take(0)
    expected = first.embedding
    store.add(first, keep=True)
    store.add(take(1), keep=True)
    assert store.get(0) is not first
    assert store.get(0).embedding is expected
    assert len(embedded) == 1


def test_a_timeline_that_was_seen_once_is_not_embedded_again(taker, take, temporary, embedded):
    store = SnapshotStore(taker, budget=0)
    for step in range(12):
        store.add(take(step), keep=True)
    seen = [store.get(step).mu for step in range(12)]
    assert all(np.array_equal(store.get(step).mu, seen[step]) for step in range(12))
    assert len(embedded) == 12


def test_embeddings_stay_within_their_bound_and_the_least_recent_goes_first(taker, take, temporary, embedded):
    one = take(0).embedding.mu.nbytes * 2
    embedded.clear()
    store = SnapshotStore(taker, budget=0, embeddings=3 * one)
    for step in range(12):
        store.add(take(step), keep=True)
    for step in range(12):
        _ = store.get(step).embedding
    assert store._embeddings._bytes <= 3 * one
    for step in (7, 6, 5):  # dropped last
        _ = store.get(step).embedding
    assert len(embedded) == 12
    _ = store.get(0).embedding
    assert len(embedded) == 13


def test_a_snapshot_that_was_saved_elsewhere_is_read_from_there_and_not_written_again(taker, take, temporary):
    store = SnapshotStore(taker, budget=0)
    store.add(take(0), keep=True)
    store.saved(Kept(0, 0.0, lambda: weights(take(0).vae)))
    store.saved(Kept(3, 0.3, lambda: weights(take(3).vae)))
    store.add(take(5), keep=True)
    assert not list(temporary.iterdir())
    assert store.steps == [0, 3, 5]
    for step in (0, 3, 5):
        assert equal(weights(store.get(step).vae), weights(take(step).vae))


def test_weights_read_back_survive_the_store(taker, take, temporary):
    store = SnapshotStore(taker, budget=0)
    for step in range(3):
        store.add(take(step), keep=True)
    back = store.get(0)
    del store
    gc.collect()
    assert torch.equal(back.vae.decode(torch.zeros(1, 2)), take(0).vae.decode(torch.zeros(1, 2)))


def test_embeddings_of_snapshots_in_memory_are_bounded_and_nobody_loses_what_they_look_at(
    taker, take, temporary, embedded
):
    one = take(0).embedding.mu.nbytes * 2
    embedded.clear()
    store = SnapshotStore(taker, embeddings=3 * one)
    for step in range(12):
        store.add(take(step), keep=True)
    first = store.get(0)
    seen = first.mu
    for step in range(12):
        _ = store.get(step).embedding
    _ = store.get(11)
    held = [snapshot for snapshot in store._in_memory.values() if "embedding" in snapshot.__dict__]
    assert 0 < len(held) <= 3 + 2  # and the newest, and the last that was asked for
    assert first.mu is seen
    assert len(embedded) == 12
    assert store.get(0).mu is not seen
    assert np.array_equal(store.get(0).mu, seen)
