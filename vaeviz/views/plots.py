"""Plots as pure functions: arrays in, a HoloViews element out. They know no server, no session and no state."""

import holoviews as hv
import numpy as np
from jaxtyping import Float, UInt8

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def picture_plot(picture: UInt8[np.ndarray, "R S C"], bounds: Bounds, *, alpha: float = 1.0) -> hv.Image | hv.RGB:
    """Return a picture of bytes (row 0 on top), gray or RGB, drawn without smoothing and with fixed limits.

    Parameters
    ----------
    picture : ndarray (R, S, C)
        C is 1 or 3.
    bounds
        Where it lies, in the plot's coordinates.
    alpha
        Opacity.
    """
    if picture.shape[-1] == 3:
        return hv.RGB(picture, bounds=bounds).opts(alpha=alpha)
    image = hv.Image(picture[..., 0], bounds=bounds, vdims=[hv.Dimension("brightness", range=(0, 255))])
    return image.opts(cmap="gray", clim=(0, 255), alpha=alpha)


def scatter_plot(
    points: Float[np.ndarray, "N 2"],
    values: Float[np.ndarray, " N"],
    *,
    colors: tuple[str, ...],
    limits: tuple[float, float],
) -> hv.Points:
    """Return posterior means in a latent plane, coloured by a value of each.

    Parameters
    ----------
    points : ndarray (N, 2)
        The horizontal axis first; a row with a NaN is not drawn.
    values : ndarray (N,)
        Class numbers, or what is measured of each example.
    colors
        The palette from the lowest value to the highest.
    limits
        The values at the palette's ends.
    """
    table = {"horizontal": points[:, 0], "vertical": points[:, 1], "value": values}
    return hv.Points(table, ["horizontal", "vertical"], ["value"]).opts(
        color="value",
        cmap=list(colors),
        clim=limits,
        size=4,
        alpha=0.75,
        line_color=None,
        nonselection_alpha=0.08,
        selection_alpha=1.0,
    )
