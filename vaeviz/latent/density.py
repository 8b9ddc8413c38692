"""Where codes lie dense, and how wide posteriors are: outlines for the plane of a scatter."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from contourpy import LineType, contour_generator
from jaxtyping import Float

from vaeviz.latent.plane import Plane

_BINS = 128  # along each axis
_BANDWIDTH = 0.5  # of Scott's rule, which is meant for one Gaussian and would blur clusters into one


def density_contours(
    points: Float[np.ndarray, "N 2"],
    *,
    extent: tuple[float, float, float, float],
    levels: Sequence[float] = (0.5, 0.8, 0.95),
) -> list[list[Float[np.ndarray, "K 2"]]]:
    """Outlines of the densest regions of a scatter that hold given shares of its points.

    The density is a histogram under a Gaussian filter, half as wide as Scott's rule says; at the edges of the extent it
    is mirrored, so that points which crowd there, as u = Φ(z) does at 0 and 1, count in full.

    Parameters
    ----------
    points : ndarray, shape (N, 2)
        Across and up, in any coordinates.
    extent : tuple of float
        (left, right, bottom, top): the region that is looked at. No line leaves it; the shares are of all points, also
        of those outside.
    levels : sequence of float
        Shares of the points, each above 0 and below 1.

    Returns
    -------
    list of list of ndarray, shape (K, 2)
        For each share its outlines, each closed, float64: a region of several parts, or with holes, has several. None
        where the points have no extent of their own, or too few of them lie in the region.

    Raises
    ------
    ValueError
        If a share is not within (0, 1), or the extent has no width or height.

    References
    ----------
    Hyndman 1996, "Computing and Graphing Highest Density Regions", section 3: the threshold is a quantile of the
    density at the points. Scott 1992, "Multivariate Density Estimation", for the width n^(-1/6) σ of each axis.
    """
    left, right, bottom, top = extent
    if not (left < right and bottom < top and np.isfinite(extent).all()):
        raise ValueError(f"extent={extent}: must be (left, right, bottom, top) with left < right and bottom < top")
    if not all(0 < level < 1 for level in levels):
        raise ValueError(f"levels={tuple(levels)}: every share must be above 0 and below 1")
    low, high = np.array([left, bottom]), np.array([right, top])
    inside = points[((points >= low) & (points <= high)).all(1)].astype(np.float64)
    if not len(inside) or (np.ptp(inside, axis=0) == 0).all():
        return [[] for _ in levels]

    across, up, density, at_inside = _smoothed(inside, low, high)
    at_points = np.append(at_inside, np.zeros(len(points) - len(inside)))
    thresholds = np.quantile(at_points, 1 - np.asarray(levels))
    contours = contour_generator(across, up, density.T, line_type=LineType.Separate)
    outlines = [cast(list[np.ndarray], contours.lines(least)) if least > 0 else [] for least in thresholds]
    return [[np.clip(line, low, high) for line in lines] for lines in outlines]  # rounding may have left the extent


def _smoothed(
    inside: Float[np.ndarray, "N 2"], low: Float[np.ndarray, " 2"], high: Float[np.ndarray, " 2"]
) -> tuple[
    Float[np.ndarray, " across"], Float[np.ndarray, " up"], Float[np.ndarray, "across up"], Float[np.ndarray, " N"]
]:
    """Return a grid's coordinates across and up, the density on it, and the density at the points."""
    from scipy.ndimage import gaussian_filter, map_coordinates  # slow to import

    width = _BANDWIDTH * len(inside) ** (-1 / 6) * inside.std(0)
    reach = 4 * np.maximum(width, (high - low) / _BINS)  # the filter's, so that the density is 0 where the grid ends
    low, high = np.maximum(low, inside.min(0) - reach), np.minimum(high, inside.max(0) + reach)
    cell = (high - low) / _BINS
    ranges = [(low[0], high[0]), (low[1], high[1])]
    counts, _, _ = np.histogram2d(inside[:, 0], inside[:, 1], bins=_BINS, range=ranges)  # (across, up)
    density = gaussian_filter(counts, np.maximum(width / cell, 1), mode="reflect")
    at_points = map_coordinates(density, ((inside - low) / cell - 0.5).T, order=1, mode="nearest")

    # At the edges the density drops to 0 at once, so that lines which would else end there are closed along them.
    across, up = (
        np.concatenate([[start, start], start + (np.arange(_BINS) + 0.5) * size, [end, end]])
        for start, size, end in zip(low, cell, high, strict=True)
    )
    return across, up, np.pad(np.pad(density, 1, mode="edge"), 1), at_points


def posterior_ellipses(
    mu: Float[np.ndarray, "N L"],
    logvar: Float[np.ndarray, "N L"],
    plane: Plane,
    *,
    sigmas: float = 1.0,
    points: int = 48,
) -> Float[np.ndarray, "N points 2"]:
    """Outlines of posteriors as a plane shows them: where they are so many standard deviations from their mean.

    Parameters
    ----------
    mu, logvar : ndarray, shape (N, L)
        The posteriors.
    plane : Plane
        Across and up; on a line the outlines are flat, with 0 up.
    sigmas : float
        Mahalanobis distance of the outline from the mean, in the plane; above 0. One standard deviation holds 39 % of
        a posterior in a plane, two hold 86 %.
    points : int
        Of each outline, at least 4.

    Returns
    -------
    ndarray, shape (N, points, 2)
        In z; each outline is closed, its last point its first. Float64.

    Raises
    ------
    ValueError
        If sigmas is not a finite number above 0, or points is below 4.
    """
    if not 0 < sigmas < np.inf:
        raise ValueError(f"sigmas={sigmas}: must be a finite number above 0")
    if points < 4:
        raise ValueError(f"points={points}: an outline needs at least 4")
    variance = np.exp(logvar.astype(np.float64))
    across, up = plane.basis[0], plane.basis[1] if len(plane.basis) == 2 else np.zeros(plane.latent_dim)
    # The covariance basis · diag(σ²) · basisᵀ, each (N,), and its Cholesky factor [[a, 0], [b, c]]
    xx, xy, yy = variance @ across**2, variance @ (across * up), variance @ up**2
    a = np.sqrt(xx)
    b = np.divide(xy, a, out=np.zeros_like(a), where=a > 0)
    c = np.sqrt(np.maximum(yy - b**2, 0))

    turn = np.linspace(0, 2 * np.pi, points)
    circle_x, circle_y = sigmas * np.cos(turn), sigmas * np.sin(turn)
    offsets = np.stack([np.outer(a, circle_x), np.outer(b, circle_x) + np.outer(c, circle_y)], axis=2)
    outlines: np.ndarray = np.stack([mu @ across, mu @ up], axis=1)[:, None] + offsets
    outlines[:, -1] = outlines[:, 0]
    return outlines
