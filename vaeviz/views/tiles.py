"""Rows and columns of tiles that keep their shape, with words around them."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, CustomJS
from jaxtyping import UInt8

from vaeviz.views.hooks import weak_hooks
from vaeviz.views.layers import PictureLayer
from vaeviz.views.plots import picture_plot
from vaeviz.views.together import together
from vaeviz.views.view import dress, plot_pane

# The tiles are as large as the card allows, in the middle of it, with room for the words.
FIT_JS = """
const {inner_width, inner_height} = fig.properties  // unset until it is laid out
const w = inner_width.is_unset ? 0 : fig.inner_width, h = inner_height.is_unset ? 0 : fig.inner_height
if (!(w > 0 && h > 0)) { return }
const [columns, rows, ratio] = shape.data.size, [left, bottom, right, top] = room
const wide = Math.max(1, w - left - right), high = Math.max(1, h - bottom - top)
const across = Math.min(wide / columns, high / rows / ratio), up = across * ratio
const x = -(left + (wide - across * columns) / 2) / across, y = -(bottom + (high - up * rows) / 2) / up
fig.x_range.setv({start: x, end: x + w / across})
fig.y_range.setv({start: y, end: y + h / up})
"""

# Strictly contained elements of the page over the plot: axes and their labels would have the figure laid out anew.
WORDS_JS = """
const view = cb_context.index.find_one(fig)
const box = view?.frame?.bbox
if (!(box?.width > 0)) { return }
if (!view._words?.isConnected) {
  view._words = document.createElement("div")
  view._words.className = "vv-words"
  view.canvas_view.overlays_el.append(view._words)
}
view._words.style.cssText = `position:absolute;contain:strict;overflow:hidden;pointer-events:none;left:${box.left}px;` +
  `top:${box.top}px;width:${box.width}px;height:${box.height}px;font-size:11px;line-height:14px;` +
  "font-variant-numeric:tabular-nums"
const {x, y, side, span, words: texts} = words.data, {x_scale, y_scale} = view.frame
while (view._words.children.length < texts.length) { view._words.append(document.createElement("div")) }
Array.from(view._words.children).forEach((element, i) => {
  if (element.textContent !== (texts[i] ?? "")) { element.textContent = texts[i] ?? "" }
  if (!(i < texts.length)) { return }
  const sx = x_scale.compute(x[i]) - box.left, sy = y_scale.compute(y[i]) - box.top
  const width = x_scale.compute(span[i]) - x_scale.compute(0)
  const place = {
    left: `left:0;width:${sx - 6}px;top:${sy}px;transform:translateY(-50%);text-align:right`,
    "left below": `left:0;width:${sx - 6}px;top:${sy + 2}px;text-align:right`,
    above: `left:${sx - width / 2}px;width:${width}px;top:${sy - 1}px;transform:translateY(-100%);text-align:center`,
    below: `left:${sx - width / 2}px;width:${width}px;top:${sy + 2}px;text-align:center`,
  }[side[i]]
  element.style.cssText = "position:absolute;white-space:pre;overflow:hidden;text-overflow:ellipsis;" + place
})
"""


class Word(NamedTuple):
    """Words beside a tile: they lie left of a point, above it or below it.

    Attributes
    ----------
    x, y : float
        The point, in tiles from the lower left corner of them all.
    side : {"left", "above", "below", "left below"}
        Where the words lie.
    text : str
        What is cut where it is wider than its room.
    span : float
        How wide the room is above or below the point, in tiles.
    """

    x: float
    y: float
    side: Literal["left", "above", "below", "left below"]
    text: str
    span: float = 1.0


class Tiles:
    """A figure of tiles and words, made once; then only its data are replaced.

    Parameters
    ----------
    figure_name, name : str
        Of the figure, and of the picture's data source.
    room : tuple
        Pixels for words at the left, bottom, right and top.
    on_tap : callable, optional
        Called with the column and the row (from the top) of a tile that is tapped.

    Attributes
    ----------
    pane : HoloViews
        What shows it.
    """

    def __init__(
        self,
        figure_name: str,
        name: str,
        room: tuple[int, int, int, int],
        on_tap: Callable[[int, int], None] | None = None,
    ) -> None:
        self.pane = plot_pane()
        self._figure_name, self._room, self._on_tile = figure_name, room, on_tap
        self._layer = PictureLayer(name)
        self._sources: dict[str, tuple[ColumnDataSource, ColumnDataSource]] = {}
        self._channels = 0
        self._shape, self._words = {"size": [1.0, 1.0, 1.0]}, self._columns(())

    def show(self, picture: UInt8[np.ndarray, "R S C"], columns: int, rows: int, words: Sequence[Word]) -> None:
        """Show a picture of so many tiles, and the words around it."""
        with together():
            self._show(picture, columns, rows, words)

    def _show(self, picture: UInt8[np.ndarray, "R S C"], columns: int, rows: int, words: Sequence[Word]) -> None:
        height, width, channels = picture.shape
        self._shape = {"size": [float(columns), float(rows), (height / rows) / (width / columns)]}
        self._words = self._columns(words)
        bounds = (0, 0, columns, rows)
        if channels != self._channels:  # gray and colour are drawn by different glyphs
            self._channels = channels
            self._sources.clear()
            self._layer.clear()
            self.pane.object = picture_plot(picture, bounds).opts(
                hooks=weak_hooks(self._layer.attach, self._attach), responsive=True, default_tools=[], toolbar=None,
                framewise=False, xaxis=None, yaxis=None, xlim=(0, columns), ylim=(0, rows),
            )  # fmt: skip
        self._layer.show(picture, bounds)
        for shape, source in self._sources.values():
            if shape.data != self._shape:
                shape.data = self._shape
            source.data = self._words

    @staticmethod
    def _columns(words: Sequence[Word]) -> dict:
        return {
            "x": [float(word.x) for word in words],
            "y": [float(word.y) for word in words],
            "side": [word.side for word in words],
            "span": [float(word.span) for word in words],
            "words": [word.text for word in words],
        }

    def _attach(self, plot, element) -> None:
        figure = plot.state
        if figure.id in self._sources:
            return
        dress(figure, self._figure_name)
        figure.update(toolbar_location=None, min_border=0)
        figure.update(below=[], left=[], center=[])  # no axes at all: hidden ones would be measured with each picture
        shape = ColumnDataSource(self._shape, name="shape")
        words = ColumnDataSource(self._words, name="words")
        self._sources[figure.id] = shape, words
        fit = CustomJS(args={"fig": figure, "shape": shape, "room": self._room}, code=FIT_JS)
        write = CustomJS(args={"fig": figure, "words": words}, code=WORDS_JS)
        shape.js_on_change("data", fit)
        words.js_on_change("data", write)
        for name in ("inner_width", "inner_height"):
            figure.js_on_change(name, fit)
            figure.js_on_change(name, write)
        for axis in (figure.x_range, figure.y_range):
            for name in ("start", "end"):
                axis.js_on_change(name, write)
        if self._on_tile is not None:
            figure.on_event(Tap, self._on_tap)

    def _on_tap(self, event: Tap) -> None:
        columns, rows, _ = self._shape["size"]
        if 0 <= event.x < columns and 0 <= event.y < rows:
            self._on_tile(int(event.x), int(rows - 1 - event.y // 1))
