"""The runs of this process: they belong to it and not to a browser tab, so that a reload finds them again."""

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import torch

from vaeviz.data import DATASET_NAMES, Dataset, load_dataset
from vaeviz.environment import whole_number
from vaeviz.models import ConvVAE, DenseVAE
from vaeviz.training import Run, TrainConfig, TrainingRun, load_pretrained, load_run, resume_run
from vaeviz.training.fingerprint import MissingDatasetError, OtherDatasetError
from vaeviz.training.folder import RunFolder
from vaeviz.training.pretrained import PRETRAINED_NAMES
from vaeviz.views.folders import find_saved, new_folder, runs_dir

MOST_ENDED = 8
"""Runs that have ended, or never began, that are kept for those who come back to their address."""

MOST_SAVED = 2
"""Of these, those whose end is saved among the app's runs: others are read again when somebody comes back to them. Each
that is kept holds up to some 90 MB: its timeline, and what it needs to be resumed."""

EPOCHS = 100
"""Of a new run, unless the drawer says otherwise."""

MOST_TRAININGS = 4
"""Trainings that may go on at once in this process, unless ``VAEVIZ_MAX_TRAININGS`` says otherwise."""

AnyRun = TypeVar("AnyRun", bound=Run)

_runs: OrderedDict[str, Run] = OrderedDict()
_datasets: dict[str, Dataset] = {}


def register_run(run: Run) -> Run:
    """Let a run be found by its id, as long as it trains and is among the last few.

    One that trains is not replaced by what was saved of it.
    """
    if not is_training(run.id):
        _runs[run.id] = run
        _runs.move_to_end(run.id)
    resting = [run_id for run_id in _runs if not is_training(run_id)]
    saved = [run_id for run_id in resting if _is_found_again(_runs[run_id])]
    for run_id in {*resting[:-MOST_ENDED], *saved[:-MOST_SAVED]}:
        del _runs[run_id]
    return run


def _is_found_again(run: Run) -> bool:
    """Whether a run that has ended could be read again as it is, by its id."""
    folder = getattr(run, "folder", None)
    if folder is None or folder.parent != runs_dir() or run.dataset.source is None or not RunFolder(folder).holds_run:
        return False
    return not isinstance(run, TrainingRun) or (run.status != "failed" and run.saved_at_step == run.step)


def find_run(run_id: str) -> Run | None:
    """Return the run of that id, or None if it is not known (any more)."""
    run = _runs.get(run_id)
    if run is not None:
        _runs.move_to_end(run_id)
    return run


def is_training(run_id: str | None) -> bool:
    """Whether the run of that id trains in this process, or is paused."""
    return run_id in _runs and _runs[run_id].status in ("running", "paused")


def most_trainings() -> int:
    """Return how many trainings may go on at once.

    Raises
    ------
    ValueError
        If ``VAEVIZ_MAX_TRAININGS`` is no whole number of at least 1.
    """
    return whole_number("VAEVIZ_MAX_TRAININGS", MOST_TRAININGS)


def check_room(besides: Run | None = None) -> None:
    """Refuse one more training when as many go on as may; paused ones count, for they hold their memory.

    Parameters
    ----------
    besides : Run, optional
        A run that will be stopped for it, and so does not count.

    Raises
    ------
    ValueError
    """
    others = [run for run in list(_runs.values()) if run is not besides and is_training(run.id)]
    if len(others) >= most_trainings():
        raise ValueError(
            f"{len(others)} trainings go on here already, of at most {most_trainings()}: stop one of them, or wait for"
            " its end (VAEVIZ_MAX_TRAININGS sets the limit)"
        )


def begin(run: TrainingRun) -> None:
    """Start a run, if there is room for one more training.

    Raises
    ------
    ValueError
        If there is none; the run is still ready then.
    """
    check_room()
    run.start()


def folders_in_use() -> set[Path]:
    """Return the folders of all runs of this process."""
    return {run.folder for run in list(_runs.values()) if getattr(run, "folder", None) is not None}


# Runs that are made, and runs that were saved


