"""Figures as PNG and SVG: the same figure gives the same bytes."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from vaeviz.export.files import checked_path, written_whole

Format = Literal["png", "svg"]

SCALE = 2
"""Pixels of a PNG for each of the figure: sharp on today's screens."""

SVG_SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "vaeviz"}
"""Words stay words, and the names inside the file are the same every time."""

_ONE_AT_A_TIME = threading.Lock()
"""Matplotlib's settings are those of the whole process."""


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG (at twice its pixels) or SVG (words stay words), whichever the suffix says.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path
        Ends in .png or .svg. A file that is there is replaced, once the new one is whole.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    ValueError
        If the suffix is another one.
    FileNotFoundError
        If the folder doesn't exist.
    """
    target = checked_path(path, (".png", ".svg"))
    content = to_bytes(figure, "png" if target.suffix.lower() == ".png" else "svg")
    with written_whole(target) as part:
        part.write_bytes(content)
    return target


def to_bytes(figure: Figure, form: Format) -> bytes:
    """Return a figure as the bytes of a PNG or SVG file.

    Raises
    ------
    ValueError
        If form is neither "png" nor "svg".
    """
    stream = io.BytesIO()
    if form == "png":
        figure.savefig(stream, format="png", dpi=SCALE * figure.dpi, metadata={"Software": None})
    elif form == "svg":
        with _svg_settings():
            figure.savefig(stream, format="svg", dpi=3 * figure.dpi, metadata={"Date": None})
    else:
        raise ValueError(f"form={form!r}: must be 'png' or 'svg'")
    return stream.getvalue()


@contextmanager
def _svg_settings() -> Iterator[None]:
    with _ONE_AT_A_TIME:
        before = {name: mpl.rcParams[name] for name in SVG_SETTINGS}
        mpl.rcParams.update(SVG_SETTINGS)
        try:
            yield
        finally:
            mpl.rcParams.update(before)
