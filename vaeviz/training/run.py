"""A training that goes on in a thread of its own, whoever watches: the one place that knows threads."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.training.config import TrainConfig
from vaeviz.training.device import resolve_device
from vaeviz.training.evaluation import check_fit
from vaeviz.training.events import Metrics, Progress, Snapshot, kept_steps
from vaeviz.training.history import MetricsLog, SnapshotStore
from vaeviz.training.loop import train
from vaeviz.training.pace import SnapshotBudget, Speed
from vaeviz.training.snapshots import SnapshotTaker

Status = Literal["ready", "running", "paused", "finished", "stopped", "failed"]


@runtime_checkable
class Run(Protocol):
    """What the views read: a training of ours, a loop of somebody else's, a saved run."""

    @property
    def dataset(self) -> Dataset:
        """The data."""

    @property
    def status(self) -> Status:
        """Where the run stands."""

    @property
    def error(self) -> str | None:
        """Why it failed, in a sentence."""

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending."""

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows from the cursor on, and the cursor for the next call."""

    def snapshot(self, step: int | None = None) -> Snapshot:
        """Return the newest snapshot, or that of a kept step."""


class TrainingRun:
    """A VAE in training, in a daemon thread.

    It belongs to the process: it goes on, at the same speed, whether anybody watches or not. Readers pull
    (`metrics_since`, `snapshot`), from any thread; nothing is pushed to them.

    Parameters
    ----------
    model : VAE
        Trained in place.
    dataset : Dataset
    config : TrainConfig, optional

    Raises
    ------
    ValueError
        If the model, the batch or the device does not fit; nothing has been started then.

    Examples
    --------
    >>> import vaeviz as vz
    >>> data = vz.load_dataset("digits")
    >>> run = vz.TrainingRun(vz.DenseVAE(data.image_shape, hidden_sizes=(64,)), data, vz.TrainConfig(epochs=1))
    >>> run.start()
    >>> run.wait()
    'finished'
    """

    def __init__(self, model: VAE, dataset: Dataset, config: TrainConfig | None = None) -> None:
        self.id = secrets.token_urlsafe(9)
        self.model = model
        self.dataset = dataset
        self.config = config or TrainConfig()
        self.device = resolve_device(self.config.device)
        check_fit(model, dataset, self.config)
        self.total_steps = self.config.total_steps(len(dataset.train))
        self._taker = SnapshotTaker(model, dataset, self.config)
        self._changed = threading.Condition()  # guards all below; notified when the status changes
        self._status: Status = "ready"
        self._wish: Literal["run", "pause", "stop"] = "run"
        self._exception: BaseException | None = None
        self._progress = Progress(0, 0.0, 0)
        self._log = MetricsLog()
        self._store = SnapshotStore(self._taker)
        self._store.add(self._taker.take(model, 0, 0.0), keep=True)
        self._speed = Speed()
        self._budget = SnapshotBudget()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return (
            f"TrainingRun({self.model.describe()} on {self.dataset.name}: {self.status},"
            f" step {self.step:,} of {self.total_steps:,})"
        )

    # What a person does

    def start(self) -> None:
        """Begin to train, in the background.

        Raises
        ------
        RuntimeError
            If it was started before.
        """
        with self._changed:
            if self._status != "ready":
                raise RuntimeError(f"this run was started before (it is {self._status}); make a new TrainingRun")
            thread = threading.Thread(target=self._drain, name=f"vaeviz-{self.id}", daemon=True)
            thread.start()  # if there can be no further thread, the run is still ready
            self._thread = thread
            self._set_status("running")

    def pause(self) -> None:
        """Halt after the current step; return when it has halted. Without effect unless running."""
        self._ask("pause", done=lambda: self._status != "running", when=("running",))

    def resume(self) -> None:
        """Go on from the step of the pause. Without effect unless paused."""
        self._ask("run", done=lambda: self._status != "paused", when=("paused",))

    def stop(self) -> None:
        """End the training after the current step; return when it has ended. Without effect once it has."""
        with self._changed:
            if self._status == "ready":
                self._set_status("stopped")
        self._ask("stop", done=lambda: self._status not in ("running", "paused"), when=("running", "paused"))
        self.wait()

    def wait(self, timeout: float | None = None) -> Status:
        """Wait until the training has ended, or so many seconds; return the status then."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.status

    # What readers read

    @property
    def status(self) -> Status:
        """Where the run stands: ready, running, paused, finished, stopped or failed."""
        return self._status

    @property
    def error(self) -> str | None:
        """Why it failed, in a sentence; None unless it did."""
        return None if self._exception is None else f"{type(self._exception).__name__}: {self._exception}"

    @property
    def exception(self) -> BaseException | None:
        """The exception that ended it, with its traceback."""
        return self._exception

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self._progress.step

    @property
    def epoch(self) -> float:
        """Passes over the training split done."""
        return self._progress.epoch

    @property
    def examples_per_second(self) -> float:
        """Training speed over the last seconds; 0 unless running."""
        return self._speed.value if self._status == "running" else 0.0

    @property
    def snapshot_share(self) -> float:
        """Share of the training time that its snapshots took."""
        return self._budget.share

    @property
    def snapshot_interval(self) -> float:
        """Seconds between two live snapshots at present."""
        return self._budget.interval

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending: 0, round(2^(k/2)) and the last."""
        with self._changed:
            return self._store.steps

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows of metrics from the cursor on, and the cursor for the next call (begin with 0)."""
        with self._changed:
            return self._log.since(cursor)

    def snapshot(self, step: int | None = None) -> Snapshot:
        """Return the newest snapshot, or that of a kept step.

        Raises
        ------
        ValueError
            If the step is not one of `steps`.
        """
        with self._changed:
            newest = self._store.newest
            assert newest is not None
            return newest if step is None else self._store.get(step)

    # The thread

    def _drain(self) -> None:
        try:
            ended = self._train()
        except BaseException as error:  # whatever ended it is shown; nobody may wait forever for a thread that is gone
            with self._changed:
                self._exception = error
                self._set_status("failed")
        else:
            with self._changed:
                self._set_status("finished" if ended else "stopped")

    def _train(self) -> bool:
        """Train to the end (True) or until asked to stop (False)."""
        kept = kept_steps()
        next_kept = next(kept)
        self._budget.begin()
        self._speed.begin()
        for event in train(self.model, self.dataset, self.config, take=self._take, wants_snapshot=self._wants):
            match event:
                case Metrics():
                    with self._changed:
                        self._log.append(event)
                case Snapshot():
                    while next_kept < event.step:
                        next_kept = next(kept)
                    with self._changed:
                        self._store.add(event, keep=event.step in (next_kept, self.total_steps))
                case Progress():
                    self._progress = event
                    self._speed.add(event.examples)
                    if event.step < self.total_steps and self._wish != "run" and not self._obey():
                        return False
        return True

    def _take(self, model: VAE, step: int, epoch: float) -> Snapshot:
        start = time.perf_counter()
        snapshot = self._taker.take(model, step, epoch)
        self._budget.spend(time.perf_counter() - start)
        return snapshot

    def _wants(self, step: int) -> bool:
        return self._wish != "run" or self._budget.due()

    def _obey(self) -> bool:
        """Halt while a pause is wished for; return whether to go on."""
        with self._changed:
            newest = self._store.newest
            if newest is None or newest.step != self.step:
                return True  # the wish came after this step's chance of a snapshot: one step more, then halt
            if self._wish == "pause":
                self._set_status("paused")
                halted = time.perf_counter()
                self._changed.wait_for(lambda: self._wish != "pause")
                self._budget.skip(time.perf_counter() - halted)
                self._speed.begin(self._progress.examples)
            if self._wish == "stop":
                self._store.add(newest, keep=True)
                return False
            self._set_status("running")
            return True

    def _ask(
        self, wish: Literal["run", "pause", "stop"], *, done: Callable[[], bool], when: tuple[Status, ...]
    ) -> None:
        with self._changed:
            if self._status not in when or self._wish == "stop":
                return
            self._wish = wish
            self._changed.notify_all()
            self._changed.wait_for(lambda: done() or self._wish != wish)

    def _set_status(self, status: Status) -> None:
        self._status = status
        self._changed.notify_all()
