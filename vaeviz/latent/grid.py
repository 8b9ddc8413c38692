"""The grid on which a decoder's manifold is shown, and the two coordinates of the prior: z and its percentile u.

A grid is in image order everywhere: the first row is the top one, with the largest z of the vertical axis, and from
left to right the horizontal z grows. So tiles laid out row by row agree with a scatter of z1 to the right and z2 up.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import ndtr, ndtri

from vaeviz.latent.plane import Plane, axes_plane

_SMALLEST_TAIL = 1e-12  # |z| = 7.03: farther out, z is no longer told by u in double precision


def percentile_grid(n: int) -> Float[np.ndarray, " n"]:
    """Midpoints (i + 0.5) / n of n equal shares of the prior.

    Midpoints, because the ends 0 and 1 lie at infinity: the outermost tile stands for the outermost share instead.

    Parameters
    ----------
    n : int
        How many, at least 1.

    Returns
    -------
    ndarray, shape (n,)
        Percentiles u in (0, 1), increasing, float64.

    Raises
    ------
    ValueError
        If n is below 1.
    """
    if n < 1:
        raise ValueError(f"n={n}: a grid needs at least 1 tick")
    return (np.arange(n) + 0.5) / n


def prior_ticks(n: int) -> Float[np.ndarray, " n"]:
    """Codes at the midpoints of n equally probable shares of N(0, 1): the inverse CDF of `percentile_grid`.

    Parameters
    ----------
    n : int
        How many, at least 1.

    Returns
    -------
    ndarray, shape (n,)
        z, increasing, float64; none is farther from 0 than the inverse CDF of 0.5 / n.

    Raises
    ------
    ValueError
        If n is below 1.

    References
    ----------
    Kingma & Welling 2014, appendix A (arXiv:1312.6114).
    """
    return np.asarray(ndtri(percentile_grid(n)))


def linear_ticks(n: int, limit: float) -> Float[np.ndarray, " n"]:
    """Midpoints of n cells of equal width that together cover [-limit, limit].

    Parameters
    ----------
    n : int
        How many, at least 1.
    limit : float
        Half the width that is covered, above 0.

    Returns
    -------
    ndarray, shape (n,)
        z, increasing, float64.

    Raises
    ------
    ValueError
        If n is below 1, or limit is not a positive number.
    """
    if not 0 < limit < np.inf:
        raise ValueError(f"limit={limit}: must be a finite number above 0")
    return (2 * percentile_grid(n) - 1) * limit


def to_u(z: Float[np.ndarray, " *shape"]) -> Float[np.ndarray, " *shape"]:
    """Percentiles of codes under the prior: u = Φ(z), in [0, 1], of the same shape."""
    return np.asarray(ndtr(z))


def to_z(u: Float[np.ndarray, " *shape"]) -> Float[np.ndarray, " *shape"]:
    """Codes at percentiles of the prior: z = Φ⁻¹(u), of the same shape.

    u is clipped to [1e-12, 1 - 1e-12], so that every u, also 0 and 1, has a finite code (|z| at most 7.04).

    Parameters
    ----------
    u : ndarray, any shape
        Percentiles; they are computed with in float64.

    Returns
    -------
    ndarray, of the same shape
        Float64.
    """
    clipped = np.clip(np.asarray(u, dtype=np.float64), _SMALLEST_TAIL, 1 - _SMALLEST_TAIL)
    return np.asarray(ndtri(clipped))


def manifold_codes(
    ticks_x: Float[np.ndarray, " nx"],
    ticks_y: Float[np.ndarray, " ny"] | None,
    *,
    latent_dim: int,
    axes: Sequence[int] = (0, 1),
    base: Float[np.ndarray, " L"] | None = None,
) -> Float[np.ndarray, "tiles L"]:
    """Codes of a grid over two axes of the latent space (or a strip along one), in image order.

    Parameters
    ----------
    ticks_x : ndarray, shape (nx,)
        z along the horizontal axis, increasing.
    ticks_y : ndarray, shape (ny,), or None
        z along the vertical axis, increasing; None for a strip, then ``axes`` has one entry.
    latent_dim : int
        L.
    axes : sequence of int
        Which latent dimensions are horizontal and vertical, counted from 0.
    base : ndarray, shape (L,), optional
        The code whose other dimensions all tiles share; the prior's mean, 0, if left out.

    Returns
    -------
    ndarray, shape (ny * nx, L)
        Row by row: the first row of tiles is the top one, with the largest z of the vertical axis. Float64.

    Raises
    ------
    ValueError
        If ticks are missing or do not increase, axes are equal or out of range, or base is not (L,).
    """
    rows = 1 if ticks_y is None else 2
    if len(axes) != rows:
        raise ValueError(f"axes={tuple(axes)!r}: needs one axis for each of the {rows} given rows of ticks")
    return plane_codes(axes_plane(axes, latent_dim), ticks_x, ticks_y, base)


def plane_codes(
    plane: Plane,
    ticks_x: Float[np.ndarray, " nx"],
    ticks_y: Float[np.ndarray, " ny"] | None,
    base: Float[np.ndarray, " L"] | None = None,
) -> Float[np.ndarray, "tiles L"]:
    """Codes of a grid over a plane of the latent space (or a strip along a line), in image order.

    Parameters
    ----------
    plane : Plane
        Of two directions, or of one for a strip.
    ticks_x : ndarray, shape (nx,)
        z across, increasing.
    ticks_y : ndarray, shape (ny,), or None
        z up, increasing; None for a strip.
    base : ndarray, shape (L,), optional
        The code that all tiles share but for its part in the plane; the prior's mean, 0, if left out.

    Returns
    -------
    ndarray, shape (ny * nx, L)
        Row by row: the first row of tiles is the top one, with the largest z up. Float64.

    Raises
    ------
    ValueError
        If ticks are missing or do not increase, their rows are not as many as the plane's directions, or base is
        not (L,).
    """
    ticks = [ticks_x] if ticks_y is None else [ticks_x, ticks_y]
    if len(plane.basis) != len(ticks):
        raise ValueError(f"{len(ticks)} rows of ticks are given for a plane of {len(plane.basis)} directions")
    for name, row in zip(("ticks_x", "ticks_y"), ticks, strict=False):
        if row.ndim != 1 or row.size < 1 or not (np.diff(row) > 0).all():
            raise ValueError(f"{name} of shape {row.shape}: must be at least 1 tick, in increasing order")
    if base is not None and base.shape != (plane.latent_dim,):
        raise ValueError(f"base has shape {base.shape}; expected ({plane.latent_dim},)")

    mesh = np.meshgrid(*(ticks if ticks_y is None else [ticks_x, ticks_y[::-1]]))  # each (ny, nx), top row first
    points = np.stack([values.ravel() for values in mesh], axis=1)
    return plane.lift(points, np.zeros(plane.latent_dim) if base is None else base)


def tile(images: Shaped[np.ndarray, "tiles C H W"], ny: int, nx: int) -> Shaped[np.ndarray, "rows columns C"]:
    """Lay images out as one mosaic, row by row, the first at the top left.

    Parameters
    ----------
    images : ndarray, shape (ny * nx, C, H, W)
        In the order of `plane_codes`.
    ny, nx : int
        Tiles down and across.

    Returns
    -------
    ndarray, shape (ny * H, nx * W, C)
        Of the same dtype; row 0 is the top.

    Raises
    ------
    ValueError
        If there are not ny * nx images.
    """
    count, channels, height, width = images.shape
    if count != ny * nx or ny < 1:
        raise ValueError(f"{count} images do not fill a mosaic of {ny} x {nx} tiles")
    grid = images.reshape(ny, nx, channels, height, width)
    return grid.transpose(0, 3, 1, 4, 2).reshape(ny * height, nx * width, channels)  # (ny, H, nx, W, C), flattened
