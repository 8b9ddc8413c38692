"""What each latent dimension does: traversals along it, and how much of the examples it carries."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtr, ndtri


def traversal_ticks(
    n: int, reach: float = 3.0, spacing: Literal["percentile", "linear"] = "percentile"
) -> Float[np.ndarray, " n"]:
    """Codes along one dimension of a traversal, from -reach to reach.

    In equal steps of the percentile u = Φ(z), mapped by Φ⁻¹, the ticks stand as densely as the prior's draws: what is
    seen changing is what the prior makes, and the outermost two ticks alone show its tails (of n = 11 ticks to
    3 standard deviations, nine lie within 1.3). In linear steps all changes along the way are of one size of z.

    Parameters
    ----------
    n : int
        How many, at least 2.
    reach : float
        The outermost codes, in standard deviations of the prior; above 0 and at most 7.
    spacing : {"percentile", "linear"}
        Whether steps are equal in u or in z.

    Returns
    -------
    ndarray, shape (n,)
        z, increasing and symmetric about 0, float64; the ends are -reach and reach, and the middle of an odd number is
        0, exactly.

    Raises
    ------
    ValueError
        If n is below 2, reach is not within (0, 7], or there is no such spacing.
    """
    if n < 2:
        raise ValueError(f"n={n}: a traversal needs at least its 2 ends")
    if not 0 < reach <= 7:
        raise ValueError(f"reach={reach}: must be above 0 and at most 7 standard deviations")
    if spacing not in ("percentile", "linear"):
        raise ValueError(f"spacing={spacing!r}: must be 'percentile' or 'linear'")
    if spacing == "linear":
        ticks = np.linspace(-reach, reach, n)
    else:
        ticks = np.asarray(ndtri(np.linspace(ndtr(-reach), ndtr(reach), n)))
    ticks = (ticks - ticks[::-1]) / 2  # without the rounding of the way there and back
    ticks[[0, -1]] = -reach, reach
    return ticks


def traversal_codes(
    base: Float[np.ndarray, " L"], dims: Int[np.ndarray, " D"], ticks: Float[np.ndarray, " T"]
) -> Float[np.ndarray, "codes L"]:
    """Codes that differ from one code in one dimension: a row of ticks for each dimension.

    Parameters
    ----------
    base : ndarray, shape (L,)
        The code that is varied.
    dims : ndarray of int, shape (D,)
        The dimensions, counted from 0, in the order of the rows.
    ticks : ndarray, shape (T,)
        The values that take the place of the code's own, from left to right.

    Returns
    -------
    ndarray, shape (D * T, L)
        Row by row, float64; the values are those of base and ticks, exactly.

    Raises
    ------
    ValueError
        If a dimension is not from 0 to L - 1.
    """
    dims = np.asarray(dims, dtype=np.int64)
    if ((dims < 0) | (dims >= len(base))).any():
        raise ValueError(f"dims={dims.tolist()}: must be whole numbers from 0 to {len(base) - 1}")
    codes = np.tile(np.float64(base), (len(dims) * len(ticks), 1))
    codes[np.arange(len(codes)), np.repeat(dims, len(ticks))] = np.tile(ticks, len(dims))
    return codes


def kl_per_dimension(mu: Float[np.ndarray, "N L"], logvar: Float[np.ndarray, "N L"]) -> Float[np.ndarray, " L"]:
    """KL(q(z | x) || N(0, I)) of each latent dimension, its mean over the examples.

    Parameters
    ----------
    mu, logvar : ndarray, shape (N, L)
        The posteriors of at least 1 example.

    Returns
    -------
    ndarray, shape (L,)
        Nats, float64; their sum is the KL term of the objective.

    Raises
    ------
    ValueError
        If there is no example.

    References
    ----------
    Kingma & Welling 2014, appendix B (arXiv:1312.6114).
    """
    _need_examples(mu)
    mu, logvar = mu.astype(np.float64), logvar.astype(np.float64)
    kl: np.ndarray = (np.square(mu) + np.expm1(logvar) - logvar).mean(0) / 2
    return kl


def order_by_kl(kl: Float[np.ndarray, " L"]) -> Int[np.ndarray, " L"]:
    """Latent dimensions from the largest KL to the smallest; equal ones in their own order.

    Parameters
    ----------
    kl : ndarray, shape (L,)
        See `kl_per_dimension`.

    Returns
    -------
    ndarray of int, shape (L,)
        Dimensions, counted from 0.
    """
    return np.argsort(-kl, kind="stable")


def active_units(mu: Float[np.ndarray, "N L"], threshold: float = 0.01) -> Bool[np.ndarray, " L"]:
    """Which latent dimensions tell examples apart: those whose posterior mean varies over the examples.

    Their number is the count of active units.

    Parameters
    ----------
    mu : ndarray, shape (N, L)
        Posterior means of at least 1 example.
    threshold : float
        A dimension is active if the variance of its mean is above it.

    Returns
    -------
    ndarray of bool, shape (L,)

    Raises
    ------
    ValueError
        If there is no example.

    References
    ----------
    Burda et al. 2016, "Importance Weighted Autoencoders", section 5: A_u = Cov_x(E_{u ~ q(u | x)}[u]) > 0.01
    (arXiv:1509.00519).
    """
    _need_examples(mu)
    active: np.ndarray = mu.astype(np.float64).var(0) > threshold
    return active


def _need_examples(mu: Float[np.ndarray, "N L"]) -> None:
    if not len(mu):
        raise ValueError("mu has no rows: at least 1 example is needed")
