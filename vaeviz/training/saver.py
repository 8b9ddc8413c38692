"""Where a run is written to, and how it went: the saves, and what those read who follow it live."""

import time
from collections.abc import Callable
from pathlib import Path

from vaeviz.training.checkpoint import Checkpoint
from vaeviz.training.events import Metrics, Snapshot, Status
from vaeviz.training.folder import RunFolder
from vaeviz.training.history import Kept, MetricsLog
from vaeviz.training.live import LiveFolder
from vaeviz.training.pace import SaveClock


class Saver:
    """Writes a run into its own folder, regularly and live, and into others where it is told to.

    It knows no thread: who calls it sees to it that one save is written at a time.

    Parameters
    ----------
    folder : Path, optional
        The run's own.
    every : float
        Seconds from one save there to the next.

    Attributes
    ----------
    folder
        The run's own.
    error
        Why the last save into it was not done, or why nobody can follow the run live, in a sentence.
    step
        Of the last save that was done anywhere.
    """

    def __init__(self, folder: Path | None, every: float) -> None:
        self.folder = folder
        self.error: str | None = None
        self.step: int | None = None
        self._clock = SaveClock(every)
        self._folders: dict[Path, RunFolder] = {}
        self._live: LiveFolder | None = None

    def take_up(self, folder: RunFolder, step: int) -> None:
        """Go on with a folder that holds a save of the run, of that step."""
        self._folders[folder.path] = folder
        self.step = step

    # Saves

    def begin(self) -> None:
        """Begin to count the time."""
        self._clock.begin()

    @property
    def share(self) -> float:
        """Share of the time since the beginning that regular saves took."""
        return self._clock.share

    @property
    def due(self) -> bool:
        """Whether the next regular save is due."""
        return self.folder is not None and self._clock.due()

    def regularly(self, save: Callable[[Path], None]) -> None:
        """Save into the run's own folder, if it has one; what keeps it from that is told in `error`."""
        if self.folder is None:
            return
        start = time.perf_counter()
        try:
            save(self.folder)
        except Exception as error:
            self.error = self.error or str(error)
        self._clock.spend(time.perf_counter() - start)

    def write(self, folder: Path, saved: Checkpoint) -> list[Kept]:
        """Save into a folder; return which snapshots can be read from the run's own from now on.

        Raises
        ------
        OSError, ValueError
            As `RunFolder.write` does.
        """
        own = folder == self.folder
        try:
            kept = self._folders.setdefault(folder, RunFolder(folder)).write(saved)
        except Exception as error:
            if own:
                before = "nothing is saved yet" if self.step is None else "the save before is whole"
                self.error = f"step {saved.state.step:,} could not be saved in {folder} ({error}); {before}"
            raise
        self.step = saved.state.step
        if not own:
            return []
        self.error = None
        if self._live is not None:
            self._live.saved()
            self.error = self._live.error
        return kept

    # What is followed live; without effect before `go_live`

    def go_live(self, log: MetricsLog) -> None:
        """Begin to write, beside the saves, what `follow_run` reads."""
        assert self.folder is not None
        self._live = LiveFolder(self.folder, log)

    def beat(self, status: Status, step: int, epoch: float, error: str | None) -> None:
        """Give a sign of life; the last one when the run has ended."""
        if self._live is not None:
            self._live.beat(status, step, epoch, error)
            self.error = self.error or self._live.error
            if status not in ("running", "paused"):
                self._live.close()

    def row(self, row: Metrics) -> None:
        """Write a row of metrics."""
        if self._live is not None:
            self._live.row(row)

    def snapshot(self, snapshot: Snapshot, *, keep: bool) -> float:
        """Write a snapshot; return how many seconds that took."""
        if self._live is None:
            return 0.0
        start = time.perf_counter()
        self._live.snapshot(snapshot, keep=keep)
        return time.perf_counter() - start
