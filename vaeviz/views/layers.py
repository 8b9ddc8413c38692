"""What moves in a plot: HoloViews makes the plot once, and then only the data of its glyphs are replaced.

Drawing a HoloViews element anew takes about 20 ms of the server's one thread, most of it the same whatever the data;
replacing the data of its glyph takes 1 ms, and the mouse need not wait.
"""

from collections.abc import Sequence

import numpy as np
from bokeh.models import ColumnDataSource, LinearColorMapper
from bokeh.plotting import figure as Figure
from jaxtyping import Float, UInt8

from vaeviz.views.pictures import glyph_picture
from vaeviz.views.plots import Bounds


class PictureLayer:
    """A picture in a plot, shown and then replaced.

    Parameters
    ----------
    name : str
        Of its data source.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.sources: list[ColumnDataSource] = []
        self._data: dict | None = None

    def attach(self, plot, element) -> None:
        """Take hold of the plot that shows it (a hook of the element)."""
        source = plot.handles["source"]
        source.name = self.name
        self.sources.append(source)
        if self._data is not None:
            source.data = self._data

    def clear(self) -> None:
        """Let go of the plots that showed it: another one takes their place."""
        self.sources.clear()
        self._data = None

    def show(self, picture: UInt8[np.ndarray, "R S C"], bounds: Bounds) -> None:
        """Show a picture of bytes, row 0 on top, within these bounds."""
        left, bottom, right, top = bounds
        self._data = {
            "image": [glyph_picture(picture)], "x": [left], "y": [bottom], "dw": [right - left], "dh": [top - bottom],
        }  # fmt: skip
        for source in self.sources:
            source.data = self._data


class ScatterLayer:
    """Points in a plot, shown and then moved; the order of the rows never changes, so that a selection stays true.

    Parameters
    ----------
    name : str
        Of its data source.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.sources: list[ColumnDataSource] = []
        self._mappers: list[LinearColorMapper] = []
        self._data: dict | None = None
        self._scale: dict = {}

    def attach(self, plot, element) -> None:
        """Take hold of the plot that shows it (a hook of the element)."""
        source, mapper = plot.handles["source"], plot.handles["color_color_mapper"]
        source.name = self.name
        self.sources.append(source)
        self._mappers.append(mapper)
        if self._data is not None:
            source.data = self._data
            mapper.update(**self._scale)

    def clear(self) -> None:
        """Let go of the plots that showed it: another one takes their place."""
        self.sources.clear()
        self._mappers.clear()
        self._data = None

    def show(
        self,
        points: Float[np.ndarray, "N 2"],
        values: Float[np.ndarray, " N"],
        colors: tuple[str, ...],
        limits: tuple[float, float],
    ) -> None:
        """Move the points, and colour them by their values between the limits."""
        self._scale = {"palette": list(colors), "low": limits[0], "high": limits[1]}
        self._data = {
            "horizontal": points[:, 0].astype(np.float32),
            "vertical": points[:, 1].astype(np.float32),
            "color": values.astype(np.float32),
        }
        for source in self.sources:
            source.data = self._data
        for mapper in self._mappers:
            mapper.update(**self._scale)


class LinesLayer:
    """Many thin lines in a plot, in a few colours, shown and then replaced.

    One glyph a colour draws all its lines in one stroke, with gaps between them: two arrays, however many lines.

    Parameters
    ----------
    name : str
        Of its data sources, each with the number of its colour.
    colors
        The colours.
    width, alpha : float
        Of the lines.
    """

    def __init__(self, name: str, colors: Sequence[str], *, width: float = 1.0, alpha: float = 1.0) -> None:
        self.name, self.colors = name, tuple(colors)
        self._look = {"line_width": width, "line_alpha": alpha}
        self._figures: list[tuple[Figure, dict[int, ColumnDataSource]]] = []
        self._data: dict[int, dict] = {}

    @property
    def sources(self) -> list[list[ColumnDataSource]]:
        """The data of each figure: a source for each colour that was ever shown."""
        return [list(sources.values()) for _, sources in self._figures]

    def attach(self, figure: Figure) -> None:
        """Draw in this figure, too; its glyphs are made when they are first needed, for a page takes time for each."""
        self._figures.append((figure, {}))
        for number, data in self._data.items():
            self._draw(number, data)

    def clear(self) -> None:
        """Let go of the plots that showed it: another one takes their place."""
        self._figures.clear()
        self._data = {}

    def show(self, lines: Sequence[Float[np.ndarray, "K 2"]], numbers: Sequence[int]) -> None:
        """Show these lines, each in the colour of its number (past the last colour, the first comes again)."""
        wanted: dict[int, list] = {}
        for line, number in zip(lines, numbers, strict=True):
            wanted.setdefault(int(number) % len(self.colors), []).append(line)
        for number in self._data.keys() | wanted.keys():
            data = _in_one_stroke(wanted.get(number, []))
            self._draw(number, data)
            if number in wanted:
                self._data[number] = data
            else:
                del self._data[number]

    def _draw(self, number: int, data: dict) -> None:
        for figure, sources in self._figures:
            if number in sources:
                sources[number].data = data
            else:
                sources[number] = source = ColumnDataSource(data, name=f"{self.name} {number}")
                line = figure.line("x", "y", source=source, line_color=self.colors[number], **self._look)
                line.update(nonselection_glyph=None, selection_glyph=None)


def _in_one_stroke(lines: Sequence[Float[np.ndarray, "K 2"]]) -> dict[str, Float[np.ndarray, " points"]]:
    """Return the points of all lines one after another, with a NaN after each."""
    gap = np.full((1, 2), np.nan)
    points = np.concatenate([part for line in lines for part in (line, gap)] or [np.zeros((0, 2))]).astype(np.float32)
    return {"x": points[:, 0], "y": points[:, 1]}
