"""Cursor, endpoints and path, drawn on a plane: light marks that are moved without redrawing the plot."""

from collections.abc import Callable

import numpy as np
from bokeh.events import Pan, PanEnd, PanStart
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.plotting import figure as Figure
from jaxtyping import Float

from vaeviz.views.browser import end_at_axes
from vaeviz.views.palette import MARK
from vaeviz.views.view import inner_size

HIDDEN = np.full(2, np.nan)

RADIUS = 11
"""Of an endpoint, in pixels."""

GRIP = 14
"""Pixels around an endpoint within which a drag takes hold of it."""

# While the mouse is over an endpoint, the active drag tool rests, so that a drag moves the endpoint and not the plot.
# It moves in the browser at once; the server hears of it through the same events.
HOVER_JS = """
const r = fig.x_range, q = fig.y_range, d = ends.data
if (ends._down === undefined) {
  ends._down = false
  document.addEventListener("pointerdown", () => { ends._down = true }, true)
  document.addEventListener("pointerup", () => { ends._down = false }, true)
}
if (ends._down) { return }  // a drag in progress: what it took hold of stays
let near = -1
for (let i = 0; i < d.x.length; i++) {
  const dx = (cb_obj.x - d.x[i]) / (r.end - r.start) * fig.inner_width
  const dy = (cb_obj.y - d.y[i]) / (q.end - q.start) * fig.inner_height
  if (Math.hypot(dx, dy) < grip) { near = i }
}
if (near >= 0 && !ends._resting) {
  ends._resting = fig.toolbar.tools.filter((t) => t.active && ["PanTool", "LassoSelectTool", "BoxSelectTool",
    "BoxZoomTool"].includes(t.type))
  ends._resting.forEach((t) => { t.active = false })
} else if (near < 0 && ends._resting) {
  ends._resting.forEach((t) => { t.active = true })
  ends._resting = null
}
ends._near = near
"""
START_JS = "ends._held = ends._near ?? -1"
DRAG_JS = """
if (!(ends._held >= 0)) { return }
const d = ends.data, x = Array.from(d.x), y = Array.from(d.y)
x[ends._held] = cb_obj.x
y[ends._held] = cb_obj.y
d.x = x
d.y = y
ends.change.emit()
"""
END_JS = "ends._held = -1"

# What follows the mouse are elements of the page over the plot, and not glyphs: a glyph that moves has Bokeh paint a
# layer of its figure anew and measure its axes, which takes a slow machine longer than all the rest from hand to eye.
SPOTS_JS = """
const view = cb_context.index.find_one(fig)
const bbox = view?.frame?.bbox
if (!(bbox?.width > 0)) { return }
if (!view._spots?.isConnected) {
  view._spots = document.createElement("div")
  view._spots.className = "vv-spots"
  view._spots.style.cssText = "position:absolute;contain:strict;pointer-events:none"
  view._spots.innerHTML = looks.map((look) => `<div style="position:absolute;left:0;top:0">${look}</div>`).join("")
  view.canvas_view.overlays_el.append(view._spots)
}
for (const side of ["left", "top", "width", "height"]) {
  const length = `${bbox[side]}px`
  if (view._spots.style[side] !== length) { view._spots.style[side] = length }
}
const {x, y} = spots.data
for (let i = 0; i < x.length; i++) {
  const style = view._spots.children[i].style
  const sx = view.frame.x_scale.compute(x[i]) - bbox.left, sy = view.frame.y_scale.compute(y[i]) - bbox.top
  style.display = isFinite(sx + sy) ? "block" : "none"
  style.transform = `translate(${sx}px, ${sy}px)`
}
"""
BAR = "position:absolute;box-sizing:border-box;border:1px solid white;background:" + MARK
LOOKS = (
    f'<div style="{BAR};left:-13px;top:-2px;width:26px;height:4px"></div>'
    f'<div style="{BAR};left:-2px;top:-13px;width:4px;height:26px"></div>',
    f'<div style="position:absolute;left:-7px;top:-7px;width:10px;height:10px;border:2px solid {MARK};'
    'border-radius:50%"></div>',
)
"""Cursor and nearest example, in the order of the rows of the spots' source."""


