"""The two planes of a snapshot, latent and manifold, alone or side by side: one figure, shown again and again."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from vaeviz.data import Dataset
from vaeviz.export.drawing import (
    NO_SECOND,
    as_bytes,
    draw_picture,
    draw_scatter,
    even_ticks,
    number,
    percentile_ticks,
)
from vaeviz.export.paper import SMALL, Theme, blank, paper_of, place, write
from vaeviz.latent import decode, linear_ticks, manifold_codes, prior_ticks, tile, to_u
from vaeviz.palette import NUMBERS, class_colors
from vaeviz.training import Snapshot
from vaeviz.training.events import when

What = Literal["scatter", "manifold", "both"]
Coordinates = Literal["z", "u"]
ColorBy = Literal["label", "KL", "σ"]

PLANE = 392
"""Pixels of a plane's side."""

LEFT, TOP, BOTTOM, RIGHT, LINE = 56, 40, 48, 18, 19
MOST_NAMES = 21
"""Classes whose names fit beside the plane."""

MOST_TILES = 200


class Planes:
    """A figure of the latent plane, the decoder's manifold, or both, in which one snapshot after the other is shown.

    The ranges are fixed, so that what moves is the model.

    Parameters
    ----------
    dataset : Dataset
        Gives labels and names.
    latent_dim : int
    what : {"scatter", "manifold", "both"}
    limit : float
        z of the scatter runs from -limit to limit, and that of the manifold on a linear range.
    side : int
        Tiles of the manifold, across and up.
    axes : (int, int)
        Latent dimensions across and up, counted from 0, where there are more than one.
    coordinates : {"z", "u"}
        Of the scatter: z, or u = Φ(z), the prior's percentiles.
    manifold_range : {"u", "z"}
        Tiles at the prior's percentiles, or at even steps of z.
    color_by : {"label", "KL", "σ"}
    theme : {"light", "dark"}

    Raises
    ------
    ValueError
        If one of them is not of these.
    """

    def __init__(
        self,
        dataset: Dataset,
        latent_dim: int,
        *,
        what: What = "both",
        limit: float = 6.0,
        side: int = 20,
        axes: Sequence[int] = (0, 1),
        coordinates: Coordinates = "z",
        manifold_range: Coordinates = "u",
        color_by: ColorBy = "label",
        theme: Theme = "light",
    ) -> None:
        _check_choice("what", what, get_args(What))
        _check_choice("coordinates", coordinates, get_args(Coordinates))
        _check_choice("manifold_range", manifold_range, get_args(Coordinates))
        _check_choice("color_by", color_by, get_args(ColorBy))
        if not 0 < limit < np.inf:
            raise ValueError(f"limit={limit}: must be a finite number above 0")
        if not 1 <= side <= MOST_TILES:
            raise ValueError(f"side={side}: must be a whole number from 1 to {MOST_TILES}")
        self.axes = (0,) if latent_dim == 1 else tuple(axes)
        self.dataset, self.latent_dim, self.limit, self.side = dataset, latent_dim, limit, side
        self.coordinates, self.manifold_range, self.color_by = coordinates, manifold_range, color_by
        self._codes = self._grid()  # also checks the axes
        self._paper = paper_of(theme)
        names = self._legend_names()
        legend = _legend_width(names) if color_by == "label" else 76
        scatter = LEFT + PLANE + legend if what != "manifold" else 0
        manifold = LEFT + PLANE if what != "scatter" else 0
        width = scatter + manifold + RIGHT
        self.figure = blank(width, TOP + PLANE + BOTTOM, self._paper)
        self._canvas = FigureCanvasAgg(self.figure)
        edge = width - RIGHT - (legend if what == "scatter" else 0)
        self._title = write(self.figure, "", LEFT, 21, self._paper, fontsize=12.5)
        write(self.figure, dataset.name, edge, 21, self._paper, ha="right", alpha=0.6)
        self._scatter = place(self.figure, LEFT, TOP, PLANE, PLANE, self._paper) if scatter else None
        self._manifold = place(self.figure, scatter + LEFT, TOP, PLANE, PLANE, self._paper) if manifold else None
        if self._scatter is not None:
            self._dress_scatter(self._scatter)
            if color_by == "label":
                self._write_names(names, LEFT + PLANE + 14)
        if self._manifold is not None:
            self._dress_manifold(self._manifold)
        self._dots: PathCollection | None = None
        self._image: AxesImage | None = None
        self._ground: AxesImage | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot in place of the one before."""
        self._title.set_text(when(snapshot.step, snapshot.epoch))
        picture = self._picture(snapshot) if self._on_map or self._manifold is not None else None
        if self._scatter is not None:
            if self._on_map and picture is not None:
                self._show_ground(self._scatter, picture)
            self._show_dots(self._scatter, snapshot)
        if self._manifold is not None and picture is not None:
            if self._image is None:
                self._image = draw_picture(self._manifold, picture, self._extent)
            self._image.set_data(picture[..., 0] if picture.shape[-1] == 1 else picture)

    def pixels(self, dpi: float | None = None) -> UInt8[np.ndarray, "H W 3"]:
        """Return the figure as it is now, as pixels."""
        if dpi is not None and dpi != self.figure.dpi:
            self.figure.set_dpi(dpi)
        self._canvas.draw()  # type: ignore[no-untyped-call]
        return np.array(self._canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]

    # The latent plane

    @property
    def _on_map(self) -> bool:
        """Whether the manifold lies under the points: it is uniform in u, as their axes are."""
        return self.coordinates == self.manifold_range == "u" and self.latent_dim > 1

    def _show_dots(self, axes: Axes, snapshot: Snapshot) -> None:
        order = np.random.default_rng(0).permutation(len(snapshot.ids))  # no class lies on top of all others
        points, values, colors, limits = self._points(snapshot), *self._values(snapshot)
        if self._dots is None:
            self._dots = draw_scatter(
                axes, points[order], values[order], colors=colors, limits=limits, paper=self._paper
            )
            if self.color_by != "label":
                self._draw_scale(colors)
        self._dots.set_offsets(points[order])
        self._dots.set_array(values[order])
        self._dots.set_clim(*limits)

    def _points(self, snapshot: Snapshot) -> Float[np.ndarray, "N 2"]:
        codes = snapshot.mu[:, list(self.axes)].astype(float)
        if len(self.axes) == 1:  # a second coordinate without meaning, the same for each example every time
            spread = np.random.default_rng(0).uniform(-1 / 3, 1 / 3, (len(codes), 1))
            codes = np.hstack((codes, spread * self.limit))
            if self.coordinates == "u":
                return np.hstack((to_u(codes[:, :1]), spread + 0.5))
        return to_u(codes) if self.coordinates == "u" else codes

    def _values(self, snapshot: Snapshot) -> tuple[np.ndarray, list[str], tuple[float, float]]:
        """Return a value of each point, the colours, and the values at their ends."""
        if self.color_by == "label":
            labels, count = self.dataset.labels, max(1, len(self.dataset.class_names))
            values = np.zeros(len(snapshot.ids)) if labels is None else labels.numpy()[snapshot.ids]
            return values, class_colors(count), (-0.5, count - 0.5)
        mu, logvar = snapshot.embedding
        if self.color_by == "KL":
            values = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
        else:
            values = np.exp(0.5 * logvar).mean(1)
        low, high = np.percentile(values, (1, 99))
        return values, list(NUMBERS), (float(low), float(max(high, low + 1e-6)))

    def _dress_scatter(self, axes: Axes) -> None:
        bounds = (0.0, 1.0) if self.coordinates == "u" else (-self.limit, self.limit)
        axes.set(xlim=bounds, ylim=bounds)
        if not self._on_map:
            axes.grid(color=self._paper.faint, linewidth=0.7)
        names = [f"z{axis + 1}" for axis in self.axes]
        if self.coordinates == "u":
            names = [
                f"u{axis + 1} = Φ({name}), percentile of the prior" for axis, name in zip(self.axes, names, strict=True)
            ]
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1] if len(names) > 1 else NO_SECOND)
        even_ticks(axes)
        if len(names) == 1:
            axes.set_yticks([])

    def _show_ground(self, axes: Axes, picture: UInt8[np.ndarray, "R S C"]) -> None:
        if self._ground is None:
            self._ground = draw_picture(axes, picture, (0, 1, 0, 1))
        self._ground.set_data(picture[..., 0] if picture.shape[-1] == 1 else picture)

    def _draw_scale(self, colors: list[str]) -> None:
        assert self._dots is not None
        axes = place(self.figure, LEFT + PLANE + 14, TOP + 20, 10, PLANE - 40, self._paper)
        bar = self.figure.colorbar(self._dots, cax=axes, cmap=ListedColormap(colors))
        bar.outline.set_visible(False)
        write(self.figure, {"KL": "KL (nats)", "σ": "mean σ"}[self.color_by], LEFT + PLANE + 10, TOP + 8, self._paper)

    def _legend_names(self) -> list[str]:
        names = list(self.dataset.class_names) if self.dataset.labels is not None else []
        return names if len(names) <= MOST_NAMES else []

    def _write_names(self, names: list[str], left: float) -> None:
        across, down = self._canvas.get_width_height()
        for i, (name, color) in enumerate(zip(names, class_colors(len(names)), strict=True)):
            top = TOP + 10 + i * LINE
            mark = Rectangle(
                (left / across, 1 - (top + 4) / down),
                8 / across,
                8 / down,
                color=color,
                transform=self.figure.transFigure,
            )
            self.figure.add_artist(mark)
            write(self.figure, name, left + 14, top, self._paper, fontsize=SMALL + 0.5)

    # The manifold

    def _grid(self) -> Float[np.ndarray, "tiles L"]:
        ticks = prior_ticks(self.side) if self.manifold_range == "u" else linear_ticks(self.side, self.limit)
        up = None if len(self.axes) == 1 else ticks
        return manifold_codes(ticks, up, latent_dim=self.latent_dim, axes=self.axes)

    def _picture(self, snapshot: Snapshot) -> UInt8[np.ndarray, "R S C"]:
        images = as_bytes(decode(snapshot.vae, self._codes.astype(np.float32)))
        return tile(images, len(images) // self.side, self.side)

    @property
    def _extent(self) -> tuple[float, float, float, float]:
        low, high = (0.0, 1.0) if self.manifold_range == "u" else (-self.limit, self.limit)
        return low, high, low, high

    def _dress_manifold(self, axes: Axes) -> None:
        plane = len(self.axes) > 1
        names = [f"z{axis + 1}" for axis in self.axes]
        if self.manifold_range == "u":
            names = [f"{name} at percentiles of the prior" for name in names]
            percentile_ticks(axes, up=plane)
        else:
            even_ticks(axes)
            if not plane:
                axes.set_yticks([])
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1] if plane else "")
        axes.autoscale(False)
        axes.set(xlim=self._extent[:2], ylim=self._extent[2:])


def plane_words(code: Float[np.ndarray, " L"]) -> str:
    """Return a code as it is written in figures; of many dimensions the first few."""
    words = [number(value, 2) for value in code[:4]]
    return f"({', '.join(words)}{', …' if len(code) > len(words) else ''})"


def _legend_width(names: Sequence[str]) -> float:
    return 38 + 7 * max(map(len, names)) if names else 16


def _check_choice(field: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{field}={value!r}: must be {', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}")
