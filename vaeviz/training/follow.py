"""A run that another process trains, followed live in the folder that it writes."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.training.checkpoint import Checkpoint
from vaeviz.training.events import Metrics, Snapshot, Status
from vaeviz.training.folder import MANIFEST, RunFolder
from vaeviz.training.history import Kept
from vaeviz.training.live import LIVE, METRICS, NEWEST, Pulse, kept_steps_in, read_rows, read_snapshot
from vaeviz.training.saved import SavedRun, load_run

GLANCE = 0.1
"""Seconds between two looks into the folder, at least."""


class FollowedRun(SavedRun):
    """What `follow_run` gives: a `Run` that moves as the process that trains it writes.

    It looks into the folder when it is asked, and not more often than ten times a second. What was seen stays
    explorable when the folder disappears; `error` says so.
    """

    _keeps_last = False

    def __init__(self, folder: RunFolder, saved: Checkpoint, dataset: Dataset, model: VAE) -> None:
        super().__init__(folder, saved, dataset, model)
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._stamps: dict[str, int] = {}
        self._pulse = Pulse(self.folder)
        self._gone: str | None = None
        self._look()

    def __repr__(self) -> str:
        return f"FollowedRun({self.folder}: {self.status}, step {self.step:,} of {self.total_steps:,})"

    @property
    def status(self) -> Status:
        """As the process says; stopped if it gives no sign of life any more."""
        self._look()
        if self._gone is not None:
            return "stopped"
        if self._pulse.beats or self._pulse.status == "failed":
            return self._pulse.status
        return "finished" if self.step >= self.total_steps else "stopped"

    @property
    def error(self) -> str | None:
        """Why it failed, or why it can't be followed any more, in a sentence."""
        self._look()
        return self._gone or self._pulse.error

    @property
    def step(self) -> int:
        """Optimizer steps done, as far as is known."""
        return max(self._pulse.step, self._newest.step)

    @property
    def epoch(self) -> float:
        """Passes over the training split done."""
        return self._pulse.epoch if self._pulse.step >= self._newest.step else self._newest.epoch

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending."""
        self._look()
        with self._lock:
            return self._store.steps

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows of metrics from the cursor on, and the cursor for the next call (begin with 0)."""
        self._look()
        with self._lock:
            return self._log.since(cursor)

    def metrics_table(self, cursor: int, most: int) -> tuple[Float64[np.ndarray, "R 7"], int]:
        """Return at most so many rows from the cursor on as numbers, and the cursor for the next call."""
        self._look()
        with self._lock:
            return self._log.table(cursor, most)

    def snapshot(self, step: int | None = None) -> Snapshot:
        """Return the newest snapshot that was written, or that of a kept step.

        Raises
        ------
        ValueError
            If the step is not one of `steps`, or its file can't be read.
        """
        self._look()
        with self._lock:
            if step is None:
                return self._newest
            try:
                return self._store.get(step)
            except FileNotFoundError:  # a save has just taken it over
                self._read_new()
                return self._store.get(step)

    @property
    def _newest(self) -> Snapshot:
        newest = self._store.newest
        assert newest is not None
        return newest

    # Looking into the folder

    def _look(self) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._looked_at < GLANCE or self._gone is not None:
                return
            self._looked_at = now
            try:
                if not self.folder.is_dir():
                    raise FileNotFoundError(self.folder)
                self._read_new()
            except FileNotFoundError:
                self._gone = f"{self.folder} is no longer there: what was seen of it stays, but nothing new will come"
            except (OSError, ValueError, IndexError, RuntimeError) as error:
                self._gone = f"{self.folder} can't be followed any more: {error}"

    def _read_new(self) -> None:
        live = self.folder / LIVE
        if self._changed(self.folder / MANIFEST):
            for kept in self.run_folder.kept():
                self._store.saved(kept)
        if not live.is_dir():
            return
        self._pulse = Pulse(self.folder)
        if self._changed(live / METRICS):
            for row in read_rows(live / METRICS, len(self._log)):
                self._log.append(row)
        for step, path in kept_steps_in(self.folder).items():
            if step not in self._store.steps:
                _, _, epoch = read_snapshot(path)
                self._store.saved(Kept(step, epoch, _reader(path)))
        if self._changed(live / NEWEST):
            weights, step, epoch = read_snapshot(live / NEWEST)
            if step >= self._newest.step:
                self._store.add(self._taker.restore(weights, step, epoch), keep=False)

    def _changed(self, path: Path) -> bool:
        """Whether a file is another than at the last look; one that is not there has not changed."""
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        stamp = hash((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        changed = self._stamps.get(path.name) != stamp
        self._stamps[path.name] = stamp
        return changed


def follow_run(folder: str | os.PathLike[str], dataset: Dataset | None = None, model: VAE | None = None) -> FollowedRun:
    """Follow a run that is written by another process, or was; as one follows a log.

    Parameters
    ----------
    folder, dataset, model
        As for `load_run`.

    Returns
    -------
    FollowedRun
        A `Run` for every view. A run that writes no live files moves from save to save.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_run` does.
    """
    saved = load_run(folder, dataset, model)
    return FollowedRun(saved.run_folder, saved.checkpoint, saved.dataset, saved.model)


def _reader(path: Path) -> Any:
    return lambda: read_snapshot(path)[0]
