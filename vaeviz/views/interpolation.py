"""From A to B: the strip of images on the path between two codes, and a frame that plays along it."""

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.models import ColumnDataSource, CustomJS, FixedTicker

from vaeviz.latent import decode, path
from vaeviz.views.layers import PictureLayer
from vaeviz.views.palette import MARK
from vaeviz.views.pictures import mosaic
from vaeviz.views.plots import picture_plot
from vaeviz.views.view import COMPACT, View, dress, plot_pane, switch, toggle

FRAMES = 20
PLAY_PERIOD_MS = 80

# A tile keeps its shape: the strip is as wide as the card, and the vertical range gives way.
TILE_SHAPE_JS = """
const w = fig.inner_width, h = fig.inner_height
if (!(w > 0 && h > 0)) { return }
const half = h / (w / (fig.x_range.end - fig.x_range.start) / tiles * shape.data.ratio[0]) / 2
fig.y_range.setv({start: 0.5 - half, end: 0.5 + half})
"""
PLAY_STEP = 0.02


class InterpolationView(View):
    """Decoded images on the path from A to B, linear or spherical; t moves along it.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    playing = param.Boolean(False, doc="Whether t moves by itself, to and fro.")

    title = "Interpolation"
    hint = "drag A and B in either plane, or tap beside one"
    figure_name = "interpolation"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._marks: dict[str, ColumnDataSource] = {}
        self._shapes: list[ColumnDataSource] = []
        self._strip, self._now = PictureLayer("strip"), PictureLayer("now")
        self._strip_pane, self._now_pane = plot_pane(), plot_pane()
        self._channels = 0
        self._update_run()
        self._slider = pmui.FloatSlider.from_param(
            self.state.param.path_at, label="t", start=0, end=1, step=0.01, size="small", sizing_mode="stretch_width",
            margin=(0, 22), show_value=True,
        )  # fmt: skip
        self._pick = pmui.Button(
            label="A, B from selection", size="small", variant="outlined", margin=0, sx=COMPACT, disabled=True,
            on_click=self._on_pick,
            description="Puts A at the first selected example's code and B at the last one's",
        )  # fmt: skip
        self._layout = self._card(
            pn.Row(
                pn.Column(self._now_pane, width=176, height=176, margin=(0, 0, 8, 10)),
                pn.Column(
                    pn.Column(self._strip_pane, height=124, sizing_mode="stretch_width", margin=0),
                    self._slider,
                    sizing_mode="stretch_both",
                    margin=0,
                ),
                sizing_mode="stretch_both",
                margin=0,
                stylesheets=[":host { align-items: center; }"],
            ),
            self._pick,
            switch(self.state.param.path_kind),
            toggle(self.param.playing, "Play", icon="play_arrow"),
        )
        self._clock = None
        self.state.param.watch(self._update_strip, ["endpoints", "path_kind", "frame"])
        self.state.param.watch(self._update_now, "path_at")
        self.state.param.watch(self._update_pick, "selection")

    # What a person does

    def _on_pick(self, _) -> None:
        rows = self.state.selection
        self.state.place_endpoint(0, self.state.frame.snapshot.mu[rows[0]].astype(float))
        self.state.place_endpoint(1, self.state.frame.snapshot.mu[rows[-1]].astype(float))

    @param.depends("playing", watch=True)
    def _on_play(self) -> None:
        if self._clock is not None:
            self._clock.stop()
            self._clock = None
        if self.playing:
            self._forward = True
            self._clock = pn.state.add_periodic_callback(self._advance, period=PLAY_PERIOD_MS)

    async def _advance(self) -> None:
        t = self.state.path_at + (PLAY_STEP if self._forward else -PLAY_STEP)
        if not 0 <= t <= 1:
            self._forward = not self._forward
            t = min(max(t, 0), 1)
        self.state.path_at = round(t, 4)

    # What follows from state

    def _codes(self, count: int) -> np.ndarray:
        return path(*self.state.endpoints, count, self.state.path_kind)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        return decode(self.state.frame.snapshot.vae, codes.astype(np.float32))

    def _pictures(self) -> tuple:
        return mosaic(self._decode(self._codes(FRAMES)), 1, FRAMES), (0, 0, 1, 1)

    def _picture(self) -> tuple:
        at = self.state.path_at
        fine = self._codes(101)
        return mosaic(self._decode(fine[[round(at * 100)]]), 1, 1), (0, 0, 1, 1)

    def _update_run(self, *_) -> None:
        channels, height, width = self.state.run.dataset.image_shape
        for shape in self._shapes:
            shape.data = {"ratio": [height / width]}
        if channels != self._channels:  # gray and colour are drawn by different glyphs
            self._channels = channels
            self._marks.clear()
            self._shapes.clear()
            self._strip.clear()
            self._now.clear()
            options = {"responsive": True, "default_tools": [], "toolbar": None, "framewise": False}
            self._strip_pane.object = picture_plot(*self._pictures()).opts(
                hooks=[self._strip.attach, self._attach], xlim=(-0.01, 1.01), ylim=(0, 1), yaxis=None, **options
            )
            self._now_pane.object = picture_plot(*self._picture()).opts(
                hooks=[self._now.attach, self._attach_now], xlim=(0, 1), ylim=(0, 1), xaxis=None, yaxis=None, **options
            )

    def _attach(self, plot, element) -> None:
        figure = plot.state
        if figure.id in self._marks:
            return
        dress(figure, self.figure_name)
        figure.update(toolbar_location=None)
        figure.xaxis.axis_label = "t, from A (0) to B (1)"
        figure.xaxis.ticker = FixedTicker(ticks=[0, 0.25, 0.5, 0.75, 1])
        figure.grid.visible = False
        _, height, width = self.state.run.dataset.image_shape
        shape = ColumnDataSource({"ratio": [height / width]}, name="shape")
        self._shapes.append(shape)
        fit = CustomJS(args={"fig": figure, "shape": shape, "tiles": FRAMES}, code=TILE_SHAPE_JS)
        for name in ("inner_width", "inner_height"):
            figure.js_on_change(name, fit)
        shape.js_on_change("data", fit)
        source = ColumnDataSource({"x": [self.state.path_at]}, name="t")
        figure.vspan(x="x", source=source, line_color=MARK, line_width=3)
        self._marks[figure.id] = source

    def _attach_now(self, plot, element) -> None:
        figure = plot.state
        dress(figure, "interpolated")
        figure.update(toolbar_location=None, min_border=4)
        figure.grid.visible = False

    def _update_strip(self, *_) -> None:
        self._update_run()
        self._strip.show(*self._pictures())
        self._now.show(*self._picture())

    def _update_now(self, *_) -> None:
        self._now.show(*self._picture())
        for source in self._marks.values():
            source.data = {"x": [self.state.path_at]}

    def _update_pick(self, *_) -> None:
        self._pick.disabled = len(self.state.selection) < 2
