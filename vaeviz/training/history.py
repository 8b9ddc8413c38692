"""What a run remembers: every row of metrics, compactly, and the snapshots, within a bound of memory."""

import shutil
import tempfile
import weakref
from array import array
from collections import OrderedDict
from pathlib import Path

from safetensors.torch import load_file, save_file

from vaeviz.training.events import Metrics, Snapshot, Split
from vaeviz.training.snapshots import SnapshotTaker

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
COLUMNS = len(Metrics._fields)
MEMORY_BUDGET = 64 * 2**20
"""Bytes of weights that the kept snapshots may hold in memory; beyond it they go to disk."""

READ_AHEAD = 4
"""Snapshots read back from disk that stay in memory."""


class MetricsLog:
    """An append-only log of metrics: 56 bytes a row."""

    def __init__(self) -> None:
        self._values = array("d")

    def __len__(self) -> int:
        return len(self._values) // COLUMNS

    def append(self, row: Metrics) -> None:
        """Add a row."""
        self._values.extend((row.step, row.epoch, SPLITS.index(row.split), *row[3:]))

    def since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows from the cursor on, and the cursor for the next call."""
        end = len(self)
        rows = []
        for start in range(max(cursor, 0) * COLUMNS, end * COLUMNS, COLUMNS):
            step, epoch, split, *rest = self._values[start : start + COLUMNS]
            rows.append(Metrics(int(step), epoch, SPLITS[int(split)], *rest))
        return rows, end


class SnapshotStore:
    """The kept snapshots, and the newest.

    The weights of kept snapshots stay in memory up to a budget; the oldest beyond it are written to a private
    temporary folder (removed with the store) and read back when asked for.

    Parameters
    ----------
    taker : SnapshotTaker
        Makes a snapshot again from its weights.
    budget : int
        Bytes of weights in memory.
    """

    def __init__(self, taker: SnapshotTaker, budget: int = MEMORY_BUDGET) -> None:
        self._taker = taker
        self._budget = budget
        self._bytes = 0
        self._epochs: dict[int, float] = {}
        self._in_memory: OrderedDict[int, Snapshot] = OrderedDict()
        self._read_back: OrderedDict[int, Snapshot] = OrderedDict()
        self._folder: Path | None = None
        self.newest: Snapshot | None = None

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending."""
        return sorted(self._epochs)

    def add(self, snapshot: Snapshot, *, keep: bool) -> None:
        """Take a snapshot in as the newest and, if so asked, keep it forever."""
        self.newest = snapshot
        if not keep or snapshot.step in self._epochs:
            return
        self._epochs[snapshot.step] = snapshot.epoch
        self._in_memory[snapshot.step] = snapshot
        self._bytes += _bytes(snapshot)
        while self._bytes > self._budget and len(self._in_memory) > 1:
            step, oldest = next(iter(self._in_memory.items()))
            save_file({name: value.contiguous() for name, value in oldest.weights.items()}, self._path(step))
            del self._in_memory[step]  # only now that it is safe on disk
            self._bytes -= _bytes(oldest)

    def get(self, step: int) -> Snapshot:
        """Return a kept snapshot, or the newest, by its step.

        Raises
        ------
        ValueError
            If there is none of that step.
        """
        if self.newest is not None and step == self.newest.step:
            return self.newest
        if step in self._in_memory:
            return self._in_memory[step]
        if step in self._read_back:
            self._read_back.move_to_end(step)
            return self._read_back[step]
        if step not in self._epochs:
            raise ValueError(f"step={step!r}: no snapshot of that step is kept; take one of run.steps")
        snapshot = self._taker.restore(load_file(self._path(step)), step, self._epochs[step])
        self._read_back[step] = snapshot
        while len(self._read_back) > READ_AHEAD:
            self._read_back.popitem(last=False)
        return snapshot

    def _path(self, step: int) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="vaeviz-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)  # at exit at the latest
        return self._folder / f"{step}.safetensors"


def _bytes(snapshot: Snapshot) -> int:
    return sum(value.nbytes for value in snapshot.weights.values())
