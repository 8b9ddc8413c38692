"""A scatter of more points than a browser can draw, as a picture: datashader counts them pixel by pixel.

The colours are those of the points: in each pixel the classes' colours, mixed as the classes are, or the palette's
colour of the mean value. It is the more opaque the more points there are, by rank (``eq_hist``), and each point covers
a few pixels, so that a single one is seen.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from vaeviz.views.coloring import Coloring
from vaeviz.views.plots import Bounds

FAINTEST = {"label": 140, "measure": 190}
"""Opacity (of 255) of a single point: what is measured must be read from its colour alone."""

UNSELECTED = 0.2
"""Of their opacity, what those keep that are not selected."""

SPARSE = 0.1
"""Where fewer pixels than this share have a point, points are drawn larger."""


class Window(NamedTuple):
    """What part of a plane is seen, and in how many pixels.

    Attributes
    ----------
    bounds : tuple of float
        Left, bottom, right, top, in the plane's coordinates.
    width, height : int
        Pixels of the picture.
    """

    bounds: Bounds
    width: int
    height: int


def shade(
    points: Float[np.ndarray, "N 2"], coloring: Coloring, window: Window, chosen: Int[np.ndarray, " n"] | None = None
) -> UInt8[np.ndarray, "R S 4"]:
    """Draw points as a picture.

    datashader is imported, and compiled for these types, with the first picture: that takes a second.

    Parameters
    ----------
    points : ndarray (N, 2)
        A row with a NaN is not drawn.
    coloring : Coloring
        A value of each point, and its colours.
    window : Window
    chosen : ndarray (n,), optional
        Rows of the selected points: these are drawn on top, and all others faintly.

    Returns
    -------
    ndarray (R, S, 4)
        RGBA, not premultiplied, row 0 on top.
    """
    picture = _shade(points, coloring, window)
    if chosen is None:
        return picture
    picture[..., 3] = (picture[..., 3] * UNSELECTED).astype(np.uint8)
    # In the same layout as all points: datashader would be compiled anew for another.
    theirs = np.ascontiguousarray(points.T[:, chosen]).T
    theirs.setflags(write=points.flags.writeable)
    return _over(_shade(theirs, coloring._replace(values=coloring.values[chosen]), window), picture)


def _shade(points: Float[np.ndarray, "N 2"], coloring: Coloring, window: Window) -> UInt8[np.ndarray, "R S 4"]:
    import datashader as ds  # both are slow to import
    import pandas as pd
    from datashader import transfer_functions as tf

    left, bottom, right, top = window.bounds
    canvas = ds.Canvas(window.width, window.height, x_range=(left, right), y_range=(bottom, top))
    table = {"x": points[:, 0], "y": points[:, 1]}
    if coloring.by == "label":
        colors = list(dict.fromkeys(coloring.colors))  # with more classes than colours, the colours come again
        numbers = (coloring.values.astype(np.int32) % len(colors)).astype(np.int8)
        table["class"] = pd.Categorical.from_codes(numbers, categories=range(len(colors)))
        of_each = canvas.points(pd.DataFrame(table, copy=False), "x", "y", ds.by("class", ds.count()))
        layers = _spread(of_each.values)
        counts = of_each.sum("class").copy(data=layers.sum(2))
        mixed = layers.astype(np.float32) @ _numbers(colors) / np.maximum(counts.values, 1)[..., None]
        picture = np.empty((*counts.shape, 4), np.uint8)
        picture[..., :3] = mixed.round()[::-1]
    else:
        table["value"] = coloring.values
        both = ds.summary(total=ds.sum("value"), count=ds.count("value"))
        found = canvas.points(pd.DataFrame(table, copy=False), "x", "y", both)
        total, count = np.moveaxis(_spread(np.stack((found["total"].fillna(0), found["count"]), axis=2)), 2, 0)
        counts = found["count"].copy(data=count.astype(np.uint32))  # of whole numbers, 0 is nothing
        mean = found["total"].copy(data=np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))
        picture = _rgba(tf.shade(mean, cmap=list(coloring.colors), how="linear", span=coloring.limits))
    faintest = FAINTEST["label" if coloring.by == "label" else "measure"]
    picture[..., 3] = _rgba(tf.shade(counts, cmap="black", how="eq_hist", min_alpha=faintest))[..., 3]
    return picture


def _spread(layers: Shaped[np.ndarray, "R S K"]) -> Shaped[np.ndarray, "R S K"]:
    """Return sums over discs: each point covers a few pixels, and more where there are few of them.

    The same as datashader's `spread`, which takes as long, once it has been compiled for more than two seconds.
    """
    radius = 1 if layers.any(axis=2).mean() > SPARSE else 2
    rows, columns = layers.shape[:2]
    padded = np.pad(layers, ((radius, radius), (radius, radius), (0, 0)))
    sums = np.zeros_like(layers)
    for down, across in np.ndindex(2 * radius + 1, 2 * radius + 1):
        if (down - radius) ** 2 + (across - radius) ** 2 <= (radius + 0.5) ** 2:
            sums += padded[down : down + rows, across : across + columns]
    return sums


def _numbers(colors: Sequence[str]) -> Float[np.ndarray, "K 3"]:
    """Return colours such as "#3f90da" as red, green and blue in [0, 255]."""
    return np.array([list(bytes.fromhex(color[1:])) for color in colors], np.float32)


def _rgba(image) -> UInt8[np.ndarray, "R S 4"]:
    """Return datashader's image, whose first row is the lowest, as bytes with row 0 on top."""
    packed = np.ascontiguousarray(image.values[::-1])
    return packed.view(np.uint8).reshape(*packed.shape, 4)


def _over(front: UInt8[np.ndarray, "R S 4"], back: UInt8[np.ndarray, "R S 4"]) -> UInt8[np.ndarray, "R S 4"]:
    """Lay one picture over another (Porter and Duff 1984, "over")."""
    opacity = front[..., 3:].astype(np.float32) / 255
    beneath = back[..., 3:].astype(np.float32) / 255 * (1 - opacity)
    whole = opacity + beneath
    colors = (front[..., :3] * opacity + back[..., :3] * beneath) / np.maximum(whole, 1e-6)
    return np.concatenate((colors, whole * 255), axis=-1).round().astype(np.uint8)
