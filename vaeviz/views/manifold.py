"""The decoder's side: what it makes of a grid of codes."""

import holoviews as hv
import numpy as np
import panel_material_ui as pmui
from bokeh.models import FixedTicker
from scipy.special import ndtr

from vaeviz.views.plane import PlaneView
from vaeviz.views.planes import Coordinates
from vaeviz.views.plots import picture_plot
from vaeviz.views.view import COMPACT, live

Z_TICKS = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])


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
        self._tiles = hv.streams.Pipe(data=self._picture())
        empty = hv.streams.Pipe(data=())
        plot = live(self._picture_plot, self._tiles) * live(lambda: hv.Points([]).opts(alpha=0), empty)
        x_range, y_range = self._ranges()
        self._figure = self._pane(plot, xlim=x_range, ylim=y_range)
        self._range = pmui.RadioButtonGroup.from_param(
            self.state.param.manifold_range,
            options={"inverse CDF": "u", "linear": "z"},
            label="",
            size="small",
            margin=0,
            sx=COMPACT,
        )
        self._side = pmui.Select.from_param(
            self.state.param.manifold_side,
            options={f"n = {n}": n for n in (10, 15, 20, 24, 30, 40, 60, 100)},
            label="",
            size="small",
            margin=0,
            sx=COMPACT,
            width=92,
        )
        self._layout = self._card(self._figure, self._side, self._range)
        self._shown_range = (self.state.frame.coordinates, self.state.frame.limit, self.state.frame.axes)
        self.state.param.watch(self._update_tiles, "frame")

    @property
    def plane_coordinates(self) -> Coordinates:
        """u for the inverse-CDF grid, z for the linear one: in these the tiles are equally large."""
        return self.state.frame.coordinates

    def _dress(self, figure) -> None:
        self._label_axes(figure)

    def _picture(self) -> tuple:
        frame = self.state.frame
        x_range, y_range = self._ranges()
        if self.state.latent_dim == 1:  # a strip, as high as one tile
            middle, half = sum(y_range) / 2, (y_range[1] - y_range[0]) / self.state.manifold_side / 2
            y_range = middle - half, middle + half
        return frame.manifold, (x_range[0], y_range[0], x_range[1], y_range[1])

    def _picture_plot(self, picture, bounds):
        return picture_plot(picture, bounds).opts(tools=["pan", "wheel_zoom", "reset"])

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        frame = self.state.frame
        side = (0.0, 1.0) if frame.coordinates == "u" else (-frame.limit, frame.limit)
        return side, side

    def _update_tiles(self, *_) -> None:
        self._tiles.send(self._picture())
        frame = self.state.frame
        shown = (frame.coordinates, frame.limit, frame.axes)
        if shown != self._shown_range:
            self._shown_range = shown
            self._set_ranges(*self._ranges())
            for marks in self._marks.values():
                self._label_axes(marks.figure)
            self._update_path()

    def _label_axes(self, figure) -> None:
        super()._label_axes(figure)
        inverse_cdf = self.plane_coordinates == "u"
        for axis, number in zip((figure.xaxis, figure.yaxis), self.state.plane_axes, strict=False):
            axis.axis_label = f"z{number + 1}" + (" at percentiles of the prior" if inverse_cdf else "")
            if inverse_cdf:
                labels = {float(ndtr(z)): f"{z:g}" for z in Z_TICKS}
                axis.ticker = FixedTicker(ticks=list(labels))
                axis.major_label_overrides = labels
            else:
                axis.ticker = FixedTicker(ticks=[-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6])
                axis.major_label_overrides = {}


