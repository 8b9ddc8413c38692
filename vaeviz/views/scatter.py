"""Which of the embedded examples are drawn, and where, in the coordinates of a figure."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

from vaeviz.training import Run, Snapshot
from vaeviz.views.cloud import Cloud
from vaeviz.views.coloring import classes
from vaeviz.views.planes import Coordinates, from_z


class Scene(NamedTuple):
    """All that says which examples are drawn and where: what it tells can be worked out in any thread.

    Attributes
    ----------
    run : Run
    snapshot : Snapshot
    cloud : Cloud
        Where its examples lie in the plane.
    coordinates
        Of the figure.
    hidden : tuple of int
        Class numbers that are not drawn.
    split : str
        Which split is drawn, or "all".
    """

    run: Run
    snapshot: Snapshot
    cloud: Cloud
    coordinates: Coordinates
    hidden: tuple[int, ...]
    split: str


def placed(scene: Scene) -> Float32[np.ndarray, "N 2"]:
    """Return where the examples lie in the figure, read-only; those that are not drawn are NaN."""
    points = in_figure(scene.cloud.points, scene.coordinates, scene.snapshot)
    hidden = _hidden(scene)
    if hidden is not None:
        if points is scene.cloud.points:
            points = points.copy(order="F")
        points[hidden] = np.nan
    points.setflags(write=False)
    return points


def in_figure(
    points: Float[np.ndarray, "n 2"],
    coordinates: Coordinates,
    snapshot: Snapshot,
    rows: np.ndarray | slice = slice(None),
) -> Float[np.ndarray, "n 2"]:
    """Return points of the planes, in z, in a figure's coordinates; they belong to the snapshot's examples in rows."""
    points = from_z(points, coordinates)
    if snapshot.vae.latent_dim == 1:  # a second coordinate without meaning, the same for each example every time
        spread = np.random.default_rng(0).uniform(0.1, 0.9, len(snapshot.ids))[rows]
        points = points.copy(order="F")
        points[:, 1] = spread if coordinates == "u" else 4 * spread - 2
    return points


def _hidden(scene: Scene) -> Bool[np.ndarray, " N"] | None:
    """Return which examples are not drawn; None if all are."""
    hidden = None
    if scene.hidden:
        hidden = np.isin(classes(scene.run, scene.snapshot), scene.hidden)
    if scene.split != "all":
        outside = np.ones(len(scene.run.dataset), bool)
        outside[scene.run.dataset.split(scene.split).numpy()] = False
        outside = outside[scene.snapshot.ids]
        hidden = outside if hidden is None else hidden | outside
    return hidden
