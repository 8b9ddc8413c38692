"""Ways through the latent space: the strip of images along a route, and a frame that plays along it."""

import numpy as np
import panel as pn
import param
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, CustomJS, Plot

from vaeviz.latent import decode
from vaeviz.views.film import FilmView
from vaeviz.views.hooks import weak_hooks
from vaeviz.views.journey import plan_journey, stop_rows
from vaeviz.views.layers import PictureLayer
from vaeviz.views.palette import MARK
from vaeviz.views.pictures import mosaic
from vaeviz.views.plots import picture_plot
from vaeviz.views.rail import Rail
from vaeviz.views.route import RouteControls
from vaeviz.views.view import View, choice, dress, headline, one_line, plot_pane, switch, text, toggle

ROWS, COLUMNS = 2, 10
TILES = ROWS * COLUMNS
FPS = 20
"""Frames a second at the speed 1."""

SPEEDS = {"½ ×": 0.5, "1 ×": 1, "2 ×": 2, "4 ×": 4}
ROUTES = {"A to B": "A to B", "morph": "morph", "walk": "walk", "draw": "drawn"}
SLIDER_STEPS = 100
SLIDER_CSS = ":host { display: flex; align-items: center; height: 26px; padding: 0 8px; box-sizing: border-box; }"
T_CSS = ":host { font-size: 12px; max-width: 56px; }"
NOWHERE = (-1e-9, -1e-9, 1e-9, 1e-9)

# Tiles keep their shape and are as large as the figure allows.
FIT_JS = """
const {inner_width, inner_height} = fig.properties  // unset until it is laid out
const w = inner_width.is_unset ? 0 : fig.inner_width, h = inner_height.is_unset ? 0 : fig.inner_height
if (!(w > 0 && h > 0)) { return }
const ratio = shape.data.ratio[0]
const size = Math.min(w / columns, h / (rows * ratio))
const across = w / size, up = h / (size * ratio)
fig.x_range.setv({start: (columns - across) / 2, end: (columns + across) / 2})
fig.y_range.setv({start: (rows - up) / 2, end: (rows + up) / 2})
"""
# An element of the page over the strip: a glyph that moves would have the whole strip painted anew.
FRAME_JS = """
const view = cb_context.index.find_one(fig)
if (!(view?.frame?.bbox?.width > 0)) { return }
if (!view._tile?.isConnected) {
  view._tile = document.createElement("div")
  view._tile.className = "vv-tile"
  view._tile.style.cssText = "position:absolute;left:0;top:0;box-sizing:border-box;pointer-events:none;" + look
  view.canvas_view.overlays_el.append(view._tile)
}
const tile = here.data.tile[0], style = view._tile.style
const column = tile % columns, row = Math.floor(tile / columns)
const left = view.frame.x_scale.compute(column), right = view.frame.x_scale.compute(column + 1)
const top = view.frame.y_scale.compute(rows - row), bottom = view.frame.y_scale.compute(rows - row - 1)
style.display = tile < 0 ? "none" : "block"
style.transform = `translate(${left}px, ${top}px)`
style.width = `${right - left}px`
style.height = `${bottom - top}px`
"""
LOOK = f"border:3px solid {MARK};box-shadow:0 0 0 1px white inset"


