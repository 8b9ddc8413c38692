"""Cursor, endpoints and path, drawn on a plane: light glyphs that are moved without redrawing the plot."""

from collections.abc import Callable

import numpy as np
from bokeh.events import Pan, PanEnd, PanStart
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.plotting import figure as Figure
from jaxtyping import Float

from vaeviz.views.palette import MARK

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
        self.path = ColumnDataSource({"x": [], "y": []}, name="path")
        self.ends = ColumnDataSource({"x": [], "y": [], "name": []}, name="endpoints")
        self.cursor = ColumnDataSource({"x": [], "y": []}, name="cursor")
        self.nearest = ColumnDataSource({"x": [], "y": []}, name="nearest")
        figure.line("x", "y", source=self.path, color="white", width=4, alpha=0.6, level="overlay")
        figure.line("x", "y", source=self.path, color=MARK, width=2, level="overlay")
        figure.scatter("x", "y", source=self.ends, size=22, fill_color=MARK, line_color="white", line_width=2,
                       level="overlay")  # fmt: skip
        figure.text("x", "y", text="name", source=self.ends, text_color="white", text_font_size="12px",
                    text_font_style="bold", text_align="center", text_baseline="middle", level="overlay")  # fmt: skip
        figure.scatter("x", "y", source=self.nearest, size=13, fill_alpha=0, line_color=MARK, line_width=2,
                       level="overlay")  # fmt: skip
        for color, width in (("white", 5), (MARK, 2.5)):
            figure.scatter("x", "y", source=self.cursor, marker="cross", size=24, line_color=color, line_width=width,
                           level="overlay")  # fmt: skip
        for renderer in figure.renderers[-7:]:
            renderer.update(nonselection_glyph=None, selection_glyph=None)
        args = {"fig": figure, "ends": self.ends, "grip": GRIP}
        for event, code in (("mousemove", HOVER_JS), ("panstart", START_JS), ("pan", DRAG_JS), ("panend", END_JS)):
            figure.js_on_event(event, CustomJS(args=args, code=code))
        figure.on_event(PanStart, self._on_pan_start)
        figure.on_event(Pan, self._on_pan)
        figure.on_event(PanEnd, self._on_pan_end)

    @property
    def held(self) -> int | None:
        """The endpoint that is being dragged, if any."""
        return self._held

    def move(self, source: ColumnDataSource, points: Float[np.ndarray, "N 2"]) -> None:
        """Move a mark to points in the figure's coordinates; no points hide it."""
        data = {"x": points[:, 0].tolist(), "y": points[:, 1].tolist()}
        if source is self.ends:
            data["name"] = ["A", "B"][: len(points)]
        if data["x"] or source.data["x"]:  # a hidden mark that stays hidden is not sent
            source.data = data

    def _on_pan_start(self, event: PanStart) -> None:
        x_range, y_range = self.figure.x_range, self.figure.y_range
        width, height = self.figure.inner_width or 1, self.figure.inner_height or 1
        for which, (x, y) in enumerate(zip(self.ends.data["x"], self.ends.data["y"], strict=True)):
            across = (event.x - x) / (x_range.end - x_range.start) * width
            up = (event.y - y) / (y_range.end - y_range.start) * height
            if np.hypot(across, up) < GRIP * 1.5:
                self._held = which

    def _on_pan(self, event: Pan) -> None:
        if self._held is not None:
            self._on_drag(self._held, event.x, event.y)

    def _on_pan_end(self, event: PanEnd) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._on_drag(held, event.x, event.y)