def nearest_in(figure: Figure, x: float, y: float) -> tuple[float, float]:
    """Return the point of what a figure shows that is nearest to a point: events come from its margins, too."""
    across, up = figure.x_range, figure.y_range
    return float(np.clip(x, across.start, across.end)), float(np.clip(y, up.start, up.end))


class Marks:
    """The marks on one figure.

    Parameters
    ----------
    figure
        A Bokeh figure of a plane.
    on_drag : callable
        Called with 0 (A) or 1 (B), x and y in the figure's coordinates while an endpoint is dragged.
    """

    def __init__(self, figure: Figure, on_drag: Callable[[int, float, float], None]) -> None:
        self.figure = figure
        self._on_drag = on_drag
        self._held: int | None = None
        self._spots = ColumnDataSource({"x": [], "y": []}, name=f"{figure.name} spots")
        self.path = ColumnDataSource({"x": [], "y": []}, name="path")
        self.ends = ColumnDataSource({"x": [], "y": [], "name": []}, name="endpoints")
        path = [
            figure.line("x", "y", source=self.path, color="white", width=4, alpha=0.6, level="overlay"),
            figure.line("x", "y", source=self.path, color=MARK, width=2, level="overlay"),
        ]
        ends = [
            figure.scatter("x", "y", source=self.ends, size=2 * RADIUS, fill_color=MARK, line_color="white",
                           line_width=2, level="overlay"),
            figure.text("x", "y", text="name", source=self.ends, text_color="white", text_font_size="12px",
                        text_font_style="bold", text_align="center", text_baseline="middle", level="overlay"),
        ]  # fmt: skip
        for renderer in (*path, *ends):
            renderer.update(nonselection_glyph=None, selection_glyph=None)
        end_at_axes(figure, path)
        end_at_axes(figure, ends, RADIUS + 2)
        args = {"fig": figure, "ends": self.ends, "grip": GRIP}
        for event, code in (("mousemove", HOVER_JS), ("panstart", START_JS), ("pan", DRAG_JS), ("panend", END_JS)):
            figure.js_on_event(event, CustomJS(args=args, code=code))
        place = CustomJS(args={"fig": figure, "spots": self._spots, "looks": LOOKS}, code=SPOTS_JS)
        self._spots.js_on_change("data", place)
        for model, names in ((figure, ("inner_width", "inner_height")), (figure.x_range, ("start", "end")),
                             (figure.y_range, ("start", "end"))):  # fmt: skip
            for name in names:
                model.js_on_change(name, place)
        figure.on_event(PanStart, self._on_pan_start)
        figure.on_event(Pan, self._on_pan)
        figure.on_event(PanEnd, self._on_pan_end)

    @property
    def held(self) -> int | None:
        """The endpoint that is being dragged, if any."""
        return self._held

    def point(self, cursor: Float[np.ndarray, " 2"] | None, nearest: Float[np.ndarray, " 2"]) -> None:
        """Mark where the cursor is (None where the hand itself shows it) and the example nearest to it."""
        points = np.stack((HIDDEN if cursor is None else cursor, nearest))
        # As lists: each array would go as a message of its own.
        self._spots.data = {"x": points[:, 0].tolist(), "y": points[:, 1].tolist()}

    def move(self, source: ColumnDataSource, points: Float[np.ndarray, "N 2"]) -> None:
        """Move the path or its ends to points in the figure's coordinates."""
        data = {"x": points[:, 0].tolist(), "y": points[:, 1].tolist()}
        if source is self.ends:
            data["name"] = ["A", "B"][: len(points)]
        source.data = data

    def _on_pan_start(self, event: PanStart) -> None:
        x_range, y_range = self.figure.x_range, self.figure.y_range
        width, height = inner_size(self.figure) or (1, 1)
        for which, (x, y) in enumerate(zip(self.ends.data["x"], self.ends.data["y"], strict=True)):
            across = (event.x - x) / (x_range.end - x_range.start) * width
            up = (event.y - y) / (y_range.end - y_range.start) * height
            if np.hypot(across, up) < GRIP * 1.5:
                self._held = which

    def _on_pan(self, event: Pan) -> None:
        if self._held is not None:
            self._on_drag(self._held, *nearest_in(self.figure, event.x, event.y))

    def _on_pan_end(self, event: PanEnd) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._on_drag(held, *nearest_in(self.figure, event.x, event.y))