class InterpolationView(View):
    """Decoded images along a route: from A to B, a morph through examples, a random walk, or a line drawn by hand.

    Twenty of its frames stand in the strip; the large one is where t is, which plays along the route, to and fro, and
    round and round in a morph.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    playing = param.Boolean(False, doc="Whether t moves by itself.")
    speed = param.Selector(default=1, objects=SPEEDS, doc="How fast it plays.")

    title = "Interpolation"
    figure_name = "interpolation"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._here: dict[str, ColumnDataSource] = {}
        self._shapes: dict[str, ColumnDataSource] = {}
        self._strip, self._now = PictureLayer("strip"), PictureLayer("now")
        self._strip_pane, self._now_pane = plot_pane(), plot_pane()
        self._image_shape: tuple[int, ...] = ()
        self._clock = None
        self._forward = True
        self._journey = plan_journey(self.state)
        self._update_run()
        self.controls, self.film = RouteControls(self.state), FilmView(self.state)
        self._slider = Rail(self._on_slide, end=SLIDER_STEPS, label="t, along the route")
        self._t = text(css=one_line(20) + T_CSS, align="center")
        self._layout = self._card(
            pn.Row(
                pn.Column(self._now_pane, width=190, sizing_mode="stretch_height", margin=(0, 0, 0, 8)),
                pn.Column(
                    pn.Column(self._strip_pane, sizing_mode="stretch_both", margin=0),
                    pn.Row(self._slider, self._t, stylesheets=[SLIDER_CSS], margin=0, sizing_mode="stretch_width"),
                    self.controls,
                    sizing_mode="stretch_both",
                    margin=0,
                ),
                sizing_mode="stretch_both",
                margin=0,
            ),
            switch(self.state.param.route, options=ROUTES),
            choice(self.param.speed, 62),
            toggle(self.param.playing, "Play", icon="play_arrow", description=""),
            self.film,
        )
        self._update_now()
        self._update_words()
        self.state.param.watch(
            self._update_strip,
            ["frame", "route", "endpoints", "path_kind", "morph_rows", "frames_per_leg", "walk_seed", "walk_frames",
             "drawn"],
        )  # fmt: skip
        self.state.param.watch(self._update_now, "path_at")

    # What a person does

    def _on_slide(self, place: int) -> None:
        if 0 <= place <= SLIDER_STEPS:
            self.state.path_at = place / SLIDER_STEPS

    def _on_tap(self, event: Tap) -> None:
        """Go to the tile that is tapped."""
        column, row = int(np.floor(event.x)), ROWS - 1 - int(np.floor(event.y))
        if 0 <= column < COLUMNS and 0 <= row < ROWS:
            self.state.path_at = (row * COLUMNS + column) / (TILES if self._journey.loop else TILES - 1)

    @param.depends("playing", "speed", watch=True)
    def _on_play(self) -> None:
        self.film.fps = min(FPS * self.speed, 50)
        if self._clock is not None:
            self._clock.stop()
            self._clock = None
        if self.playing:
            self._clock = pn.state.add_periodic_callback(self._advance, period=int(1000 / FPS / min(self.speed, 1)))

    async def _advance(self) -> None:
        if not self.state.is_behind:
            self.advance()

    def advance(self) -> None:
        """Go on by a frame, or more at a high speed: to and fro, or round and round in a loop."""
        journey = self._journey
        step = max(1, int(self.speed))
        frame = journey.frame_at(self.state.path_at) + (step if self._forward or journey.loop else -step)
        if journey.loop:
            frame %= journey.spaces
        elif not 0 < frame < journey.spaces:
            self._forward = frame <= 0
            frame = min(max(frame, 0), journey.spaces)
        self.state.path_at = frame / journey.spaces

    # What follows from state

    def _decode(self, codes: np.ndarray, rows: int, columns: int) -> tuple:
        """Return the decoded codes as a picture and where it lies; without codes, one that is not seen."""
        if not len(codes):
            return np.zeros((1, 1, self.state.run.dataset.image_shape[0]), np.uint8), NOWHERE
        images = decode(self.state.frame.snapshot.vae, codes.astype(np.float32))
        return mosaic(images, rows, columns), (0, 0, columns, rows)

    def _pictures(self) -> tuple:
        codes = self._journey.codes
        return self._decode(self._journey.along(TILES) if len(codes) else codes, ROWS, COLUMNS)

    def _picture(self) -> tuple:
        codes, frame = self._journey.codes, self._journey.frame_at(self.state.path_at)
        return self._decode(codes[frame : frame + 1], 1, 1)

    def _tile(self) -> int:
        """Return the tile that is nearest to t, or -1 where there is nothing to see."""
        if not len(self._journey.codes):
            return -1
        t = self.state.path_at
        return round(t * TILES) % TILES if self._journey.loop else round(t * (TILES - 1))

    def _update_run(self) -> None:
        shape = self.state.run.dataset.image_shape
        before, self._image_shape = self._image_shape, shape
        if shape == before:
            return
        for source in self._shapes.values():
            source.data = {"ratio": [shape[1] / shape[2]]}
        if shape[:1] != before[:1]:  # gray and colour are drawn by different glyphs
            self._here.clear()
            self._shapes.clear()
            for layer, pane, pictures, hook in (
                (self._strip, self._strip_pane, self._pictures(), self._attach),
                (self._now, self._now_pane, self._picture(), self._attach_now),
            ):
                layer.clear()
                pane.object = picture_plot(*pictures).opts(
                    hooks=weak_hooks(layer.attach, hook), xaxis=None, yaxis=None, responsive=True, default_tools=[],
                    toolbar=None, framewise=False,
                )  # fmt: skip

    def _attach(self, plot, element) -> None:
        figure = plot.state
        if figure.id in self._shapes:
            return
        self._fit(figure, self.figure_name, ROWS, COLUMNS)
        here = ColumnDataSource({"tile": [self._tile()]}, name="t")
        args = {"fig": figure, "here": here, "rows": ROWS, "columns": COLUMNS, "look": LOOK}
        place = CustomJS(args=args, code=FRAME_JS)
        here.js_on_change("data", place)
        for axis in (figure.x_range, figure.y_range):
            for name in ("start", "end"):
                axis.js_on_change(name, place)
        for name in ("inner_width", "inner_height"):
            figure.js_on_change(name, place)
        figure.on_event(Tap, self._on_tap)
        self._here[figure.id] = here

    def _attach_now(self, plot, element) -> None:
        if plot.state.id not in self._shapes:
            self._fit(plot.state, "interpolated", 1, 1)

    def _fit(self, figure: Plot, name: str, rows: int, columns: int) -> None:
        dress(figure, name)
        figure.update(toolbar_location=None, min_border=2)
        figure.grid.visible = False
        shape = ColumnDataSource({"ratio": [self._image_shape[1] / self._image_shape[2]]}, name="shape")
        fit = CustomJS(args={"fig": figure, "shape": shape, "rows": rows, "columns": columns}, code=FIT_JS)
        for size in ("inner_width", "inner_height"):
            figure.js_on_change(size, fit)
        shape.js_on_change("data", fit)
        self._shapes[figure.id] = shape

    def _update_strip(self, *_) -> None:
        if not self.shown:
            return
        self._journey = plan_journey(self.state)
        self._update_run()
        self._strip.show(*self._pictures())
        self._update_now()
        self._update_words()

    def _update_now(self, *_) -> None:
        if not self.shown:
            return
        self._now.show(*self._picture())
        tile = {"tile": [self._tile()]}
        for source in self._here.values():
            if source.data != tile:
                source.data = tile
        self._slider.value = round(self.state.path_at * SLIDER_STEPS)
        self._t.object = f"<div>t = {self.state.path_at:.2f}</div>"

    @param.depends("shown", watch=True)
    def _on_shown(self) -> None:
        self.playing = self.playing and self.shown
        self._update_strip()

    def _update_words(self) -> None:
        frames = len(self._journey.codes)
        hint = {
            "A to B": f"drag A and B; examples are 0 to {len(self.state.frame.snapshot.ids) - 1:,}",
            "morph": f"{len(stop_rows(self.state))} examples, {frames:,} frames, in a loop",
            "walk": f"{frames:,} frames under the prior",
            "drawn": f"{frames:,} frames along your line" if frames else "nothing is drawn yet",
        }[self.state.route]
        words = headline(self.title, hint)
        if self._title.object != words:
            self._title.object = words
