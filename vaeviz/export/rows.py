"""Rows and codes as people give them, checked where they enter."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import ArrayLike


def checked_rows(rows: Sequence[int] | np.ndarray, count: int) -> Int64[np.ndarray, " n"]:
    """Return rows of a snapshot's examples.

    Raises
    ------
    ValueError
        If there are none, or they are not whole numbers from 0 to count - 1.
    """
    chosen = np.asarray(rows)
    if chosen.ndim != 1 or not chosen.size:
        raise ValueError(f"rows of shape {chosen.shape}: must be a list of at least 1 row, such as [0, 1, 2]")
    if not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"rows of type {chosen.dtype}: must be whole numbers, the places of examples in the snapshot")
    outside = chosen[(chosen < 0) | (chosen >= count)]
    if outside.size:
        raise ValueError(f"rows: there is no row {outside[0]}; the snapshot's rows are 0 to {count - 1}")
    return chosen.astype(np.int64)


def checked_codes(codes: ArrayLike, latent_dim: int, *, least: int) -> Float[np.ndarray, "F L"]:
    """Return codes of a model, in double precision.

    Raises
    ------
    ValueError
        If they are not (F, L) with F at least so many, or not all finite.
    """
    checked = np.asarray(codes, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != latent_dim:
        raise ValueError(f"codes have shape {checked.shape}; expected (F, {latent_dim}), a row for each")
    if len(checked) < least:
        raise ValueError(f"codes: {len(checked)} given; at least {least} are needed")
    if not np.isfinite(checked).all():
        raise ValueError(f"codes: row {int(np.argmin(np.isfinite(checked).all(1)))} is not finite; leave it out")
    return checked