def load_once(source: str) -> Dataset:
    """Load a dataset, the published ones once for all sessions."""
    if source not in DATASET_NAMES:
        return load_dataset(source)
    if source not in _datasets:
        _datasets[source] = load_dataset(source)
    return _datasets[source]


def new_run(
    kind: type[DenseVAE] | type[ConvVAE], options: Mapping[str, Any], dataset: Dataset, config: TrainConfig
) -> TrainingRun:
    """Return a run that will be saved, every two minutes and at its end, in a folder of the app's.

    The seed fixes the first weights too, so that the same fields give the same training.

    Raises
    ------
    ValueError
        As the model and `TrainingRun` do.
    """
    model = kind(dataset.image_shape, **options, generator=torch.Generator().manual_seed(config.seed))
    return TrainingRun(model, dataset, config, folder=new_folder(dataset.name, model.describe()))


def default_run() -> TrainingRun:
    """Return a run of the default model on the default data, ready to start."""
    return new_run(DenseVAE, {}, load_once(DATASET_NAMES[0]), TrainConfig(epochs=EPOCHS))


def open_pretrained(name: str) -> Run:
    """Return a model that comes with the package, loaded once for all sessions.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_pretrained` does.
    """
    return find_run(name) or register_run(_embedded(load_pretrained(name, load_once(DATASET_NAMES[0]))))


def open_folder(folder: str | os.PathLike[str], at_hand: Sequence[Dataset] = ()) -> Run:
    """Return the run of a folder: the one that trains there, or what it has saved.

    Parameters
    ----------
    folder
        Where it was saved.
    at_hand : sequence of Dataset
        Data that are looked at if its own can't be loaded again: what was uploaded is nowhere else.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_run` does; if its data are missing, in words for the person.
    """
    there = Path(folder).expanduser().absolute()
    for run in list(_runs.values()):
        if getattr(run, "folder", None) == there and is_training(run.id):
            return run
    return _embedded(_with_its_data(load_run, there, at_hand))


def resume_folder(folder: str | os.PathLike[str], present: Run, at_hand: Sequence[Dataset] = ()) -> TrainingRun:
    """Return a run that goes on from what a folder has saved.

    Parameters
    ----------
    folder, at_hand
        As for `open_folder`.
    present : Run
        The run that it will replace.

    Raises
    ------
    FileNotFoundError, ValueError
        As `resume_run` does; if its data are missing, in words for the person; and if that run trains already, and is
        not the present one.
    """
    run = _with_its_data(resume_run, Path(folder), at_hand)
    if is_training(run.id) and _runs[run.id] is not present:
        raise ValueError(f"The run of {run.folder} trains at this moment: stop it before it is resumed from a save")
    return _embedded(run)


def restore_run(run_id: str) -> Run | None:
    """Return the run of that id, from this process or from the app's folders; None if it is in neither.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_run` does.
    """
    if run_id in PRETRAINED_NAMES:
        return open_pretrained(run_id)
    known = find_run(run_id)
    if known is not None:
        return known
    folder = find_saved(run_id)
    return None if folder is None else register_run(_with_its_data(load_run, folder))


def is_resumable(run: Run) -> bool:
    """Whether a run that has ended can go on from its last save."""
    if getattr(run, "folder", None) is None or run.status not in ("stopped", "failed"):
        return False
    saved_at = run.saved_at_step if isinstance(run, TrainingRun) else run.step
    return saved_at is not None and saved_at < run.total_steps


def _with_its_data(
    read: Callable[[Path, Dataset | None], AnyRun], folder: Path, at_hand: Sequence[Dataset] = ()
) -> AnyRun:
    """Read a saved run, with that one of the datasets at hand that is its own if it can't load them again."""
    try:
        return read(folder, None)
    except MissingDatasetError as error:
        for dataset in at_hand:
            with suppress(OtherDatasetError):
                return read(folder, dataset)
        raise ValueError(
            f"{folder} was trained on {error.name!r}, which {error.reason}: drop that file into the drawer, under Data,"
            " and then open the run"
        ) from error


def _embedded(run: AnyRun) -> AnyRun:
    """Embed the examples of the newest snapshot here, in the caller's thread."""
    _ = run.snapshot().embedding
    return run
