"""What a lasso or a box holds, found where the points are: a million of them need not be in the browser."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Literal

import numpy as np
from bokeh.events import PanEnd, PanStart, SelectionGeometry
from bokeh.plotting import figure as Figure
from jaxtyping import Float, Int

from vaeviz.views.raster import beside
from vaeviz.views.state import ExplorerState

Mode = Literal["replace", "append", "intersect", "subtract"]


def rows_inside(points: Float[np.ndarray, "N 2"], geometry: Mapping[str, Any]) -> Int[np.ndarray, " n"]:
    """Return the rows of the points within what a select tool has drawn.

    Parameters
    ----------
    points : ndarray (N, 2)
        In the figure's coordinates; a row with a NaN lies nowhere.
    geometry
        Of a SelectionGeometry event: a "rect" from x0, y0 to x1, y1, or a "poly" with corners x and y.
    """
    if geometry["type"] == "rect":
        corners = np.array([[geometry["x0"], geometry["y0"]], [geometry["x1"], geometry["y1"]]], float)
    else:
        corners = np.stack([np.asarray(geometry["x"], float), np.asarray(geometry["y"], float)], axis=1)
    (left, bottom), (right, top) = corners.min(0), corners.max(0)
    across, up = points[:, 0], points[:, 1]
    rows = np.flatnonzero((left <= across) & (across <= right) & (bottom <= up) & (up <= top))
    if geometry["type"] == "rect":
        return rows
    from matplotlib.path import Path  # not for every page

    return rows[Path(corners).contains_points(points[rows])]


def combined(present: Sequence[int], found: Int[np.ndarray, " n"], mode: Mode) -> list[int]:
    """Return a selection in the place of the present one, or together with it, ascending where it is combined."""
    match mode:
        case "replace":
            rows = found
        case "append":
            rows = np.union1d(np.asarray(present, int), found)
        case "intersect":
            rows = np.intersect1d(np.asarray(present, int), found)
        case "subtract":
            rows = np.setdiff1d(np.asarray(present, int), found)
    return rows.tolist()


def mode_of(modifiers: Mapping[str, bool] | None) -> Mode:
    """Return what keys that are held mean, as Bokeh's tools have it: Shift adds, Ctrl keeps what is in both."""
    held = modifiers or {}
    if held.get("shift"):
        return "subtract" if held.get("ctrl") else "append"
    return "intersect" if held.get("ctrl") else "replace"


class Lasso:
    """The select tools of a figure, for points that are not in the browser.

    The tools find nothing there but a row that stands for the selection: where Escape or Reset clears that, the
    selection is cleared. What was drawn comes as an event, and what is in it is found beside the page's own thread.

    Parameters
    ----------
    state : ExplorerState
        Whose selection it is.
    points : callable
        Returns a function that any thread may call, for the points (N, 2) in the figure's coordinates.
    """

    def __init__(self, state: ExplorerState, points: Callable[[], Callable[[], Float[np.ndarray, "N 2"]]]) -> None:
        self._state, self._points = state, points
        self._mode: Mode | None = None  # while a drag goes on
        self._active = False

    @property
    def active(self) -> bool:
        """Whether the points are not in the browser, so that what is drawn is looked at here."""
        return self._active

    @active.setter
    def active(self, active: bool) -> None:
        if active and not self._active:  # what the first lasso would else wait for
            beside(self._state, lambda: import_module("matplotlib.path"), lambda _: None, "A lasso can't be used")
        self._active = active

    def attach(self, figure: Figure) -> None:
        """Listen to the tools of this figure, too."""
        figure.on_event(PanStart, self._on_pan_start)
        figure.on_event(PanEnd, self._on_pan_end)
        figure.on_event(SelectionGeometry, self._on_geometry)

    def on_indices(self, indices: Sequence[int]) -> None:
        """Clear the selection, if the browser has cleared what stands for it and draws nothing new."""
        if not indices and self._mode is None:
            self._state.selection = []

    def _on_pan_start(self, event: PanStart) -> None:
        self._mode = mode_of(event.modifiers)

    def _on_pan_end(self, event: PanEnd) -> None:
        self._mode = None

    def _on_geometry(self, event: SelectionGeometry) -> None:
        if not self.active or not event.final:
            return
        state, mode, points = self._state, self._mode or "replace", self._points()

        def choose(rows: Int[np.ndarray, " n"] | None) -> None:
            if rows is not None:
                selection = combined(state.selection, rows, mode)
                if selection == state.selection:
                    state.param.trigger("selection")  # the browser has forgotten it
                else:
                    state.selection = selection

        beside(state, lambda: rows_inside(points(), event.geometry), choose, "The selection can't be made")
