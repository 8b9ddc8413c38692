"""The decoder's side: what it makes of a grid of codes."""

import holoviews as hv
import numpy as np
import panel as pn
from bokeh.models import FixedTicker
from scipy.special import ndtr

from vaeviz.views.layers import PictureLayer
from vaeviz.views.plane import OPTIONS, PlaneView
from vaeviz.views.planes import Coordinates
from vaeviz.views.plots import picture_plot
from vaeviz.views.view import choice, plot_pane, switch, text

Z_TICKS = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])

CAPTION_CSS = """
:host { margin: 0; min-height: 32px; width: 100%; }
div { text-align: center; width: 100%; font-size: 12px; opacity: 0.65; }
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
        self._figure = plot_pane(self._plot())
        self._range = switch(self.state.param.manifold_range, options={"inverse CDF": "u", "linear": "z"})
        self._side = choice(
            self.state.param.manifold_side, 84, options={f"n = {n}": n for n in (10, 15, 20, 24, 30, 40, 60, 100)}
        )
        self._caption = text(css=CAPTION_CSS)
        self._layout = self._card(
            pn.Column(self._figure, self._caption, sizing_mode="stretch_both", margin=0), self._side, self._range
        )
        self._shown = self._scales()
        self.state.param.watch(self._update_tiles, "frame")
        self._update_words()

    @property
    def plane_coordinates(self) -> Coordinates:
        """U for the inverse-CDF grid, z for the linear one: in these the tiles are equally large."""
        return self.state.frame.coordinates

    def _plot(self) -> hv.Element:
        across, up = self._ranges()
        return picture_plot(*self._picture()).opts(
            tools=["pan", "wheel_zoom", "reset"],
            hooks=[self._tiles.attach, self._attach],
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
        side = frame.side
        if frame.coordinates == "u":
            where = "z = Φ⁻¹((i + ½) / n): every tile is equally probable"
        else:
            where = f"z in equal steps from −{frame.limit:g} to {frame.limit:g}"
        count = f"{side}" if self.state.latent_dim == 1 else f"{side} × {side}"
        self._caption.object = f"<div>{count} codes, {where}</div>"

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
