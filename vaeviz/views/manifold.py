"""The decoder's side: what it makes of a grid of codes."""

import holoviews as hv
import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, CustomJS, FixedTicker
from scipy.special import ndtr

from vaeviz.latent import linear_ticks, percentile_grid, prior_ticks, to_u
from vaeviz.views.hooks import weak_hooks
from vaeviz.views.layers import PictureLayer
from vaeviz.views.plane import OPTIONS, PlaneView
from vaeviz.views.planes import Coordinates
from vaeviz.views.plots import picture_plot
from vaeviz.views.view import COMPACT, choice, one_line, plot_pane, text

Z_TICKS = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])

RANGE_WORDS = "Tiles at equally probable codes, by the inverse CDF of the prior, or in equal steps of z"
LIMITS = (3.0, 4.0, 6.0)
"""Of the linear range."""

SIDES = (10, 15, 20, 24, 30, 40, 60, 100)

CAPTION_CSS = """
:host { font-size: 12px; }
:host > div > div { text-align: center; opacity: 0.65; }
"""

# The tile under the mouse is told in place of the caption, by the browser alone. Strictly contained, as the caption is,
# the words have nothing but themselves laid out anew.
TILE_JS = """
if (!fig._caption?.el.isConnected) {
  fig._caption = cb_context.index.query_one((view) => view.model.css_classes?.includes(caption))
}
const words = fig._caption?.shadow_el.querySelector("div > div")
if (!words) { return }
const {at: [at], z: [z], u: [u], rows: [rows]} = tiles.data
const step = at[1] - at[0]
const i = cb_obj.event_name === "mousemove" ? Math.round((cb_obj.x - at[0]) / step) : -1
const middle = (at[0] + at[at.length - 1]) / 2
const j = rows > 1 ? Math.round((cb_obj.y - at[0]) / step) : Math.abs(cb_obj.y - middle) <= step / 2 ? 0 : -1
let line = tiles.data.caption[0]
if (i >= 0 && i < at.length && j >= 0 && j < rows) {
  const both = rows > 1 ? [i, j] : [i]
  const sign = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2)
  line = `tile ${i + 1} across${rows > 1 ? `, ${j + 1} up` : ""}: z = ${both.map((k) => sign(z[k])).join(", ")}` +
    `; u = ${both.map((k) => u[k].toFixed(3)).join(", ")}`
}
if (words.textContent !== line) { words.textContent = line }
"""


