"""What a run writes beside its saves, so that another process can follow it while it trains."""

import json
import os
import socket
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load, save

from vaeviz.training.events import Metrics, Snapshot, Status
from vaeviz.training.files import SUFFIX, UNFINISHED, apart
from vaeviz.training.history import COLUMNS, MetricsLog, numbers_of, row_of

LIVE = "live"
METRICS = "metrics.f64"
NEWEST = f"newest{SUFFIX}"
PULSE = "pulse.json"
KEPT = "kept-"
BEAT = 1.0
"""Seconds between two signs of life, at least."""


class LiveFolder:
    """Writes what `follow_run` reads: the metrics as they come, the newest snapshot, and signs of life.

    Nothing here waits for the disk, and nothing is needed to resume: a run is resumed from its saves. Where it can't be
    written, it says so once in `error`, and writes no more.

    Parameters
    ----------
    folder : Path
        Of the run.
    log : MetricsLog
        The rows so far.
    """

    def __init__(self, folder: Path, log: MetricsLog) -> None:
        self.error: str | None = None
        self._path = folder / LIVE
        self._beat_at = float("-inf")
        self._metrics: FileIO | None = None
        self._do(lambda: self._begin(log))

    def row(self, row: Metrics) -> None:
        """Append a row of metrics, in one piece."""
        metrics = self._metrics
        if metrics is not None:
            self._do(lambda: metrics.write(np.array(numbers_of(row), dtype=np.float64).tobytes()))

    def snapshot(self, snapshot: Snapshot, *, keep: bool) -> None:
        """Write the newest snapshot; one that is kept also for itself, until a save holds it."""
        self._do(lambda: self._write_snapshot(snapshot, keep=keep))

    def beat(self, status: Status, step: int, epoch: float, error: str | None = None) -> None:
        """Give a sign of life; while it runs, no more often than each second."""
        now = time.monotonic()
        if status == "running" and now - self._beat_at < BEAT:
            return
        self._beat_at = now
        told = {"status": status, "step": step, "epoch": epoch, "error": error, "pid": os.getpid(), "host": _host()}
        self._do(lambda: _replace(self._path / PULSE, json.dumps(told).encode()))

    def saved(self) -> None:
        """Take note that a save now holds all kept snapshots."""
        self._do(self._forget_kept)

    def close(self) -> None:
        """Write no more."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    def _do(self, work: Callable[[], object]) -> None:
        if self.error is None:
            try:
                work()
            except OSError as error:
                self.error = f"{self._path} can't be written ({error}), so that nobody can follow this run live"
                self.close()

    def _begin(self, log: MetricsLog) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        self._forget_kept()
        _replace(self._path / METRICS, log.values().tobytes())
        self._metrics = FileIO(self._path / METRICS, "ab")

    def _write_snapshot(self, snapshot: Snapshot, *, keep: bool) -> None:
        body = save(apart(snapshot.weights), metadata={"step": str(snapshot.step), "epoch": repr(snapshot.epoch)})
        if keep:
            _replace(self._path / f"{KEPT}{snapshot.step}{SUFFIX}", body)
        _replace(self._path / NEWEST, body)

    def _forget_kept(self) -> None:
        for path in self._path.glob(f"{KEPT}*"):
            path.unlink(missing_ok=True)


class Pulse:
    """The last sign of life in a run's folder.

    Parameters
    ----------
    folder : Path
        Of the run.
    """

    SILENCE = 60.0
    """Seconds without a sign of life after which a run on another machine is taken for dead."""

    def __init__(self, folder: Path) -> None:
        path = folder / LIVE / PULSE
        try:
            told: Any = json.loads(path.read_bytes())
            self._age = time.time() - path.stat().st_mtime
        except (OSError, ValueError):
            told, self._age = {}, float("inf")
        told = told if isinstance(told, dict) else {}
        self.status: Status = told.get("status", "stopped")
        self.error: str | None = told.get("error")
        self.step = int(told.get("step", 0))
        self.epoch = float(told.get("epoch", 0.0))
        self._pid, self._host = told.get("pid"), told.get("host")

    @property
    def beats(self) -> bool:
        """Whether somebody still trains there."""
        if self.status not in ("running", "paused"):
            return False
        if self._host == _host() and isinstance(self._pid, int):
            return _is_alive(self._pid)
        return self._age < self.SILENCE


def read_rows(path: Path, skip: int) -> list[Metrics]:
    """Return the whole rows of a metrics file after the first so many."""
    width = COLUMNS * 8
    with path.open("rb") as stream:
        stream.seek(skip * width)
        body = stream.read()
    values = np.frombuffer(body[: len(body) // width * width]).reshape(-1, COLUMNS)
    return [row_of(row) for row in values.tolist()]


def read_snapshot(path: Path) -> tuple[dict[str, Any], int, float]:
    """Return weights, step and epoch of a snapshot that was written live.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is damaged.
    """
    body = path.read_bytes()
    try:
        size = int.from_bytes(body[:8], "little")
        told = json.loads(body[8 : 8 + size])["__metadata__"]
        return load(body), int(told["step"]), float(told["epoch"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None


def kept_steps_in(folder: Path) -> dict[int, Path]:
    """Return the snapshots that are kept there and not yet in a save, by step."""
    found = {}
    for path in (folder / LIVE).glob(f"{KEPT}*{SUFFIX}"):
        step = path.name.removeprefix(KEPT).removesuffix(SUFFIX)
        if step.isascii() and step.isdigit():
            found[int(step)] = path
    return found


def _replace(path: Path, body: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, whole."""
    unfinished = path.with_name(path.name + UNFINISHED)
    unfinished.write_bytes(body)
    os.replace(unfinished, path)


def _host() -> str:
    return socket.gethostname()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # there is one, of another user
        pass
    return True
