"""Paths between two points of the latent space."""

from typing import Literal

import numpy as np
from jaxtyping import Float

_PARALLEL = 1e-7  # sine of the angle below which two directions span no plane to turn in


def linear_path(a: Float[np.ndarray, " L"], b: Float[np.ndarray, " L"], n: int) -> Float[np.ndarray, "n L"]:
    """Points at equal distances on the straight line from a to b.

    Parameters
    ----------
    a, b : ndarray, shape (L,)
        The ends.
    n : int
        How many points, both ends included; at least 2.

    Returns
    -------
    ndarray, shape (n, L)
        Float64; the first is a and the last is b, exactly.

    Raises
    ------
    ValueError
        If n is below 2, or a and b are not two codes of one length.
    """
    a, b = _checked(a, b, n)
    t = np.linspace(0, 1, n)[:, None]  # (n, 1)
    line: np.ndarray = (1 - t) * a + t * b
    return line


def spherical_path(a: Float[np.ndarray, " L"], b: Float[np.ndarray, " L"], n: int) -> Float[np.ndarray, "n L"]:
    """Points at equal angles on the arc from a to b around the origin, the distance to the origin changing evenly.

    In many dimensions the prior's mass lies near a sphere, and a straight line cuts through the empty inside.
    Where there is no one arc (an end at the origin, or both ends in the same or in opposite directions), it is the
    straight line.

    Parameters
    ----------
    a, b : ndarray, shape (L,)
        The ends.
    n : int
        How many points, both ends included; at least 2.

    Returns
    -------
    ndarray, shape (n, L)
        Float64; the first is a and the last is b, exactly.

    Raises
    ------
    ValueError
        If n is below 2, or a and b are not two codes of one length.

    References
    ----------
    White 2016, "Sampling Generative Networks", section 2.1 (arXiv:1609.04468); Shoemake 1985 for the formula.
    """
    line = linear_path(a, b, n)
    a, b = line[0], line[-1]
    radius_a, radius_b = np.linalg.norm(a), np.linalg.norm(b)
    if radius_a == 0 or radius_b == 0:
        return line
    to_a, to_b = a / radius_a, b / radius_b
    # Kahan's angle: exact also where the arc cosine of the dot product has lost its digits
    angle = 2 * np.arctan2(np.linalg.norm(to_a - to_b), np.linalg.norm(to_a + to_b))
    if np.sin(angle) < _PARALLEL:
        return line
    t = np.linspace(0, 1, n)[:, None]  # (n, 1)
    directions = (np.sin((1 - t) * angle) * to_a + np.sin(t * angle) * to_b) / np.sin(angle)  # (n, L)
    arc: np.ndarray = ((1 - t) * radius_a + t * radius_b) * directions
    arc[0], arc[-1] = a, b  # without the rounding of the way there and back
    return arc


def path(
    a: Float[np.ndarray, " L"], b: Float[np.ndarray, " L"], n: int, kind: Literal["linear", "spherical"] = "linear"
) -> Float[np.ndarray, "n L"]:
    """Path of n points from a to b, of the kind that is named.

    Parameters
    ----------
    a, b : ndarray, shape (L,)
        The ends.
    n : int
        How many points, both ends included; at least 2.
    kind : {"linear", "spherical"}
        See `linear_path` and `spherical_path`.

    Returns
    -------
    ndarray, shape (n, L)
        Float64; the first is a and the last is b, exactly.

    Raises
    ------
    ValueError
        If n is below 2, a and b are not two codes of one length, or there is no such kind.
    """
    if kind == "linear":
        return linear_path(a, b, n)
    if kind == "spherical":
        return spherical_path(a, b, n)
    raise ValueError(f"kind={kind!r}: must be 'linear' or 'spherical'")


def _checked(
    a: Float[np.ndarray, " L"], b: Float[np.ndarray, " L"], n: int
) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    if np.ndim(a) != 1 or np.shape(a) != np.shape(b):
        raise ValueError(f"the ends have shapes {np.shape(a)} and {np.shape(b)}; expected two codes of one length")
    if n < 2:
        raise ValueError(f"n={n}: a path needs at least its 2 ends")
    return np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
