"""Tables to take home: the metrics, and chosen examples with what the model makes of them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from vaeviz.export.files import checked_path, written_whole
from vaeviz.export.rows import checked_codes, checked_rows
from vaeviz.latent import decode, per_example_elbo
from vaeviz.training import Metrics, Run, Snapshot

Target = str | os.PathLike[str] | IO[Any]
"""A path, or an open file or buffer."""


def metrics_csv(run: Run, to: Target) -> None:
    """Write all rows of metrics as CSV: step, epoch, split; loss, reconstruction and KL in nats per example; seconds.

    Parameters
    ----------
    run : Run
    to
        A path that ends in .csv, or an open text file or buffer.

    Raises
    ------
    ValueError
        If the path has another suffix.
    FileNotFoundError
        If its folder doesn't exist.
    """
    rows, _ = run.metrics_since(0)
    _write_csv(pd.DataFrame(rows, columns=list(Metrics._fields)), to)


def examples_csv(run: Run, rows: Sequence[int], to: Target, *, step: int | None = None) -> None:
    """Write chosen examples as CSV, one a row: id, label, codes, and what each costs in nats.

    Columns: id, label and class (if the data have them), mu1 … muL and logvar1 … logvarL of the posterior,
    reconstruction (-log p(x | z) at its mean), kl, kl1 … klL of each dimension, and the step of the snapshot.

    Parameters
    ----------
    run : Run
    rows : sequence of int
        Rows of the snapshot's examples, such as a selection.
    to
        A path that ends in .csv, or an open text file or buffer.
    step : int, optional
        One of ``run.steps``; the newest snapshot if left out.

    Raises
    ------
    ValueError
        If there are no rows, one is not a row of the snapshot, there is no such step, or the suffix is another one.
    FileNotFoundError
        If the folder doesn't exist.
    """
    snapshot = run.snapshot(step)
    columns = _columns(run, snapshot, checked_rows(rows, len(snapshot.ids)))
    table: dict[str, Any] = {"id": columns["ids"]}
    if "labels" in columns:
        table |= {"label": columns["labels"], "class": columns["class_names"]}
    for name in ("mu", "logvar"):
        table |= {f"{name}{i + 1}": column for i, column in enumerate(columns[name].T)}
    table |= {"reconstruction": columns["reconstruction_nats"], "kl": columns["kl_nats"].sum(1)}
    table |= {f"kl{i + 1}": column for i, column in enumerate(columns["kl_nats"].T)}
    _write_csv(pd.DataFrame({**table, "step": snapshot.step}), to)


def examples_npz(
    run: Run, rows: Sequence[int], to: Target, *, step: int | None = None, codes: ArrayLike | None = None
) -> None:
    """Write chosen examples, and perhaps codes that no example has, as arrays; `numpy.load` reads them unpickled.

    Arrays: ids (n,), labels (n,) and class_names (n,) (if the data have them), mu and logvar (n, L), images and
    reconstructions (n, C, H, W), reconstruction_nats (n,), kl_nats (n, L), step and epoch; with codes also
    codes (F, L) and decoded (F, C, H, W).

    Parameters
    ----------
    run : Run
    rows : sequence of int
        Rows of the snapshot's examples, such as a selection.
    to
        A path that ends in .npz, or an open binary file or buffer.
    step : int, optional
        One of ``run.steps``; the newest snapshot if left out.
    codes : array (F, L), optional
        Such as the ends of a path.

    Raises
    ------
    ValueError
        If there are no rows, one is not a row of the snapshot, the codes are none of the model, there is no such
        step, or the suffix is another one.
    FileNotFoundError
        If the folder doesn't exist.
    """
    snapshot = run.snapshot(step)
    chosen = checked_rows(rows, len(snapshot.ids))
    arrays = _columns(run, snapshot, chosen) | {
        "images": snapshot.images[chosen].numpy(),
        "reconstructions": decode(snapshot.vae, snapshot.mu[chosen]),
        "step": np.array(snapshot.step),
        "epoch": np.array(snapshot.epoch),
    }
    if codes is not None:
        arrays["codes"] = checked_codes(codes, snapshot.vae.latent_dim, least=1)
        arrays["decoded"] = decode(snapshot.vae, arrays["codes"].astype(np.float32))
    if isinstance(to, str | os.PathLike):
        with written_whole(checked_path(to, (".npz",))) as part, Path(part).open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)
    else:
        np.savez_compressed(to, allow_pickle=False, **arrays)


def _columns(run: Run, snapshot: Snapshot, rows: np.ndarray) -> dict[str, np.ndarray]:
    ids = snapshot.ids[rows]
    cost = per_example_elbo(snapshot.vae, snapshot.images[rows])
    columns = {
        "ids": ids,
        "mu": snapshot.mu[rows],
        "logvar": snapshot.logvar[rows],
        "reconstruction_nats": cost.reconstruction,
        "kl_nats": cost.kl,
    }
    if run.dataset.labels is not None:
        columns["labels"] = run.dataset.labels.numpy()[ids]
        columns["class_names"] = np.array(run.dataset.class_names)[columns["labels"]]
    return columns


def _write_csv(table: pd.DataFrame, to: Target) -> None:
    if isinstance(to, str | os.PathLike):
        with written_whole(checked_path(to, (".csv",))) as part:
            table.to_csv(part, index=False, lineterminator="\n")
    else:
        table.to_csv(to, index=False, lineterminator="\n")
