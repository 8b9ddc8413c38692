"""What is on the screen at one moment of a training, worked out beside the page's own thread."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from vaeviz.latent import Plane, axes_plane, decode, linear_ticks, plane_codes, principal_plane, prior_ticks
from vaeviz.training import Run, Snapshot
from vaeviz.views.cloud import SAMPLE, Cloud, thinned
from vaeviz.views.pictures import mosaic
from vaeviz.views.planes import Coordinates

LARGEST_PICTURE = 3000
"""Pixels along each side of the manifold's picture, at most: beyond it tiles are drawn with every second pixel, or
fewer."""

LARGEST_DECODED = 2**26
"""Bytes that tiles may take before they are drawn with fewer pixels: more of them are decoded in parts."""


class Frame(NamedTuple):
    """A snapshot, and what was worked out for it beside the page's own thread: what is on the screen.

    Attributes
    ----------
    snapshot : Snapshot
    plane : Plane
        The directions of the latent space that are across and up in both planes.
    cloud : Cloud
        Where the embedded examples lie in it.
    manifold : ndarray (R, S, C)
        The tiles as one picture of bytes.
    coordinates, limit, side
        Of the manifold: percentiles or linear z, then in [-limit, limit]; tiles along a side.
    prepared : mapping
        What views have asked for by `ExplorerState.prepare`, by name.
    """

    snapshot: Snapshot
    plane: Plane
    cloud: Cloud
    manifold: UInt8[np.ndarray, "R S C"]
    coordinates: Coordinates
    limit: float
    side: int
    prepared: Mapping[str, Any]


class Wish(NamedTuple):
    """How a frame is to be.

    Attributes
    ----------
    plane_kind, axes
        Two axes, or PCA.
    previous : Plane or None
        What was shown before: principal directions keep their signs.
    selection : sequence of int
        Rows of the selected examples; the first one's code holds the dimensions that are not in the plane.
    coordinates, limit, side
        Of the manifold.
    """

    plane_kind: str
    axes: tuple[int, int]
    previous: Plane | None
    selection: Sequence[int]
    coordinates: Coordinates
    limit: float
    side: int


def make_frame(
    run: Run, at: int | None, wish: Wish, preparations: Mapping[str, Callable[[Run, Snapshot], Any]]
) -> Frame:
    """Embed the examples and decode the manifold of a kept step, or of the newest.

    Parameters
    ----------
    run : Run
    at : int or None
        The kept step; None: the newest snapshot.
    wish : Wish
    preparations : mapping
        What else is worked out for the frame, by name.

    Raises
    ------
    ValueError
        If the step is not kept.
    """
    snapshot, side = run.snapshot(at), wish.side
    ticks = prior_ticks(side) if wish.coordinates == "u" else linear_ticks(side, wish.limit)
    plane = _plane_of(snapshot, wish)
    flat = len(plane.basis) == 1
    codes = plane_codes(plane, ticks, None if flat else ticks, base_of(snapshot, wish.selection))
    stride = max(1, -(-side * max(snapshot.images.shape[2:]) // LARGEST_PICTURE))
    size = 4 * len(codes) * math.prod(snapshot.images.shape[1:])
    parts = np.array_split(codes.astype(np.float32), -(-size // LARGEST_DECODED))
    tiles = np.concatenate([decode(snapshot.vae, part)[..., ::stride, ::stride] for part in parts])
    picture = mosaic(tiles, 1 if flat else side, side)
    prepared = {name: work(run, snapshot) for name, work in preparations.items()}
    cloud = Cloud(plane, snapshot.mu)
    return Frame(snapshot, plane, cloud, picture, wish.coordinates, wish.limit, side, prepared)


def base_of(snapshot: Snapshot, selection: Sequence[int]) -> Float[np.ndarray, " L"]:
    """Return the code that holds the dimensions which are not in the plane: the first selected example's, or 0."""
    if selection and selection[0] < len(snapshot.ids):
        return snapshot.mu[selection[0]].astype(float)
    return np.zeros(snapshot.vae.latent_dim)


def _plane_of(snapshot: Snapshot, wish: Wish) -> Plane:
    latent_dim, previous = snapshot.vae.latent_dim, wish.previous
    if wish.plane_kind == "PCA":
        keeps = previous is not None and previous.axes is None and previous.latent_dim == latent_dim
        return principal_plane(thinned(snapshot.mu, SAMPLE), previous if keeps else None)
    return axes_plane(wish.axes if latent_dim > 1 else (0,), latent_dim)
