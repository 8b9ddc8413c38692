"""A run whose loop is somebody else's: they log, and every view can look at it."""

import secrets
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, get_args

import numpy as np
from jaxtyping import Float64

from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.monitor.means import Means, Value
from vaeviz.training import Metrics, MetricsLog, Snapshot, SnapshotStore, SnapshotTaker, Split, Status, TrainConfig
from vaeviz.training.events import kept_steps
from vaeviz.training.pace import SnapshotBudget, Speed

if TYPE_CHECKING:
    from vaeviz.monitor.server import Server

INTEREST = 3.0
"""Seconds after the newest snapshot was asked for during which live ones are taken beside the kept ones: nobody pays
for what nobody looks at."""

REST = 60.0
"""Seconds without a call of `log` after which its speed is no longer told."""


class MonitorWarning(UserWarning):
    """Something of the watched training can't be shown; the training itself is not touched."""


class Monitor:
    """What `watch` gives: a `Run` for every view, fed by `log`.

    Nothing that goes wrong here is raised into the loop that logs: it is shown in the explorer, is `error` here, and is
    warned of once as a `MonitorWarning`.

    Parameters
    ----------
    model : VAE
        Over the very modules that the loop trains.
    dataset : Dataset
        Its examples are embedded.
    log_every : int
        So many logged training batches make one row of the metrics.
    embedded : int
        At most so many examples are embedded.
    notes : sequence of str
        What the person should know from the beginning.
    """

    def __init__(
        self, model: VAE, dataset: Dataset, *, log_every: int = 10, embedded: int = 5000, notes: Sequence[str] = ()
    ) -> None:
        self.config = TrainConfig(log_every=log_every, embedded=embedded)
        self.id = secrets.token_urlsafe(9)
        self.model = model
        self.dataset = dataset
        self._lock = threading.Lock()  # guards all below against the readers
        self._taker = SnapshotTaker(model, dataset, self.config)
        self._log = MetricsLog()
        self._store = SnapshotStore(self._taker)
        self._store.add(self._taker.take(model, 0, 0.0), keep=True)
        self._means: dict[Split, Means] = {split: Means() for split in get_args(Split)}
        self._kept = kept_steps()
        self._next_kept = next(self._kept)
        self._budget = SnapshotBudget()
        self._speed = Speed()
        self._status: Status = "ready"
        self._error: str | None = None
        self._told: set[str] = set()
        self._server: Server | None = None
        self._start = self._logged_at = time.perf_counter()
        self._asked_at = float("-inf")
        self._calls = self._examples = 0
        self._says_examples = False
        self.step = 0
        self.epoch = 0.0
        for note in notes:
            self._tell(note)

    def __repr__(self) -> str:
        return f"Monitor({self.model.describe()} on {self.dataset.name}: {self._status}, step {self.step:,})"

    # What the loop does

    def log(
        self,
        step: int,
        *,
        reconstruction: Value | None = None,
        kl: Value | None = None,
        loss: Value | None = None,
        split: Split = "train",
        epoch: float | None = None,
    ) -> None:
        """Tell of one batch; when one is due, a snapshot of the model is taken.

        Never raises. A tensor on a GPU is not waited for until a row is due, once in `log_every` training batches.

        Parameters
        ----------
        step : int
            Optimizer steps done; not below that of the call before.
        reconstruction, kl : float or Tensor
            -log p(x | z) and KL(q(z | x) || N(0, I)) in nats per example: the mean over the batch, or (B,), or for the
            KL (B, L). They may be left out where `loss` is given.
        loss : float or Tensor, optional
            What is minimised, in nats per example; by default the sum of both.
        split : str
            "train", "validation" or "test". Batches of the latter two at one step become one row.
        epoch : float, optional
            Passes over the training data done. Left out, it is counted where tensors of (B,) tell the batch's size.
        """
        try:
            self._take_note(step, loss, reconstruction, kl, split, epoch)
        except Exception as error:  # the loop is somebody else's: it is never broken from here
            self._tell(f"log(step={step!r}, split={split!r}): {error}", kind=f"{type(error).__name__} {split}")

    def finish(self, error: BaseException | str | None = None) -> None:
        """Tell that the training has ended, or why it failed; the last weights stay explorable."""
        if self._status in ("finished", "failed"):
            return
        for split in get_args(Split):
            self._write_row(split)
        if self._store.newest is not None and self._store.newest.step != self.step:
            self._take_snapshot(keep=True)
        with self._lock:
            if error is not None:
                self._error = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
            self._status = "finished" if error is None else "failed"

    def serve(self, port: int = 0, *, address: str = "localhost", show: bool = False) -> str:
        """Open the explorer on this run, in a server thread of its own; print and return its address.

        Parameters
        ----------
        port : int
            0 for any that is free.
        address : str
            Who may connect: "localhost" for this machine alone.
        show : bool
            Whether to open a browser there.

        Raises
        ------
        ValueError
            If the port is taken, or can't be had.
        """
        from vaeviz.monitor.server import Server  # only now: watching alone needs no Panel

        if self._server is None:
            self._server = Server(self, port, address)
            print(f"vaeviz: {self._server.address}", flush=True)  # noqa: T201  # it is what is asked for
        if show:
            self._server.show()
        return self._server.address

    def wait(self) -> None:
        """Go on serving until Ctrl-C is pressed: for the end of a script."""
        if self._server is not None:
            with suppress(KeyboardInterrupt):
                self._server.join()

    def close(self) -> None:
        """Tell that the training has ended, and end the server."""
        self.finish()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(error)

    # What readers read

    @property
    def status(self) -> Status:
        """Ready, running from the first call of `log` on, then finished or failed."""
        return self._status

    @property
    def error(self) -> str | None:
        """What went wrong last, in a sentence."""
        return self._error

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending: the first logged at or after each round(2^(k/2))."""
        with self._lock:
            return self._store.steps

    @property
    def steps_per_second(self) -> float:
        """Calls of `log` for training batches, over the last seconds."""
        rests = time.perf_counter() - self._logged_at > REST
        return 0.0 if rests or self._status != "running" else self._speed.value

    @property
    def snapshot_share(self) -> float:
        """Share of the loop's time that snapshots took."""
        return self._budget.share

    @property
    def snapshot_interval(self) -> float:
        """Seconds between two live snapshots at present."""
        return self._budget.interval

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows of metrics from the cursor on, and the cursor for the next call (begin with 0)."""
        with self._lock:
            return self._log.since(cursor)

    def metrics_table(self, cursor: int, most: int) -> tuple[Float64[np.ndarray, "R 7"], int]:
        """Return at most so many rows from the cursor on as numbers, and the cursor for the next call."""
        with self._lock:
            return self._log.table(cursor, most)

    def snapshot(self, step: int | None = None) -> Snapshot:
        """Return the newest snapshot, or that of a kept step.

        While it is asked for again and again, as by a view, live snapshots are taken; else kept ones only.

        Raises
        ------
        ValueError
            If the step is not one of `steps`.
        """
        with self._lock:
            newest = self._store.newest
            assert newest is not None
            if step is None:
                self._asked_at = time.perf_counter()
            return newest if step is None else self._store.get(step)

    # The inner works

    def _take_note(
        self,
        step: int,
        loss: Value | None,
        reconstruction: Value | None,
        kl: Value | None,
        split: Split,
        epoch: float | None,
    ) -> None:
        if self._status in ("finished", "failed"):
            raise ValueError("this monitor has finished: watch the model again")
        if split not in self._means:
            raise ValueError(f"split must be one of {', '.join(get_args(Split))}")
        if isinstance(step, bool) or not hasattr(step, "__index__"):
            raise ValueError("step must be a whole number")
        step = int(step)
        if step < self.step:
            raise ValueError(f"the step goes backwards, from {self.step:,}; what it tells is left out")
        if loss is None and (reconstruction is None or kl is None):
            raise ValueError("give reconstruction= and kl=, or loss=, in nats per example")
        if self._status == "ready":
            self._begin()
        if step != self.step:
            for other in ("validation", "test"):
                self._write_row(other)
        if split != "train":
            self.step = step
            self._set_epoch(epoch)
            self._means[split].add(loss, reconstruction, kl)
            return
        size = self._means["train"].add(loss, reconstruction, kl)
        self.step = step
        self._count(size)
        self._set_epoch(epoch)
        if self._means["train"].batches >= self.config.log_every:
            self._write_row("train")
        self._snapshot_when_due()

    def _begin(self) -> None:
        self._status = "running"
        self._start = time.perf_counter()
        self._budget.begin()
        self._speed.begin()

    def _count(self, size: int) -> None:
        self._calls += 1
        self._logged_at = time.perf_counter()
        self._speed.add(self._calls)
        self._says_examples = size > 0
        self._examples += size

    def _set_epoch(self, epoch: float | None) -> None:
        if epoch is not None:
            self.epoch = float(epoch)
        elif self._says_examples:
            self.epoch = self._examples / len(self.dataset.train)
        elif self._calls:
            self.epoch = float("nan")  # nobody tells

    def _write_row(self, split: Split) -> None:
        if not self._means[split].batches:
            return
        parted = self._means[split].parted
        loss, reconstruction, kl = self._means[split].take()
        terms = (("reconstruction", reconstruction), ("KL", kl), ("loss", loss))
        names = [name for name, value in (terms if parted else terms[2:]) if not np.isfinite(value)]
        if names:
            self._tell(
                f"the {names[0]} is not a finite number around step {self.step:,} ({split}); its row is left out",
                kind=f"NaN {split}",
            )
            return
        seconds = time.perf_counter() - self._start
        with self._lock:
            self._log.append(Metrics(self.step, self.epoch, split, loss, reconstruction, kl, seconds))

    def _snapshot_when_due(self) -> None:
        keep = self.step >= self._next_kept
        looked_at = time.perf_counter() - self._asked_at < INTEREST
        if keep or (looked_at and self._budget.due()):
            while self._next_kept <= self.step:
                self._next_kept = next(self._kept)
            self._take_snapshot(keep=keep)

    def _take_snapshot(self, *, keep: bool) -> None:
        start = time.perf_counter()
        try:
            snapshot = self._taker.take(self.model, self.step, self.epoch)
            with self._lock:
                self._store.add(snapshot, keep=keep)
        except Exception as error:  # a weight that is NaN, a model that has changed, a disk that is full
            self._tell(f"no snapshot at step {self.step:,}: {error}", kind=f"snapshot {type(error).__name__}")
        self._budget.spend(time.perf_counter() - start)

    def _tell(self, words: str, kind: str | None = None) -> None:
        """Show a sentence, and warn of each kind of it once."""
        with self._lock:
            self._error = words
            first = (kind or words) not in self._told
            self._told.add(kind or words)
        if first:
            warnings.warn(f"vaeviz: {words}", MonitorWarning, stacklevel=_levels_to_the_loop())


def _levels_to_the_loop() -> int:
    """Return how many calls up the first line is that is not vaeviz's own, as `warnings.warn` counts them."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("vaeviz."):
        frame, level = frame.f_back, level + 1
    return level
