"""Drawings as pure functions: arrays in, artists on the given axes out. They know no run and no file."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from scipy.special import ndtr

from vaeviz.export.paper import SMALL, Paper, plain
from vaeviz.latent import tile
from vaeviz.palette import TRAIN, VALIDATION
from vaeviz.training import Metrics
from vaeviz.training.curve import smoothed

Z_TICKS = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
TERMS = {"loss": "−ELBO", "reconstruction": "reconstruction", "kl": "KL"}
NO_SECOND = "(no second dimension)"


def as_bytes(images: Shaped[np.ndarray, " *shape"]) -> UInt8[np.ndarray, " *shape"]:
    """Return pixels in [0, 1] as bytes in [0, 255], and bytes as they are."""
    return images if images.dtype == np.uint8 else (images * 255 + 0.5).astype(np.uint8)


def number(value: float, digits: int | None = None) -> str:
    """Return a number as it is written in figures, with a real minus sign."""
    words = f"{value:g}" if digits is None else f"{value:.{digits}f}"
    return words.replace("-", "−")


def draw_picture(
    axes: Axes, picture: UInt8[np.ndarray, "R S C"], extent: tuple[float, float, float, float]
) -> AxesImage:
    """Draw a picture of bytes, gray (C = 1) or RGB (C = 3), row 0 on top, its pixels as high as they are wide.

    Parameters
    ----------
    axes : Axes
    picture : ndarray (R, S, C)
    extent
        Left, right, bottom and top, in the axes' coordinates.
    """
    left, right, bottom, top = extent
    rows, columns, _ = picture.shape
    aspect = rows / columns * (right - left) / (top - bottom)
    shown = picture[..., 0] if picture.shape[-1] == 1 else picture
    return axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=extent, origin="upper", aspect=aspect)


def draw_scatter(
    axes: Axes,
    points: Float[np.ndarray, "N 2"],
    values: Float[np.ndarray, " N"],
    *,
    colors: Sequence[str],
    limits: tuple[float, float],
    paper: Paper,
) -> PathCollection:
    """Draw posterior means in a plane: the first coordinate across, the second up, one unit as long in both.

    Parameters
    ----------
    axes : Axes
    points : ndarray (N, 2)
        A row with a NaN is not drawn.
    values : ndarray (N,)
        Class numbers, or what is measured of each example.
    colors
        The palette from the lowest value to the highest.
    limits
        The values at the palette's ends.
    paper : Paper
    """
    axes.set_aspect("equal")
    diameter = float(np.clip(9 - np.log2(max(len(points), 1)) / 2, 2, 6))  # in points: fewer are drawn larger
    return axes.scatter(
        points[:, 0], points[:, 1], c=values, cmap=ListedColormap(list(colors)), vmin=limits[0], vmax=limits[1],
        s=diameter**2, alpha=0.75, linewidths=0, edgecolors="none",
    )  # fmt: skip


def percentile_ticks(axes: Axes, *, up: bool = True) -> None:
    """Put ticks where z is a round number on axes that run over the prior's percentiles, 0 to 1."""
    words = [number(z) for z in Z_TICKS]
    axes.set_xticks(ndtr(Z_TICKS), words)
    axes.set_yticks(ndtr(Z_TICKS) if up else [], words if up else [])


def draw_losses(
    axes: Axes, rows: Sequence[Metrics], *, term: str = "loss", log_steps: bool = False, paper: Paper
) -> None:
    """Draw a term of the loss over the steps: training faint and smoothed, validation, in nats per example.

    Parameters
    ----------
    axes : Axes
    rows : sequence of Metrics
        Of both splits, in the order of the log.
    term : {"loss", "reconstruction", "kl"}
    log_steps : bool
        Whether the steps are on a logarithmic axis.
    paper : Paper
    """
    axes.grid(color=paper.faint, linewidth=0.7)
    for split, color in (("train", TRAIN), ("validation", VALIDATION)):
        chosen = [row for row in rows if row.split == split]
        steps = np.array([max(row.step, 1) if log_steps else row.step for row in chosen])
        values = np.array([getattr(row, term) for row in chosen])
        if not chosen:
            continue
        label = f"{split}  {values[-1]:.1f}"
        if split == "train":
            axes.plot(steps, values, color=color, alpha=0.3, linewidth=0.8)
            axes.plot(steps, smoothed(values)[0], color=color, linewidth=1.6, label=label)
        else:
            axes.plot(steps, values, color=color, linewidth=1.6, marker="o", markersize=2.5, label=label)
    if log_steps:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.set_ylim(*_heights(rows, term))
    axes.set_xlabel("optimizer step" + (" (log scale)" if log_steps else ""))
    axes.set_ylabel(f"{TERMS[term]} (nats)")
    axes.legend(frameon=False, labelcolor=paper.ink, fontsize=SMALL + 0.5)


def draw_strip(axes: Axes, images: Shaped[np.ndarray, "F C H W"], *, labels: Sequence[str], paper: Paper) -> AxesImage:
    """Draw images side by side, each named below.

    Parameters
    ----------
    axes : Axes
    images : ndarray (F, C, H, W)
        Bytes, or floats in [0, 1].
    labels
        F of them.
    paper : Paper
    """
    return draw_grid(axes, images, rows=[""], columns=labels, paper=paper)


def draw_grid(
    axes: Axes,
    images: Shaped[np.ndarray, "M C H W"],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    paper: Paper,
) -> AxesImage:
    """Draw images in rows and columns, the first row on top, with a fine line between them.

    Parameters
    ----------
    axes : Axes
    images : ndarray (M, C, H, W)
        Row by row; bytes, or floats in [0, 1].
    rows, columns
        Their names, to the left and below; M = len(rows) * len(columns).
    paper : Paper
    """
    down, across = len(rows), len(columns)
    drawn = draw_picture(axes, tile(as_bytes(images), down, across), (0, across, 0, down))
    line = {"color": paper.ground, "linewidth": 1.2}
    axes.vlines(np.arange(1, across), 0, down, **line)  # type: ignore[arg-type]
    axes.hlines(np.arange(1, down), 0, across, **line)  # type: ignore[arg-type]
    axes.set_xticks(np.arange(across) + 0.5, columns)
    axes.set_yticks(np.arange(down)[::-1] + 0.5, rows)
    axes.tick_params(length=0)
    plain([*axes.get_xticklabels(), *axes.get_yticklabels()])
    axes.spines[:].set(color=paper.ink, alpha=0.3)  # a white image ends somewhere
    return drawn


def even_ticks(axes: Axes) -> None:
    """Put the same few round ticks across and up."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))


def _heights(rows: Sequence[Metrics], term: str) -> tuple[float, float]:
    """Return the range that shows what came after the first steep fall."""
    last = max(row.step for row in rows)
    values = [getattr(row, term) for row in rows if row.step >= 0.04 * last]
    low, high = min(values), max(values)
    room = 0.06 * max(high - low, 1e-3)
    return low - room, high + room
