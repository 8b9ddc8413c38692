"""What the figures are drawn on: light or dark paper, measured in pixels, and axes that look like one family.

matplotlib's own figures are used, never pyplot, so nothing is remembered between two figures and any thread may draw.
"""

from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

DPI = 100
SMALL = 8.5
"""Points of the words at ticks and in legends."""


class Paper(NamedTuple):
    """Colours of the ground, of words, and of what should hardly be seen."""

    ground: str
    ink: str
    faint: str


Theme = Literal["light", "dark"]
THEMES: dict[str, Paper] = {
    "light": Paper("#ffffff", "#2b2b2b", "#e6e6e6"),
    "dark": Paper("#161616", "#dcdcdc", "#343434"),
}


def paper_of(theme: Theme) -> Paper:
    """Return the colours of a theme.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if theme not in THEMES:
        raise ValueError(f"theme={theme!r}: must be 'light' or 'dark'")
    return THEMES[theme]


def blank(width: float, height: float, paper: Paper) -> Figure:
    """Return an empty figure of so many pixels (at 1×), both even: video frames have to be."""
    even = [2 * round(side / 2) for side in (width, height)]
    return Figure(figsize=(even[0] / DPI, even[1] / DPI), dpi=DPI, facecolor=paper.ground)


def place(figure: Figure, left: float, top: float, width: float, height: float, paper: Paper) -> Axes:
    """Return new axes at so many pixels from the left and the top of the figure."""
    across, down = (float(side) * DPI for side in figure.get_size_inches())
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.set_facecolor(paper.ground)
    axes.tick_params(colors=paper.ink, labelsize=SMALL, length=3, width=0.8, labelcolor=paper.ink)
    for spine in axes.spines.values():
        spine.set(color=paper.ink, linewidth=0.8, alpha=0.5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=paper.ink, fontsize=SMALL + 1)
    axes.set_axisbelow(True)
    return axes


def write(figure: Figure, words: str, left: float, top: float, paper: Paper, **style: object) -> Text:
    """Write words in the figure, their middle at so many pixels from the top; a $ is a $."""
    across, down = (float(side) * DPI for side in figure.get_size_inches())
    style = {"color": paper.ink, "fontsize": SMALL + 1, "va": "center", "parse_math": False, **style}
    return figure.text(left / across, 1 - top / down, words, **style)  # type: ignore[arg-type]


def plain(words: list[Text]) -> None:
    """Have labels stand as they are: names of classes may hold a $."""
    for each in words:
        each.set_parse_math(False)
