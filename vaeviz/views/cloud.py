"""Where all embedded examples lie in the planes: found once for each frame, and then asked again and again."""

from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32

from vaeviz.latent import Plane

SAMPLE = 100_000
"""What is said of all points, such as how far they reach, is found from at most so many, evenly chosen."""


class Cloud:
    """The posterior means of all embedded examples in a plane.

    Parameters
    ----------
    plane : Plane
    mu : ndarray (N, L)
        Posterior means.

    Attributes
    ----------
    points : ndarray (N, 2)
        Across and up, in z, float32 and read-only; with one latent dimension all lie on the line 0. Each coordinate
        is a column of its own in memory, so that a million of them are walked through in a millisecond.
    """

    def __init__(self, plane: Plane, mu: Float[np.ndarray, "N L"]) -> None:
        columns = np.zeros((2, len(mu)), np.float32)
        for column, direction in zip(columns, range(len(plane.basis)), strict=False):
            if plane.axes is None:
                np.matmul(mu, plane.basis[direction].astype(mu.dtype), out=column, casting="same_kind")
            else:
                column[:] = mu[:, plane.axes[direction]]
        columns.setflags(write=False)
        self.points: Float32[np.ndarray, "N 2"] = columns.T

    def __len__(self) -> int:
        return len(self.points)

    def nearest(self, point: Float[np.ndarray, " 2"]) -> int:
        """Return the row of the example that lies nearest to a point of the plane."""
        squares = self.points[:, 0] - np.float32(point[0])
        squares *= squares
        rise = self.points[:, 1] - np.float32(point[1])
        rise *= rise
        squares += rise
        return int(squares.argmin())

    @cached_property
    def reach(self) -> float:
        """How far from 0, along an axis, all but one of 200 coordinates lie."""
        return float(np.quantile(np.abs(self.sample(SAMPLE)), 0.995))

    def sample(self, most: int) -> Float32[np.ndarray, "n 2"]:
        """Return at most so many of the points, evenly chosen."""
        return thinned(self.points, most)


def thinned(rows: Float[np.ndarray, "N L"], most: int) -> Float[np.ndarray, "n L"]:
    """Return at most so many of the rows, in even strides."""
    return rows[:: -(-len(rows) // most) or 1]
