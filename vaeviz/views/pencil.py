"""Drawing a line by hand on a plane: while the pencil is on, a drag draws, and moves neither plot nor selection."""

from collections.abc import Callable

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.plotting import figure as Figure
from jaxtyping import Float

# The tools that drag rest while the pencil is on, also one that is chosen meanwhile.
REST_JS = """
if (pencil.data.on[0]) {
  const busy = fig.toolbar.tools.filter((t) => t.active && ["PanTool", "LassoSelectTool", "BoxSelectTool",
    "BoxZoomTool"].includes(t.type))
  if (busy.length > 0) {
    pencil._resting = busy
    busy.forEach((t) => { t.active = false })
  }
} else if (pencil._resting) {
  pencil._resting.forEach((t) => { t.active = true })
  pencil._resting = null
}
"""
# The line is seen in the browser at once; the server hears of it when the hand lets go.
START_JS = """
if (!pencil.data.on[0]) { return }
pencil._before = path.data
pencil._line = {x: [cb_obj.x], y: [cb_obj.y]}
pencil._at = [cb_obj.sx, cb_obj.sy]
"""
DRAW_JS = """
const line = pencil._line, [sx, sy] = pencil._at ?? []
if (!line || Math.hypot(cb_obj.sx - sx, cb_obj.sy - sy) < 2) { return }
pencil._at = [cb_obj.sx, cb_obj.sy]
line.x.push(cb_obj.x)
line.y.push(cb_obj.y)
path.data.x = Array.from(line.x)
path.data.y = Array.from(line.y)
path.change.emit()
"""
END_JS = """
const line = pencil._line
pencil._line = null
if (line && line.x.length > 1) { stroke.data = line }
"""


class Pencil:
    """Draws on one figure.

    Parameters
    ----------
    figure
        A Bokeh figure of a plane.
    path : ColumnDataSource
        The line's, with x and y; it shows what is being drawn.
    on_line : callable
        Called with the points of a line that is finished, in the figure's coordinates.
    """

    def __init__(
        self, figure: Figure, path: ColumnDataSource, on_line: Callable[[Float[np.ndarray, "P 2"]], None]
    ) -> None:
        self._on_line = on_line
        self._on = ColumnDataSource({"on": [False]}, name="pencil")
        self._stroke = ColumnDataSource({"x": [], "y": []}, name="stroke")
        self._stroke.on_change("data", self._on_stroke)
        args = {"fig": figure, "pencil": self._on, "path": path, "stroke": self._stroke}
        rest = CustomJS(args=args, code=REST_JS)
        self._on.js_on_change("data", rest)
        figure.js_on_event("mousemove", rest)
        for event, code in (("panstart", START_JS), ("pan", DRAW_JS), ("panend", END_JS)):
            figure.js_on_event(event, CustomJS(args=args, code=code))

    def switch(self, on: bool) -> None:
        """Let drags draw, or let them be as they were."""
        self._on.data = {"on": [on]}

    def _on_stroke(self, attr: str, old: dict, new: dict) -> None:
        self._on_line(np.stack((new["x"], new["y"]), axis=1).astype(float))
