"""What a run remembers: every row of metrics, compactly, and the snapshots, within a bound of memory."""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float64
from safetensors.torch import load_file, save_file
from torch import Tensor

from vaeviz.latent import Embedding
from vaeviz.private_folder import PrivateFolder
from vaeviz.training.events import Metrics, Snapshot, Split
from vaeviz.training.files import apart
from vaeviz.training.snapshots import SnapshotTaker
from vaeviz.training.weights import nbytes

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
COLUMNS = len(Metrics._fields)
MEMORY_BUDGET = 64 * 2**20
"""Bytes of weights that the kept snapshots may hold in memory; beyond it they go to disk."""

EMBEDDINGS_BUDGET = 128 * 2**20
"""Bytes that the embeddings of kept snapshots on disk may hold in memory."""

READ_AHEAD = 4
"""Snapshots read back from disk that stay in memory."""


ROWS_AT_ONCE = 50_000
"""Rows of a log that are read at once: the training waits for less than a millisecond."""


class MetricsLog:
    """An append-only log of metrics: 56 bytes a row.

    Parameters
    ----------
    values : ndarray (R, 7), optional
        The rows to begin with, as `values` gives them.
    """

    def __init__(self, values: Float64[np.ndarray, "R 7"] | None = None) -> None:
        self._values = array("d", () if values is None else values.tobytes())

    def __len__(self) -> int:
        return len(self._values) // COLUMNS

    def append(self, row: Metrics) -> None:
        """Add a row."""
        self._values.extend(numbers_of(row))

    def values(self) -> Float64[np.ndarray, "R 7"]:
        """Return a copy of all rows as numbers; the split is its place in `SPLITS`."""
        return np.array(self._values).reshape(-1, COLUMNS)

    def table(self, cursor: int, most: int) -> tuple[Float64[np.ndarray, "R 7"], int]:
        """Return a copy of at most so many rows from the cursor on as numbers, and the cursor for the next call."""
        start = min(max(cursor, 0), len(self))
        end = min(start + most, len(self))
        return np.array(self._values[start * COLUMNS : end * COLUMNS]).reshape(-1, COLUMNS), end

    def since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows from the cursor on, and the cursor for the next call."""
        end = len(self)
        starts = range(max(cursor, 0) * COLUMNS, end * COLUMNS, COLUMNS)
        return [row_of(self._values[start : start + COLUMNS]) for start in starts], end


class Logs(Protocol):
    """What has a log of metrics, such as a run."""

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows from the cursor on, and the cursor for the next call."""


def metrics_table(run: Logs, cursor: int, most: int = ROWS_AT_ONCE) -> tuple[Float64[np.ndarray, "R 7"], int]:
    """Return rows of a run's log from the cursor on as numbers, and the cursor for the next call.

    No more than `most` rows from a run that has a `metrics_table(cursor, most)` of its own, as all of ours do; from
    another one all that there are.
    """
    own = getattr(run, "metrics_table", None)
    if own is not None:
        table, end = own(cursor, most)
        return table, end
    rows, end = run.metrics_since(cursor)
    return np.array([numbers_of(row) for row in rows], dtype=float).reshape(-1, COLUMNS), end


def numbers_of(row: Metrics) -> tuple[float, ...]:
    """Return a row of metrics as numbers; the split is its place in `SPLITS`."""
    return (row.step, row.epoch, SPLITS.index(row.split), *row[3:])


def row_of(numbers: Iterable[float]) -> Metrics:
    """Return the row of metrics that has these numbers."""
    step, epoch, split, *rest = numbers
    return Metrics(int(step), epoch, SPLITS[int(split)], *rest)


class Kept(NamedTuple):
    """A kept snapshot, wherever its weights are."""

    step: int
    epoch: float
    read: Callable[[], Mapping[str, Tensor]]
    """Return its weights."""


