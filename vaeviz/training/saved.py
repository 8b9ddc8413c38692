"""A run that was saved, to be looked at as if it were still there."""

import copy
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.models.build import build_on_meta
from vaeviz.training.checkpoint import Architecture, Checkpoint
from vaeviz.training.evaluation import check_fit
from vaeviz.training.events import Metrics, Snapshot, Status
from vaeviz.training.fingerprint import find_dataset
from vaeviz.training.folder import RunFolder, read_folder
from vaeviz.training.history import MetricsLog, SnapshotStore
from vaeviz.training.snapshots import SnapshotTaker
from vaeviz.training.weights import misfit


class SavedRun:
    """What `load_run` gives: a `Run` that stands still.

    Parameters
    ----------
    folder : RunFolder
    saved : Checkpoint
        What is in it.
    dataset : Dataset
    model : VAE
        With the saved weights, on the CPU, in eval mode.
    """

    _keeps_last = True
    """Whether the snapshot of the save itself is among the kept ones."""

    def __init__(self, folder: RunFolder, saved: Checkpoint, dataset: Dataset, model: VAE) -> None:
        self.run_folder = folder
        self.checkpoint = saved
        self.dataset = dataset
        self.model = model
        self.config = saved.config
        self._log = MetricsLog(saved.metrics)
        self._taker = SnapshotTaker(model, dataset, saved.config)
        self._store = SnapshotStore(self._taker)
        for kept in saved.snapshots:
            self._store.saved(kept)
        self._store.add(self._taker.take(model, saved.state.step, saved.epoch), keep=self._keeps_last)

    def __repr__(self) -> str:
        return (
            f"SavedRun({self.model.describe()} on {self.dataset.name}: {self.status},"
            f" step {self.step:,} of {self.total_steps:,})"
        )

    @property
    def id(self) -> str:
        """The run's id, which it keeps when it is resumed."""
        return self.checkpoint.id

    @property
    def folder(self) -> Path:
        """Where it was saved."""
        return self.run_folder.path

    @property
    def status(self) -> Status:
        """Finished if it came to its end, else stopped, by whatever."""
        return "finished" if self.step == self.total_steps else "stopped"

    @property
    def error(self) -> str | None:
        """None: a run that failed is not saved after its failure."""
        return None

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.checkpoint.state.step

    @property
    def epoch(self) -> float:
        """Passes over the training split done."""
        return self.checkpoint.epoch

    @property
    def total_steps(self) -> int:
        """Optimizer steps that were to be done."""
        return self.checkpoint.total_steps

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending; the last is that of the save."""
        return self._store.steps

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows of metrics from the cursor on, and the cursor for the next call (begin with 0)."""
        return self._log.since(cursor)

    def metrics_table(self, cursor: int, most: int) -> tuple[Float64[np.ndarray, "R 7"], int]:
        """Return at most so many rows from the cursor on as numbers, and the cursor for the next call."""
        return self._log.table(cursor, most)

    def snapshot(self, step: int | None = None) -> Snapshot:
        """Return the newest snapshot, or that of a kept step.

        Raises
        ------
        ValueError
            If the step is not one of `steps`, or its file was damaged since the run was loaded.
        """
        newest = self._store.newest
        assert newest is not None
        return newest if step is None else self._store.get(step)


def load_run(folder: str | os.PathLike[str], dataset: Dataset | None = None, model: VAE | None = None) -> SavedRun:
    """Load a run that was saved, to look at it.

    Parameters
    ----------
    folder
        Where it was saved.
    dataset : Dataset, optional
        Its data. Left out, they are loaded again from where `load_dataset` had them from; data that were made from
        arrays must be given.
    model : VAE, optional
        One of the same architecture; the weights go into a copy of it. Left out, a `DenseVAE` or `ConvVAE` is built
        again; a model of your own must be given.

    Raises
    ------
    FileNotFoundError
        If there is no saved run.
    ValueError
        If it is damaged, was changed or is of another version, or if dataset or model are others than its own.
    """
    run_folder, saved = read_folder(Path(folder).expanduser().absolute())
    weights = saved.state.weights
    twin = _architecture(saved.architecture, model, run_folder.path)
    _check_shapes(twin, weights, run_folder.path)
    twin.to_empty(device="cpu")
    twin.load_state_dict(weights)
    for name, parameter in twin.named_parameters():
        parameter.requires_grad_(name not in saved.architecture.frozen)
    data = find_dataset(saved.dataset, saved.splits, dataset, run_folder.path)
    try:
        check_fit(twin, data, saved.config)
    except ValueError as error:
        raise ValueError(f"{run_folder.path} is damaged or was changed: {error}") from None
    return SavedRun(run_folder, saved, data, twin.eval())


def _architecture(architecture: Architecture, model: VAE | None, where: Path) -> VAE:
    if model is not None:
        return copy.deepcopy(model)
    if architecture.kind is None or architecture.config is None:
        raise ValueError(f"{where} holds a model of your own, {architecture.words}: pass one like it as model=")
    try:
        return build_on_meta(architecture.kind, architecture.config)
    except ValueError as error:
        raise ValueError(f"{where} is damaged or was changed: {error}") from None


def _check_shapes(model: VAE, weights: dict[str, Tensor], where: Path) -> None:
    """Refuse a model whose weights are not of the names, shapes and types of those that were saved."""
    words = misfit(weights, model.state_dict())
    if words is not None:
        raise ValueError(
            f"{where} holds weights that do not fit the model: {words}; give the model that was saved, or a copy of the"
            " folder that is whole"
        )
