"""A training that goes on in a thread of its own, whoever watches: the one place that knows threads."""

import atexit
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal
from weakref import WeakSet

import numpy as np
from jaxtyping import Float64

from vaeviz.cores import settle_threads
from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.openmp import release_threads
from vaeviz.training.checkpoint import Architecture, Checkpoint
from vaeviz.training.config import TrainConfig
from vaeviz.training.device import check_precision
from vaeviz.training.evaluation import TrainingDivergedError, check_fit
from vaeviz.training.events import Metrics, Progress, Snapshot, Status, kept_steps
from vaeviz.training.fingerprint import Fingerprint, splits_of
from vaeviz.training.folder import RunFolder
from vaeviz.training.history import MetricsLog, SnapshotStore
from vaeviz.training.loop import Trainer
from vaeviz.training.memory import is_out_of_memory
from vaeviz.training.pace import SnapshotBudget, Speed
from vaeviz.training.parallel import ALONE, LostRankError, Ranks
from vaeviz.training.priority import NICENESS, check_niceness, give_way
from vaeviz.training.room import check_step
from vaeviz.training.saved import SavedRun
from vaeviz.training.saver import Saver
from vaeviz.training.snapshots import SnapshotTaker
from vaeviz.training.state import TrainState
from vaeviz.turns import short_turns

SECONDS_TO_END = 4.0
"""What the trainings have, when the process ends, to come to the end of their steps and be saved."""

