"""A saved run is carried on."""

import os
from dataclasses import replace

from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.training.parallel import ALONE, Ranks
from vaeviz.training.priority import NICENESS
from vaeviz.training.run import TrainingRun
from vaeviz.training.saved import load_run


def resume_run(
    folder: str | os.PathLike[str],
    dataset: Dataset | None = None,
    model: VAE | None = None,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    device: str | None = None,
    save_every: float = 120.0,
    live: bool = False,
    niceness: int = NICENESS,
    ranks: Ranks = ALONE,
) -> TrainingRun:
    """Make a run that `start` carries on from its last save to its end, saving into the same folder.

    On the CPU it ends equal to the bit to one that was never interrupted; so it does on another device as far as that
    computes alike each time. Modules that draw from torch's global generator (such as ``nn.Dropout``; use
    `vaeviz.models.Dropout`) go on with other numbers.

    Parameters
    ----------
    folder, dataset, model
        As for `load_run`.
    epochs, steps : int, optional
        Go on to another end than the configured one; only with a constant learning rate.
    device : str, optional
        Go on there; by default as configured. Another kind of device goes on with other random numbers.
    save_every : float
        Seconds from one save to the next.
    live, niceness, ranks
        As for `TrainingRun`; each rank reads the folder.

    Raises
    ------
    FileNotFoundError
        If there is no saved run.
    ValueError
        As for `load_run`; and if the run has come to its end, or has no such device.
    """
    saved = load_run(folder, dataset, model)
    changes: dict[str, object] = {} if device is None else {"device": device}
    if epochs is not None or steps is not None:
        if saved.config.schedule != "constant":
            raise ValueError(
                f"epochs={epochs}, steps={steps}: the {saved.config.schedule} schedule of {saved.folder} is made for"
                " its own end; leave both out"
            )
        changes |= {"epochs": saved.config.epochs if epochs is None else epochs, "steps": steps}
    config = replace(saved.config, **changes)  # type: ignore[arg-type]  # it checks them itself
    total = config.total_steps(len(saved.dataset.train))
    if saved.step >= total:
        raise ValueError(f"{saved.folder} has ended, at step {saved.step:,} of {total:,}: go on with more epochs=")
    return TrainingRun(
        saved.model, saved.dataset, config,
        save_every=save_every, live=live, niceness=niceness, ranks=ranks, resume=saved,
    )  # fmt: skip
