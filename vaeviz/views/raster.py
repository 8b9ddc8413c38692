"""The picture of a large scatter in a plot: made beside the page's own thread, for the part of the plane that is seen.

While a person pans or zooms, the browser moves and stretches the picture that it has, at once; one for the new range
follows. Only one is in the making at a time, and after it the newest that is wanted: what was asked for in between is
never made.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure as Figure
from jaxtyping import UInt8

from vaeviz.views.shade import Window
from vaeviz.views.state import ExplorerState
from vaeviz.views.view import inner_size

SIDE = 450
"""Pixels of a plane's side, until the browser tells."""

SETTLE_SECONDS = 0.01
"""A zoom comes as several messages, one for each end of the ranges: the picture is begun when all are there."""

MOST_PIXELS = 640**2
"""A larger plane, as on the full screen, gets a picture of so many pixels, stretched."""

Draw = Callable[[Window], UInt8[np.ndarray, "R S 4"]]
"""Make the picture of a window; any thread may."""


def beside(
    state: ExplorerState, work: Callable[[], Any], then: Callable[[Any], None], failed: str, delay: float = 0.0
) -> None:
    """Do some work beside the page's own thread, and go on with what comes of it; where there is no loop, at once.

    Work that fails is told as the state's alert, after the words `failed`; then `then` is given None.
    """

    def tell(error: Exception) -> None:
        state.alert = f"{failed}: {error}"
        then(None)

    async def go() -> None:
        try:
            await asyncio.sleep(delay)
            found = await asyncio.to_thread(work)
        except Exception as error:  # such as no more memory: tell it, and go on
            reason = error
            state.schedule(lambda: tell(reason))
        else:
            state.schedule(lambda: then(found))

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        then(work())
        return
    task = loop.create_task(go())
    _tasks.add(task)  # the loop alone would let go of it
    task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task] = set()


class RasterLayer:
    """A picture in a plot that is made anew whenever another part of the plane is seen.

    Parameters
    ----------
    name : str
        Of its data sources.
    state : ExplorerState
        Whose document is changed.
    """

    def __init__(self, name: str, state: ExplorerState) -> None:
        self.name = name
        self._state = state
        self._sources: dict[str, tuple[Figure, ColumnDataSource]] = {}
        self._draw: Draw | None = None
        self._wanted = self._busy = False

    def attach(self, figure: Figure) -> None:
        """Draw in this figure, too."""
        source = ColumnDataSource(_nothing(), name=self.name)
        glyph = figure.image_rgba("image", "x", "y", "dw", "dh", source=source)
        glyph.update(nonselection_glyph=None, selection_glyph=None)
        self._sources[figure.id] = figure, source
        for model, names in ((figure, ("inner_width", "inner_height")), (figure.x_range, ("start", "end")),
                             (figure.y_range, ("start", "end"))):  # fmt: skip
            for name in names:
                model.on_change(name, self._on_window)
        self._want()

    def clear(self) -> None:
        """Let go of the plots that showed it: another one takes their place."""
        self._sources.clear()

    def show(self, draw: Draw) -> None:
        """Show what this draws, soon, and again whenever another part of the plane is seen."""
        self._draw = draw
        self._want()

    def hide(self) -> None:
        """Show nothing."""
        self._draw = None
        for _, source in self._sources.values():
            if len(source.data["image"]):
                source.data = _nothing()

    def _on_window(self, attr: str, old: float, new: float) -> None:
        self._want()

    def _want(self) -> None:
        self._wanted = True
        if self._draw is not None and self._sources and not self._busy:
            self._busy = True
            beside(self._state, self._make, self._put, "The points can't be drawn", SETTLE_SECONDS)

    def _make(self) -> tuple[Draw | None, dict[str, tuple[Window, UInt8[np.ndarray, "R S 4"]]]]:
        self._wanted = False
        draw, pictures = self._draw, {}
        for id_, (figure, _) in list(self._sources.items()):
            window = window_of(figure)
            if draw is not None and window is not None:
                pictures[id_] = window, draw(window)
        return draw, pictures

    def _put(self, made: tuple | None) -> None:
        self._busy = False
        draw, pictures = (None, {}) if made is None else made
        if draw is not None and self._draw is not None:  # else it was hidden meanwhile
            for id_, (window, picture) in pictures.items():
                if id_ in self._sources:
                    self._sources[id_][1].data = _columns(window, picture)
        if self._wanted and made is not None:
            self._want()


def window_of(figure: Figure) -> Window | None:
    """Return what a figure shows; None where it has no extent."""
    across, up = figure.x_range, figure.y_range
    left, right, bottom, top = (float(end) for end in (across.start, across.end, up.start, up.end))
    if not (left < right and bottom < top):
        return None
    width, height = inner_size(figure) or (SIDE, SIDE)
    scale = min(1.0, (MOST_PIXELS / (width * height)) ** 0.5)
    return Window((left, bottom, right, top), max(1, round(width * scale)), max(1, round(height * scale)))


def _columns(window: Window, picture: UInt8[np.ndarray, "R S 4"]) -> dict:
    left, bottom, right, top = window.bounds
    packed = np.ascontiguousarray(picture[::-1]).view(np.uint32)[..., 0]
    return {"image": [packed], "x": [left], "y": [bottom], "dw": [right - left], "dh": [top - bottom]}


def _nothing() -> dict:
    return {"image": [], "x": [], "y": [], "dw": [], "dh": []}
