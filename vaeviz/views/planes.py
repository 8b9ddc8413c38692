"""What the two planes share: their coordinates z and u, and the marks of cursor, endpoints and path on them."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from vaeviz.latent import to_u, to_z

Coordinates = Literal["z", "u"]
"""z itself, or u = Φ(z), the prior's percentile."""

EDGE = 1e-3
"""The percentile nearest to 0 that a hand can point at (and 1 less it): z = -3.1. The edge itself is infinitely far."""


def from_z(points: Float[np.ndarray, "N 2"], coordinates: Coordinates) -> Float[np.ndarray, "N 2"]:
    """Return points of the latent plane in these coordinates."""
    return to_u(points) if coordinates == "u" else points


def into_z(points: Float[np.ndarray, "N 2"], coordinates: Coordinates) -> Float[np.ndarray, "N 2"]:
    """Return points that a hand has pointed at in these coordinates, in z."""
    return to_z(np.clip(points, EDGE, 1 - EDGE)) if coordinates == "u" else points


def axis_label(name: str, coordinates: Coordinates) -> str:
    """Return how an axis of this name is called, such as "z1" or "u1 = Φ(z1)"."""
    if coordinates == "z":
        return name
    return f"{name.replace('z', 'u')} = Φ({name}), percentile of the prior"
