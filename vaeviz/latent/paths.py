"""Paths through the latent space: between two points, through many, along a line drawn by hand, and at random."""

from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.ndimage import convolve1d

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


def polyline(
    points: Float[np.ndarray, "P L"],
    frames_per_leg: int,
    *,
    kind: Literal["linear", "spherical"] = "linear",
    loop: bool = False,
) -> Float[np.ndarray, "F L"]:
    """Morph through an ordered list of codes: paths of equally many steps, joined at the codes.

    Parameters
    ----------
    points : ndarray, shape (P, L)
        The codes to pass, at least 2.
    frames_per_leg : int
        Steps from one code to the next, at least 1.
    kind : {"linear", "spherical"}
        Of every leg; see `linear_path` and `spherical_path`.
    loop : bool
        Whether to return to the first code. The last frame is then the one before it, so that a film of the frames
        plays on without a stop where it begins again.

    Returns
    -------
    ndarray, shape (F, L)
        Float64; frame ``i * frames_per_leg`` is code i, exactly. F is ``P * frames_per_leg`` in a loop, and else
        ``(P - 1) * frames_per_leg + 1``, with the last code as its end.

    Raises
    ------
    ValueError
        If there are fewer than 2 codes or less than 1 step, codes are not finite, or there is no such kind.
    """
    points = _checked_points(points)
    if len(points) < 2:
        raise ValueError(f"{len(points)} points are given: a morph needs at least 2 codes to pass")
    if frames_per_leg < 1:
        raise ValueError(f"frames_per_leg={frames_per_leg}: must be a whole number from 1")
    stops = np.vstack([points, points[:1]]) if loop else points
    legs = [path(a, b, frames_per_leg + 1, kind)[:-1] for a, b in pairwise(stops)]
    return np.vstack(legs if loop else [*legs, points[-1:]])


def resample(points: Float[np.ndarray, "P L"], count: int) -> Float[np.ndarray, "count L"]:
    """Points at equal distances along a line of straight pieces, such as one drawn by hand.

    Parameters
    ----------
    points : ndarray, shape (P, L)
        The corners of the line, at least 1; some may be equal. A line without length is a point, given ``count`` times.
    count : int
        How many points, both ends included; at least 2.

    Returns
    -------
    ndarray, shape (count, L)
        Float64; the first and the last are the line's ends, exactly.

    Raises
    ------
    ValueError
        If there are no points, they are not finite, or count is below 2.
    """
    points = _checked_points(points)
    if not len(points):
        raise ValueError("0 points are given: a line needs at least 1")
    if count < 2:
        raise ValueError(f"count={count}: a line needs at least its 2 ends")
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    corners = points[np.append(True, lengths > 0)]  # without repeated ones
    at = np.append(0.0, np.cumsum(lengths[lengths > 0]))  # how far along the line each corner is
    along = np.linspace(0, at[-1], count)
    line = np.stack([np.interp(along, at, values) for values in corners.T], axis=1)
    line[-1] = points[-1]  # also where the last piece is so short that its length is lost
    return line


def random_walk(latent_dim: int, frames: int, *, seed: int, smoothness: float = 12.0) -> Float[np.ndarray, "frames L"]:
    """Smooth random walk under the prior: each frame alone is a draw from N(0, I), exactly.

    It is white noise under a moving average whose weights are a Gaussian with a sum of squares of 1. So it is a
    stationary Gaussian process without corners: two frames that are k apart are correlated by
    exp(-(k / smoothness)² / 2), and a step has a length of about sqrt(L) / smoothness. Mixing fresh draws by
    cos and sin would keep N(0, I) too, but turns sharply at each draw.

    Parameters
    ----------
    latent_dim : int
        L, at least 1.
    frames : int
        How many, at least 1.
    seed : int
        The same seed gives the same walk.
    smoothness : float
        How many frames stay alike, at least 1.

    Returns
    -------
    ndarray, shape (frames, L)
        Float64.

    Raises
    ------
    ValueError
        If latent_dim or frames is below 1, or smoothness is not a finite number from 1.
    """
    for name, value in (("latent_dim", latent_dim), ("frames", frames)):
        if value < 1:
            raise ValueError(f"{name}={value}: must be a whole number from 1")
    if not 1 <= smoothness < np.inf:
        raise ValueError(f"smoothness={smoothness}: must be a finite number of frames from 1")
    width = smoothness / np.sqrt(2)  # of the weights; their correlation with themselves is as wide as smoothness says
    reach = int(np.ceil(4 * width))
    weights = np.exp(-((np.arange(-reach, reach + 1) / width) ** 2) / 2)
    weights /= np.linalg.norm(weights)
    noise = np.random.default_rng(seed).normal(size=(frames + 2 * reach, latent_dim))
    return np.asarray(convolve1d(noise, weights, axis=0))[reach : reach + frames]  # none reached beyond the noise


def _checked_points(points: Float[np.ndarray, "P L"]) -> Float[np.ndarray, "P L"]:
    if np.ndim(points) != 2:
        raise ValueError(f"points have shape {np.shape(points)}; expected (P, L)")
    if not np.isfinite(points).all():
        raise ValueError("points hold values that are not finite; every code must be made of finite numbers")
    return np.asarray(points, dtype=np.float64)


def _checked(
    a: Float[np.ndarray, " L"], b: Float[np.ndarray, " L"], n: int
) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    if np.ndim(a) != 1 or np.shape(a) != np.shape(b):
        raise ValueError(f"the ends have shapes {np.shape(a)} and {np.shape(b)}; expected two codes of one length")
    if n < 2:
        raise ValueError(f"n={n}: a path needs at least its 2 ends")
    return np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
