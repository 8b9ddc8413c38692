"""What moves in a plot: HoloViews makes the plot once, and then only the data of its glyphs are replaced.

Drawing a HoloViews element anew takes about 20 ms of the server's one thread, most of it the same whatever the data;
replacing the data of its glyph takes 1 ms, and the mouse need not wait.
"""

import numpy as np
from bokeh.models import ColumnDataSource, LinearColorMapper
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
