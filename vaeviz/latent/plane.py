"""Flat pieces of the latent space that a figure can show: of two of its axes, or where the codes vary most."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Float

_NO_VARIANCE = 1e-12  # relative to the codes' mean square: less is rounding


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane through the origin of the latent space (or a line, where it has one dimension only).

    Attributes
    ----------
    basis : ndarray, shape (A, L)
        The directions shown across and up; orthonormal, float64, read-only. A is 2, or 1 for a line.
    explained : ndarray, shape (A,), or None
        Share of the codes' variance along each direction, in [0, 1]; None where it was not asked for.
    axes : tuple of int, or None
        The latent dimensions across and up, counted from 0, where the directions are those of axes.

    Raises
    ------
    ValueError
        If the basis is not one or two orthonormal rows.
    """

    basis: Float[np.ndarray, "A L"]
    explained: Float[np.ndarray, " A"] | None = None
    axes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        basis = np.array(self.basis, dtype=np.float64)
        if basis.ndim != 2 or len(basis) not in (1, 2):
            raise ValueError(f"basis has shape {basis.shape}; expected (1, L) or (2, L)")
        if not np.allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-6):
            raise ValueError("basis: its rows must be orthonormal, each of length 1 and at right angles")
        basis.setflags(write=False)
        object.__setattr__(self, "basis", basis)

    @property
    def latent_dim(self) -> int:
        """L, dimensions of the space in which the plane lies."""
        return int(self.basis.shape[1])

    def project(self, codes: Float[np.ndarray, "N L"]) -> Float[np.ndarray, "N A"]:
        """Coordinates of codes in the plane.

        Nothing is centered: where codes are drawn from the prior, each coordinate is N(0, 1) too, in any plane.

        Parameters
        ----------
        codes : ndarray, shape (N, L)

        Returns
        -------
        ndarray, shape (N, A)
            Across and up, in z, float64.
        """
        points: np.ndarray = codes @ self.basis.T
        return points

    def lift(self, points: Float[np.ndarray, "N A"], base: Float[np.ndarray, " L"]) -> Float[np.ndarray, "N L"]:
        """Codes at points of the plane; what lies outside the plane is that of one shared code.

        In a plane of axes it is exact: the points' values and the base's other values, bit for bit.

        Parameters
        ----------
        points : ndarray, shape (N, A)
            Across and up, in z.
        base : ndarray, shape (L,)
            The code that all share but for its part in the plane.

        Returns
        -------
        ndarray, shape (N, L)
            Float64.
        """
        # Not base + (points - base's) @ basis, which would round the points.
        outside = base - (base @ self.basis.T) @ self.basis
        codes: np.ndarray = outside + points @ self.basis
        return codes


def axes_plane(axes: Sequence[int], latent_dim: int) -> Plane:
    """Plane of two latent dimensions, or the line of one.

    Parameters
    ----------
    axes : sequence of int
        Which dimensions are shown across and up, counted from 0; one or two.
    latent_dim : int
        L.

    Returns
    -------
    Plane
        Its basis are unit vectors.

    Raises
    ------
    ValueError
        If axes are not one or two distinct whole numbers from 0 to L - 1.
    """
    axes = tuple(axes)
    if len(set(axes)) != len(axes) or not all(0 <= axis < latent_dim for axis in axes):
        raise ValueError(f"axes={axes!r}: must be distinct whole numbers from 0 to {latent_dim - 1}")
    return Plane(np.eye(latent_dim)[list(axes)], axes=axes)


def principal_plane(mu: Float[np.ndarray, "N L"], previous: Plane | None = None) -> Plane:
    """Plane of the two directions in which the posterior means vary most (one direction if L is 1).

    Means without variance, as before the first training step, say nothing of a direction: those of ``previous`` are
    kept, or else the first unit vectors. The same means give the same plane.

    Parameters
    ----------
    mu : ndarray, shape (N, L)
        Posterior means.
    previous : Plane, optional
        The plane shown before, of as many directions in the same space. Signs, and the order where it has turned, are
        chosen to resemble it most, so that a film over training steps doesn't flip. Without it the largest component
        of each direction is positive, and the variance across is the larger one.

    Returns
    -------
    Plane
        With ``explained``, the share of the variance along each direction (0 where there is no variance at all).

    Raises
    ------
    ValueError
        If mu holds values that are not finite, or previous is a plane of another space.

    References
    ----------
    Principal components: Hotelling 1933; here by the eigenvectors of the covariance (``sklearn.decomposition.PCA``).
    """
    latent_dim = mu.shape[1]
    size = min(2, latent_dim)
    if not np.isfinite(mu).all():
        raise ValueError("mu holds values that are not finite: there is no plane in which they vary most")
    if previous is not None and previous.basis.shape != (size, latent_dim):
        raise ValueError(f"previous has a basis of shape {previous.basis.shape}; expected ({size}, {latent_dim})")

    found, explained = _principal_directions(mu.astype(np.float64), size)
    basis = _completed(found, np.eye(size, latent_dim) if previous is None else previous.basis)
    if previous is None:
        largest = basis[np.arange(size), np.abs(basis).argmax(1)]
        return Plane(basis * np.sign(largest)[:, None], explained)
    order = _closest_order(basis @ previous.basis.T)
    basis, explained = basis[order], explained[order]
    signs = np.where((basis * previous.basis).sum(1) < 0, -1.0, 1.0)
    return Plane(basis * signs[:, None], explained)


def _principal_directions(
    mu: Float[np.ndarray, "N L"], size: int
) -> tuple[Float[np.ndarray, "found L"], Float[np.ndarray, " size"]]:
    """Return the directions that have variance, at most ``size``, and the shares of all directions, 0 for the rest."""
    from sklearn.decomposition import PCA  # slow to import

    shares = np.zeros(size)
    scale = np.square(mu).mean() if mu.size else 0.0
    if len(mu) < 2 or mu.var(0).max() <= _NO_VARIANCE * scale:
        return np.empty((0, mu.shape[1])), shares
    pca = PCA(min(size, len(mu)), svd_solver="covariance_eigh").fit(mu)
    varying = pca.explained_variance_ratio_ > _NO_VARIANCE
    shares[: len(varying)] = pca.explained_variance_ratio_
    return pca.components_[varying], shares


def _completed(found: Float[np.ndarray, "found L"], candidates: Float[np.ndarray, "A L"]) -> Float[np.ndarray, "A L"]:
    """Return A orthonormal directions: those found, then the parts of the candidates at right angles to them."""
    basis = found
    while len(basis) < len(candidates):
        rest = candidates - (candidates @ basis.T) @ basis
        length = np.linalg.norm(rest, axis=1)
        best = int(length.argmax())  # at least sqrt(1/2): one direction can't lie near both candidates
        basis = np.vstack([basis, rest[best] / length[best]])
    return basis


def _closest_order(cosines: Float[np.ndarray, "A A"]) -> list[int]:
    """Return the order of the rows in which they resemble the columns most, whatever their signs."""
    columns = np.arange(len(cosines))
    return max(
        map(list, permutations(range(len(cosines)))), key=lambda rows: float(np.abs(cosines[rows, columns]).sum())
    )
