"""What the views read of a run, whoever trains it."""

from typing import Protocol, runtime_checkable

from vaeviz.data import Dataset
from vaeviz.training.events import Metrics, Snapshot, Status


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