_started: WeakSet["TrainingRun"] = WeakSet()


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
    folder : path, optional
        Where the run is saved: every `save_every` seconds, when it is stopped, and at its end; see `load_run` and
        `resume_run`. A run that cannot be saved goes on all the same; `save_error` says why. Left out, it is saved
        when `save` is called, and where that says.
    save_every : float
        Seconds from one save to the next.
    live : bool
        Whether to write into the folder, beside the saves, what `follow_run` needs to show the run in another process
        while it trains: each row of metrics, and the snapshots, within their share of the time.
    niceness : int
        How far the training thread gives way to what else wants its cores, from 0 to 19 (Linux; without effect
        elsewhere). It takes all that is left, and a page on the same cores stays quick under the hand.
    ranks : Ranks, optional
        The processes that train together, each with a run of its own (`vaeviz.training.join_ranks`). Rank 0 alone
        writes the folder. A stop on one of them stops all after the same step; if one is lost, rank 0 saves the last
        step that was done as a whole, where it can, and the others fail.
    resume : SavedRun, optional
        Be that run and go on in its folder, with its model and data (`resume_run`).

    Raises
    ------
    ValueError
        If the model, the batch or the device does not fit, or if the folder holds another run; nothing has been
        started then.

    Examples
    --------
    >>> import vaeviz as vz
    >>> data = vz.load_dataset("digits")
    >>> run = vz.TrainingRun(vz.DenseVAE(data.image_shape, hidden_sizes=(64,)), data, vz.TrainConfig(epochs=1))
    >>> run.start()
    >>> run.wait()
    'finished'
    """

    on_start: ClassVar[Callable[["TrainingRun"], None] | None] = None
    """Called by `start` when the training has begun, if set: in a notebook it shows a line that tells how it goes."""

    def __init__(
        self,
        model: VAE,
        dataset: Dataset,
        config: TrainConfig | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        save_every: float = 120.0,
        live: bool = False,
        niceness: int = NICENESS,
        ranks: Ranks = ALONE,
        resume: SavedRun | None = None,
    ) -> None:
        check_niceness(niceness)
        self.id = secrets.token_urlsafe(9)
        self.model = model
        self.dataset = dataset
        self.config = config or TrainConfig()
        self.ranks = ranks
        self.device = ranks.device(self.config.device)
        check_precision(self.config.precision, self.device)
        check_fit(model, dataset, self.config, ranks)
        check_step(model, dataset, self.config.batch_size // ranks.size, self.device)
        self.total_steps = self.config.total_steps(len(dataset.train))
        if resume is not None:
            folder = resume.folder
        self._saver = Saver(_absolute(folder) if folder is not None and ranks.first else None, save_every)
        if resume is None and self.folder is not None and RunFolder(self.folder).holds_run:
            raise ValueError(f"folder={str(folder)!r} holds a run: resume_run carries it on, or choose another folder")
        if live and folder is None:
            raise ValueError("live=True: a run that is followed needs a folder=")
        self._is_live = live and ranks.first
        self._niceness = niceness
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
        self._trainer: Trainer | None = None  # while it runs or is paused
        self._state: TrainState | None = None  # before, if it was resumed, and afterwards, unless it failed
        self._fingerprint: Fingerprint | None = None
        self._orders: list[_Order] = []
        self._saving = threading.Lock()  # one save at a time; taken before `_changed`, never after
        if resume is not None:
            self._take_up(resume)

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
        release_threads()
        with self._changed:
            if self._status != "ready":
                raise RuntimeError(f"this run was started before (it is {self._status}); make a new TrainingRun")
            thread = threading.Thread(target=self._drain, name=f"vaeviz-{self.id}", daemon=True)
            thread.start()  # if there can be no further thread, the run is still ready
            self._thread = thread
            self._set_status("running")
        _started.add(self)
        atexit.unregister(_end)
        atexit.register(_end)  # the last comes first: what else ends then, such as temporary folders, is still needed
        if TrainingRun.on_start is not None:
            TrainingRun.on_start(self)

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

    def _ask_to_stop(self) -> bool:
        """Ask for the end, and do not wait for it; return whether there is one to wait for."""
        with self._changed:
            if self._status not in ("running", "paused"):
                return False
            self._wish = "stop"
            self._changed.notify_all()
            return True

    def wait(self, timeout: float | None = None) -> Status:
        """Wait until the training has ended, or so many seconds; return the status then."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.status

    def save(self, folder: str | os.PathLike[str] | None = None) -> None:
        """Save the run as it is now, and return when that is done; a running one goes on afterwards.

        Parameters
        ----------
        folder : path, optional
            Where to; by default the run's own folder.

        Raises
        ------
        OSError
            If it cannot be written; the save before, if any, is whole.
        ValueError
            If there is no folder, or it holds another run.
        RuntimeError
            If the run has failed: its last save stays as it is.
        """
        if folder is None and self.folder is None:
            raise ValueError("this run has no folder of its own: say which, run.save(folder)")
        target = self.folder if folder is None else _absolute(folder)
        assert target is not None
        while not (self._save_running(target) or self._save_halted(target)):
            pass  # its status changed between the two

    # What readers read

    @property
    def folder(self) -> Path | None:
        """The run's own folder."""
        return self._saver.folder

    @property
    def status(self) -> Status:
        """Where the run stands: ready, running, paused, finished, stopped or failed."""
        return self._status

    @property
    def error(self) -> str | None:
        """Why it failed, in a sentence; None unless it did."""
        error = self._exception
        if error is not None and is_out_of_memory(error):
            return (
                f"out of memory after step {self.step:,}: a batch of {self.config.batch_size:,} examples takes more"
                " than there is; try a smaller batch_size, or a smaller model"
            )
        return None if error is None else f"{type(error).__name__}: {error}"

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
    def save_error(self) -> str | None:
        """Why the last save into the run's own folder was not done, in a sentence; None if it was."""
        return self._saver.error

    @property
    def saved_at_step(self) -> int | None:
        """Step of the last save that was done; None if there is none."""
        return self._saver.step

    @property
    def save_share(self) -> float:
        """Share of the training time that its regular saves took."""
        return self._saver.share

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending: 0, round(2^(k/2)) and the last."""
        with self._changed:
            return self._store.steps

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows of metrics from the cursor on, and the cursor for the next call (begin with 0)."""
        with self._changed:
            return self._log.since(cursor)

    def metrics_table(self, cursor: int, most: int) -> tuple[Float64[np.ndarray, "R 7"], int]:
        """Return at most so many rows from the cursor on as numbers, and the cursor for the next call."""
        with self._changed:
            return self._log.table(cursor, most)

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
        give_way(self._niceness)
        settle_threads()
        try:
            with short_turns():
                ended = self._train()
        except BaseException as error:  # whatever ended it is shown; nobody may wait forever for a thread that is gone
            with self._changed:
                if isinstance(error, TrainingDivergedError):  # weights that are not numbers are of no use to anybody
                    self.model.load_state_dict(self.snapshot().weights)
                self._exception = error
                self._trainer = self._state = None
                self._set_status("failed")
        else:
            with self._changed:
                self._set_status("finished" if ended else "stopped")

    def _train(self) -> bool:
        """Train to the end (True) or until asked to stop (False)."""
        self._budget.begin()
        self._speed.begin(self._progress.examples)
        self._saver.begin()
        self._trainer = Trainer(self.model, self.dataset, self.config, self._state, self.ranks)
        if self._is_live:
            self._begin_live()
        try:
            ended = self._go_on(self._trainer)
        except LostRankError:
            self._progress = self._trainer.progress
            if self.step:  # before the first step there is nothing that was not there
                self._save_regularly(self._trainer.state(), "stopped")
            raise
        with self._changed:
            self._state, self._trainer = self._trainer.state(), None
        self._save_regularly(self._state, "finished" if ended else "stopped")
        self.ranks.end()
        return ended

    def _begin_live(self) -> None:
        # The save tells those who follow which model and which data it is.
        self._save_regularly(self._state or TrainState.untrained(self.model), "running")
        self._saver.go_live(self._log)
        self._saver.snapshot(self.snapshot(), keep=False)
        self._beat()

    def _beat(self) -> None:
        self._saver.beat(self._status, self._progress.step, self._progress.epoch, self.error)

    def _go_on(self, trainer: Trainer) -> bool:
        kept = kept_steps()
        next_kept = next(kept)
        for event in trainer.events(self._take, self._wants, self._ends):
            match event:
                case Metrics():
                    with self._changed:
                        self._log.append(event)
                    self._saver.row(event)
                case Snapshot():
                    while next_kept < event.step:
                        next_kept = next(kept)
                    self._add(event, keep=event.step in (next_kept, self.total_steps))
                case Progress():
                    self._progress = event
                    self._speed.add(event.examples)
                    self._beat()
                    if self._orders:
                        self._fulfil(trainer)
                    if event.step == self.total_steps:
                        break
                    if self._saver.due:
                        self._save_regularly(trainer.state(), "running")
                    if self._wish != "run" and not self._obey():
                        break
        if self.step == self.total_steps:
            return True
        self._add(self.snapshot(), keep=True)
        return False

    def _add(self, snapshot: Snapshot, *, keep: bool) -> None:
        with self._changed:
            try:
                self._store.add(snapshot, keep=keep)
            except OSError as error:  # it stays in memory
                self._saver.error = f"the disk cannot take older snapshots ({error}); they stay in memory"
        self._budget.add(self._saver.snapshot(snapshot, keep=keep))

    def _take(self, model: VAE, step: int, epoch: float) -> Snapshot:
        start = time.perf_counter()
        snapshot = self._taker.take(model, step, epoch)
        self._budget.spend(time.perf_counter() - start)
        return snapshot

    def _wants(self, step: int) -> bool:
        return self._wish == "pause" or (self.ranks.first and self._budget.due())

    def _ends(self) -> bool:
        return self._wish == "stop"

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
            if self._wish == "stop" and self.ranks.size == 1:
                return False
            self._set_status("running")  # several ranks stop when all of them know
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

    # Saving

    def _save_running(self, folder: Path) -> bool:
        """Let the training thread save between two steps; return False if there is none that runs."""
        with self._changed:
            if self._status != "running":
                return False
            order = _Order(folder)
            self._orders.append(order)
            self._changed.wait_for(lambda: order.done or self._status != "running")
            if not order.done:
                self._orders.remove(order)
                return False
        if order.error is not None:
            raise order.error
        return True

    def _save_halted(self, folder: Path) -> bool:
        """Save, in the caller's thread, a run that does not run; return False if it does."""
        with self._saving:
            with self._changed:
                if self._status == "running":
                    return False
                if self._status == "failed":
                    raise RuntimeError(
                        f"this run has failed and cannot be saved; its last save is that of step {self._saver.step}"
                        if self._saver.step is not None
                        else "this run has failed and cannot be saved; there is no save of it"
                    )
                if self._trainer is not None:
                    state = self._trainer.state()
                else:
                    state = self._state or TrainState.untrained(self.model)
                saved = self._checkpoint(state, self._status)
            self._write(folder, saved)
        return True

    def _fulfil(self, trainer: Trainer) -> None:
        """Do the saves that were asked for, in the training thread."""
        with self._changed:
            orders, self._orders = self._orders, []
        for order in orders:
            try:
                with self._saving:
                    self._write(order.folder, self._checkpoint(trainer.state(), "running"))
            except Exception as error:  # it is for the one who asked
                order.error = error
            with self._changed:
                order.done = True
                self._changed.notify_all()

    def _save_regularly(self, state: TrainState, status: Status) -> None:
        """Save into the run's own folder, if it has one; what keeps it from that does not end the training."""

        def save(folder: Path) -> None:
            with self._saving:
                self._write(folder, self._checkpoint(state, status))

        self._saver.regularly(save)

    def _checkpoint(self, state: TrainState, status: Status) -> Checkpoint:
        self._fingerprint = self._fingerprint or Fingerprint.of(self.dataset)
        with self._changed:
            return Checkpoint(
                id=self.id,
                status=status,
                epoch=self._progress.epoch,
                total_steps=self.total_steps,
                architecture=Architecture.of(self.model),
                config=self.config,
                dataset=self._fingerprint,
                splits=splits_of(self.dataset),
                state=state,
                metrics=self._log.values(),
                snapshots=self._store.kept,
            )

    def _write(self, folder: Path, saved: Checkpoint) -> None:
        kept = self._saver.write(folder, saved)
        with self._changed:
            for each in kept:
                self._store.saved(each)

    def _take_up(self, saved: SavedRun) -> None:
        """Be the run that was saved."""
        checkpoint = saved.checkpoint
        self.id = saved.id
        self._state, self._fingerprint = checkpoint.state, checkpoint.dataset
        self._saver.take_up(saved.run_folder, saved.step)
        self._progress = Progress(saved.step, saved.epoch, checkpoint.state.examples)
        self._log = MetricsLog(checkpoint.metrics)
        self._store = SnapshotStore(self._taker)
        for kept in checkpoint.snapshots:
            self._store.saved(kept)
        self._store.add(self._taker.take(self.model, saved.step, saved.epoch), keep=False)

    def _set_status(self, status: Status) -> None:
        self._status = status
        self._beat()
        self._changed.notify_all()


@dataclass(eq=False)
class _Order:
    """A save that somebody waits for."""

    folder: Path
    done: bool = False
    error: Exception | None = None


def _end() -> None:
    """Stop and save what trains when the process ends; a thread that computes then would abort it.

    A step can't be cut short: of a run whose steps take longer than `SECONDS_TO_END`, what was saved before is left.
    """
    deadline = time.monotonic() + SECONDS_TO_END
    asked = [run for run in list(_started) if run._ask_to_stop()]
    for run in asked:
        run.wait(max(0.0, deadline - time.monotonic()))


def _absolute(folder: str | os.PathLike[str]) -> Path:
    return Path(folder).expanduser().absolute()