class ManifoldView(PlaneView):
    """n × n decoded tiles, as one image: at the prior's percentiles (i + 0.5) / n, or on a linear range of z.

    Same orientation as the latent plane: z1 across, z2 up.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    title = "Manifold"
    hint = "decoder"
    figure_name = "manifold"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._tiles = PictureLayer("tiles")
        self._layers = (self._tiles,)
        self._grid = ColumnDataSource(name="tile grid")
        self._caption = text(css=one_line(20) + CAPTION_CSS, css_classes=[f"vv-caption-{self.name}"])
        self._figure = plot_pane(self._plot())
        self._range = pmui.Select(size="small", margin=0, sx=COMPACT, width=106, description=RANGE_WORDS)
        self._range.param.watch(self._on_range, "value")
        self._side = choice(
            self.state.param.manifold_side, 84, options={f"n = {n}": n for n in SIDES},
            description="Tiles along each side",
        )  # fmt: skip
        self._layout = self._card(
            pn.Column(self._figure, self._caption, sizing_mode="stretch_both", margin=0), self._side, self._range
        )
        self._shown = self._scales()
        self.state.param.watch(self._update_tiles, "frame")
        self.state.param.watch(self._update_range, ["manifold_range", "manifold_limit"])
        self._update_range()
        self._update_words()

    @property
    def plane_coordinates(self) -> Coordinates:
        """U for the inverse-CDF grid, z for the linear one: in these the tiles are equally large."""
        return self.state.frame.coordinates

    def _plot(self) -> hv.Element:
        across, up = self._ranges()
        return picture_plot(*self._picture()).opts(
            tools=["pan", "wheel_zoom", "reset"],
            hooks=weak_hooks(self._tiles.attach, self._attach),
            xlim=across,
            ylim=up,
            **OPTIONS,
        )

    def _picture(self) -> tuple:
        frame = self.state.frame
        x_range, y_range = self._ranges()
        if self.state.latent_dim == 1:  # a strip, as high as one tile
            middle, half = sum(y_range) / 2, (y_range[1] - y_range[0]) / frame.side / 2
            y_range = middle - half, middle + half
        return frame.manifold, (x_range[0], y_range[0], x_range[1], y_range[1])

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        frame = self.state.frame
        side = (0.0, 1.0) if frame.coordinates == "u" else (-frame.limit, frame.limit)
        return side, side

    def _attach(self, plot, element) -> None:
        figure = plot.state
        if figure.id not in self._marks:
            args = {"fig": figure, "tiles": self._grid, "caption": self._caption.css_classes[0]}
            for event in ("mousemove", "mouseleave"):
                figure.js_on_event(event, CustomJS(args=args, code=TILE_JS))
        super()._attach(plot, element)

    # What a person does

    def _on_range(self, event) -> None:
        if event.new is not None:
            coordinates, limit = event.new
            self.state.param.update(manifold_range=coordinates, manifold_limit=limit or self.state.manifold_limit)

    # What follows from state

    def _update_range(self, *_) -> None:
        """Offer the ranges; the linear ones are those of a few limits, and of the present one."""
        state = self.state
        limits = sorted({*LIMITS, state.manifold_limit})
        options = {"inverse CDF": ("u", None)} | {f"linear ±{limit:g}": ("z", limit) for limit in limits}
        chosen = ("u", None) if state.manifold_range == "u" else ("z", state.manifold_limit)
        if self._range.options != options or self._range.value != chosen:
            self._range.param.update(options=options, value=chosen)

    def _update_tiles(self, *_) -> None:
        self._tiles.show(*self._picture())
        shown = self._scales()
        if shown != self._shown:
            self._shown = shown
            self._update_ranges()
            for marks in self._marks.values():
                self._label_axes(marks.figure)
            self._update_path()
        self._update_words()

    def _scales(self) -> tuple:
        frame = self.state.frame
        return frame.coordinates, frame.limit, frame.plane.axes

    def _update_words(self) -> None:
        frame = self.state.frame
        side, flat = frame.side, self.state.latent_dim == 1
        if frame.coordinates == "u":
            where = "z = Φ⁻¹((i + ½) / n): every tile is equally probable"
            at, z = percentile_grid(side), prior_ticks(side)
        else:
            where = f"z in equal steps from −{frame.limit:g} to {frame.limit:g}"
            at = z = linear_ticks(side, frame.limit)
        caption = f"{side} codes, {where}" if flat else f"{side} × {side} codes, {where}"
        self._caption.object = f"<div>{caption}</div>"
        rows = 1 if flat else side
        grid = {"at": [at.tolist()], "z": [z.tolist()], "u": [to_u(z).tolist()], "rows": [rows], "caption": [caption]}
        if self._grid.data != grid:
            self._grid.data = grid

    def _label_axes(self, figure) -> None:
        super()._label_axes(figure)
        inverse_cdf = self.plane_coordinates == "u"
        for which, axis in enumerate((figure.xaxis, figure.yaxis)[: len(self.state.plane.basis)]):
            axis.axis_label = self.state.axis_name(which) + (" at percentiles of the prior" if inverse_cdf else "")
            if inverse_cdf:
                labels = {float(ndtr(z)): f"{z:g}".replace("-", "−") for z in Z_TICKS}
                axis.ticker = FixedTicker(ticks=list(labels))
                axis.major_label_overrides = labels
            else:
                axis.ticker = FixedTicker(ticks=[-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6])
                axis.major_label_overrides = {}