class SnapshotStore:
    """The kept snapshots, and the newest.

    The weights of kept snapshots stay in memory up to a budget; the oldest beyond it are written to a private
    temporary folder (removed with the store), unless they have been saved elsewhere, and read back when asked for.
    Their embeddings stay, up to a budget of their own.

    Parameters
    ----------
    taker : SnapshotTaker
        Makes a snapshot again from its weights.
    budget : int
        Bytes of weights in memory.
    embeddings : int
        Bytes of the embeddings of snapshots in memory, the newest apart, and again of those on disk.
    """

    def __init__(self, taker: SnapshotTaker, budget: int = MEMORY_BUDGET, embeddings: int = EMBEDDINGS_BUDGET) -> None:
        self._taker = taker
        self._budget, self._embedded = budget, embeddings
        self._bytes = 0
        self._epochs: dict[int, float] = {}
        self._in_memory: OrderedDict[int, Snapshot] = OrderedDict()
        self._elsewhere: dict[int, Callable[[], Mapping[str, Tensor]]] = {}
        self._read_back: OrderedDict[int, Snapshot] = OrderedDict()
        self._embeddings = Embeddings(embeddings)
        self._folder: PrivateFolder | None = None
        self.newest: Snapshot | None = None

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending."""
        return sorted(self._epochs)

    @property
    def kept(self) -> list[Kept]:
        """The kept snapshots, ascending."""
        return [Kept(step, self._epochs[step], self._reader(step)) for step in self.steps]

    def add(self, snapshot: Snapshot, *, keep: bool) -> None:
        """Take a snapshot in as the newest and, if so asked, keep it forever.

        Raises
        ------
        OSError
            If there is no room on the disk; the snapshot is in, and what should have been written is in memory still.
        """
        self.newest = snapshot
        self._bound_embeddings()
        if not keep or snapshot.step in self._epochs:
            return
        self._epochs[snapshot.step] = snapshot.epoch
        self._in_memory[snapshot.step] = snapshot
        self._bytes += nbytes(snapshot.weights.values())
        while self._bytes > self._budget and len(self._in_memory) > 1:
            step, oldest = next(iter(self._in_memory.items()))
            if step not in self._elsewhere:
                path = self._path(step)
                save_file(apart(oldest.weights), path)
                self._elsewhere[step] = partial(load_file, path)
            self._drop(self._in_memory, step)  # only now that it is safe on disk
            self._bytes -= nbytes(oldest.weights.values())

    def saved(self, kept: Kept) -> None:
        """Take note of where the weights of a kept snapshot can be read, whether it was known before or not."""
        self._epochs.setdefault(kept.step, kept.epoch)
        self._elsewhere[kept.step] = kept.read

    def get(self, step: int) -> Snapshot:
        """Return a kept snapshot, or the newest, by its step.

        Raises
        ------
        ValueError
            If there is none of that step.
        """
        if self.newest is not None and step == self.newest.step:
            return self.newest
        self._bound_embeddings()
        if step in self._in_memory:
            return self._in_memory[step]
        if step in self._read_back:
            self._read_back.move_to_end(step)
            return self._read_back[step]
        if step not in self._epochs:
            raise ValueError(f"step={step!r}: no snapshot of that step is kept; take one of run.steps")
        snapshot = self._taker.restore(dict(self._elsewhere[step]()), step, self._epochs[step])
        self._embeddings.give(snapshot)
        self._read_back[step] = snapshot
        while len(self._read_back) > READ_AHEAD:
            self._drop(self._read_back, next(iter(self._read_back)))
        return snapshot

    def _drop(self, snapshots: OrderedDict[int, Snapshot], step: int) -> None:
        self._embeddings.take(snapshots.pop(step))

    def _bound_embeddings(self) -> None:
        """Let go of embeddings beyond the budget, the earliest first; whoever looks at such a snapshot has it still."""
        held = {
            step: _size(snapshot.__dict__["embedding"])  # where cached_property has it
            for step, snapshot in self._in_memory.items()
            if snapshot is not self.newest and "embedding" in snapshot.__dict__
        }
        excess = sum(held.values()) - self._embedded
        for step, size in held.items():
            if excess <= 0:
                break
            self._in_memory[step] = replace(self._in_memory[step])  # the same, not embedded
            excess -= size

    def _reader(self, step: int) -> Callable[[], Mapping[str, Tensor]]:
        snapshot = self._in_memory.get(step)
        return self._elsewhere[step] if snapshot is None else lambda: snapshot.weights

    def _path(self, step: int) -> Path:
        if self._folder is None:
            self._folder = PrivateFolder("timeline")
        return self._folder.path / f"{step}.safetensors"


class Embeddings:
    """The embeddings of snapshots that are no longer in memory, up to so many bytes; the least recent goes first."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._bytes = 0
        self._of: OrderedDict[int, Embedding] = OrderedDict()

    def take(self, snapshot: Snapshot) -> None:
        """Keep a snapshot's embedding, if it was ever asked for."""
        embedding = snapshot.__dict__.get("embedding")  # where cached_property has it
        if embedding is None:
            return
        self._remove(snapshot.step)
        self._of[snapshot.step] = embedding
        self._bytes += _size(embedding)
        while self._bytes > self._budget:
            self._remove(next(iter(self._of)))

    def give(self, snapshot: Snapshot) -> None:
        """Let a snapshot have its embedding again, if it is here."""
        if snapshot.step in self._of:
            self._of.move_to_end(snapshot.step)
            snapshot.__dict__["embedding"] = self._of[snapshot.step]

    def _remove(self, step: int) -> None:
        embedding = self._of.pop(step, None)
        self._bytes -= 0 if embedding is None else _size(embedding)


def _size(embedding: Embedding) -> int:
    return embedding.mu.nbytes + embedding.logvar.nbytes
