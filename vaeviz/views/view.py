"""What every view is: a Viewer on a shared state, shown as a card with a title, its controls and a figure."""

import html
import re

import holoviews as hv
import holoviews.plotting.bokeh
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.models import CustomJSTickFormatter, Model, Plot

from vaeviz.training import Run
from vaeviz.views.browser import adapt
from vaeviz.views.full_screen import FullScreenButton
from vaeviz.views.notebook import Cell, WidgetCell, in_notebook, load_into_notebook, stand_in_cell, widget_in_loop
from vaeviz.views.state import ExplorerState

hv.Store.set_current_backend("bokeh")

CARD_CSS = """
:host {
  display: flex; flex-direction: column; box-sizing: border-box; overflow: hidden;
  background: var(--vv-surface, var(--panel-surface-color, #fff));
  color: var(--vv-on-surface, var(--panel-on-surface-color, #222));
  border: 1px solid color-mix(in srgb, currentColor 14%, transparent); border-radius: 10px;
}
"""
HEAD_CSS = """
:host { display: flex; flex-direction: row; align-items: center; gap: 6px; padding: 2px 8px 0 12px; min-height: 38px;
  flex-wrap: nowrap; }
"""
TITLE_CSS = """
:host { margin: 0; flex: 1 1 auto; min-width: 0; font-size: 14px; line-height: 18px; }
div { height: 18px; overflow: hidden; }
b { font-weight: 600; } span { opacity: 0.65; font-size: 12px; }
b, span { display: inline-block; white-space: pre; vertical-align: top; }
"""


_SMALL = {"padding": "1px 8px", "fontSize": "12px", "textTransform": "none", "lineHeight": 1.6, "whiteSpace": "nowrap"}
COMPACT = {
    "& .MuiToggleButton-root": _SMALL,
    "&.MuiToggleButton-root": _SMALL,
    "&.MuiButton-root": _SMALL,
    "&.MuiInputBase-root": {"fontSize": "12px", "height": "25px"},
    "& .MuiSelect-select": {"padding": "2px 8px", "fontSize": "12px"},
    "& .MuiSvgIcon-root, & .material-icons": {"fontSize": "16px"},
}
"""The look of the small controls in a card's head."""


def switch(parameter: param.Parameter, **params) -> pmui.RadioButtonGroup:
    """Return small buttons, one of which is chosen, for a card's head."""
    return pmui.RadioButtonGroup.from_param(parameter, label="", size="small", margin=0, sx=COMPACT, **params)


def toggle(parameter: param.Parameter, name: str, **params) -> pmui.Toggle:
    """Return a small button that is on or off, for a card's head."""
    return pmui.Toggle.from_param(parameter, label=name, size="small", margin=0, sx=COMPACT, **params)


def choice(parameter: param.Parameter, width: int, **params) -> pmui.Select:
    """Return a small menu, for a card's head."""
    return pmui.Select.from_param(parameter, label="", size="small", margin=0, sx=COMPACT, width=width, **params)


def one_line(height: int) -> str:
    """Return the style of a line of so many pixels whose words change often: only they are laid out anew, not the page.

    (The pane's own stylesheet comes after it; its words stand in the first `div` of its shadow tree.)
    """
    return f"""
:host {{ position: relative; flex: 0 1 auto; width: 100%; min-width: 0; height: {height}px; min-height: {height}px;
  margin: 0; }}
:host > div {{ position: absolute; left: 0; top: 0; width: 100%; height: {height}px; contain: strict; }}
:host > div > div {{ white-space: nowrap; overflow: hidden; text-overflow: ellipsis; line-height: {height}px;
  font-variant-numeric: tabular-nums; }}
"""


class Markup(pn.pane.HTML):
    """A pane whose markup changes, and nothing else of it: a notebook's page would be sent to a CDN for the rest.

    Some change with each look at a run, and to work all the rest out again takes a fifth of that look's time.
    """

    def _update(self, ref: str, model: Model) -> None:
        model.text = html.escape(self.object)


def text(markup: str = "", css: str = TITLE_CSS, **params) -> Markup:
    """Return a pane for a line of text of our own making."""
    return Markup(f"<div>{markup}</div>", stylesheets=[css], margin=0, **params)


def headline(title: str, hint: str, told: str | None = None) -> str:
    """Return the markup of a card's title, and what the mouse is told there: by default all of the hint.

    Where the hint, of parts that a semicolon or a dot divides, has not room enough, its last parts are not seen.
    """
    told = hint if told is None else told
    parts = "".join(f"<span>{html.escape(part)}</span>" for part in re.split("(?=; | · )", hint))
    return f'<div title="{html.escape(told)}"><b>{title}</b> {parts}</div>'


class View(pn.viewable.Viewer):
    """A view of a run, or of a state that it shares with other views.

    Parameters
    ----------
    state : ExplorerState or Run
        Views of one state are linked; a run gets a state of its own.
    """

    state = param.ClassSelector(class_=ExplorerState, constant=True, doc="What the views share.")
    shown = param.Boolean(True, doc="Whether it is on the screen; what is not need not be kept up to date.")
    furnished = param.Boolean(True, doc="Whether its controls are there; in a page that opens they come later.")

    title = ""
    hint = ""
    cell_height = 420
    """Pixels that it takes when it stands alone in a notebook's cell."""

    def __init__(self, state: ExplorerState | Run, **params) -> None:
        super().__init__(state=state if isinstance(state, ExplorerState) else ExplorerState(state), **params)
        self._title = Markup(headline(self.title, self.hint), stylesheets=[TITLE_CSS], margin=0)
        self._head = pn.Row(self._title, stylesheets=[HEAD_CSS], sizing_mode="stretch_width", margin=0)
        self._controls: tuple[pn.viewable.Viewable, ...] = ()

    def _card(self, body: pn.viewable.Viewable, *controls: pn.viewable.Viewable, **params) -> pn.Column:
        self._controls = *controls, FullScreenButton()
        self._furnish()
        return pn.Column(self._head, body, stylesheets=[CARD_CSS], margin=0, css_classes=["vv-card"], **params)

    @param.depends("furnished", watch=True)
    def _furnish(self) -> None:
        if self.furnished:
            self._head.objects = [self._title, *self._controls]

    def __panel__(self) -> pn.viewable.Viewable:
        self.state.watch_run()
        return self._layout

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Show itself as the value of a notebook's cell."""
        if not in_notebook():
            return None
        load_into_notebook()
        cell = Cell(self._layout, self.state, self.cell_height)
        stand_in_cell(cell)
        return cell._repr_mimebundle_(include, exclude)

    def ipywidget(self, **params):
        """Return itself as an ipywidget, to stand beside others in an ``ipywidgets.HBox`` and its kind.

        Parameters
        ----------
        **params
            Of its place: ``width`` and ``height`` in pixels; by default all the width there is, and the height that it
            has in a cell.
        """
        load_into_notebook()
        place = {"height": self.cell_height, "sizing_mode": "fixed" if "width" in params else "stretch_width", **params}
        return widget_in_loop(pn.ipywidget(WidgetCell(self._layout, self.state, **place)))


# What the page's theme makes of a figure in the browser, on a light page. A figure that has it from the beginning is
# not drawn and laid out once more, and the browser has nothing to tell the server of it.
FONT = '"Roboto", "Helvetica", "Arial", sans-serif'
FAINT, MUTED, WORDS = "rgba(0, 0, 0, 0.22)", "rgba(0, 0, 0, 0.6)", "rgba(0, 0, 0, 0.87)"
LOOK = {"background_fill_color": "#fff", "border_fill_color": "#fff", "outline_line_color": None}
AXIS_LOOK = {
    **{f"{line}_line_color": FAINT for line in ("axis", "major_tick", "minor_tick")},
    **{f"{line}_line_alpha": 0 for line in ("axis", "major_tick", "minor_tick")},
    "major_label_text_color": MUTED,
    "major_label_text_font": FONT,
    "major_label_text_font_size": "0.925em",
    "major_label_text_font_style": "normal",
    "axis_label_text_color": WORDS,
    "axis_label_text_font": FONT,
    "axis_label_text_font_size": "1em",
    "axis_label_text_font_style": "normal",
    "axis_label_standoff": 12,
}
GRID_LOOK = {"grid_line_color": "rgba(0, 0, 0, 0.1)", "grid_line_alpha": 1}
TITLE_LOOK = {"text_color": WORDS, "text_font": FONT, "text_font_size": "1.05em", "text_font_style": "normal"}

# Bokeh writes 3.000e+7, which of a dozen ticks leaves none readable. Here they have the fewest digits that tell them
# apart.
TICKS_JS = """
if (tick === 0) { return "0" }
const sizes = ticks.map(Math.abs).filter((size) => size > 0)
const step = Math.min(...sizes, ...ticks.slice(1).map((other, i) => Math.abs(other - ticks[i])))
const far = Math.max(...sizes) >= 1e5 || Math.max(...sizes) < 1e-3
const written = (value, digits) => far ? value.toExponential(digits) : value.toFixed(digits)
const tells = (digits) => ticks.every((value) => Math.abs(Number(written(value, digits)) - value) < step / 20)
let digits = 0
while (digits < 15 && !tells(digits)) { digits++ }
const [mantissa, exponent] = written(tick, digits).split("e")
const label = String(Number(mantissa)) + (exponent === undefined ? "" : `e${Number(exponent)}`)
return label.replaceAll("-", "\N{MINUS SIGN}")
"""


def dress(figure: Plot, name: str, **params) -> None:
    """Give a figure its name, and the look and the touch that all figures share."""
    adapt(figure)
    figure.output_backend = "canvas"  # WebGL would draw none of them faster
    # All points are drawn also while a hand moves them. To draw few meanwhile, Bokeh would paint all figures again half
    # a second after each move, and tell only then where a wheel has zoomed to.
    figure.lod_interval = 0
    figure.update(name=name, sizing_mode="stretch_both", min_border=8, toolbar_location="above", **LOOK, **params)
    figure.toolbar.update(logo=None, autohide=False)
    for axis in figure.axis:
        axis.update(**AXIS_LOOK, formatter=CustomJSTickFormatter(code=TICKS_JS))
    for grid in figure.grid:
        if grid.grid_line_color is not None:
            grid.update(**GRID_LOOK)
    if figure.title is not None:
        figure.title.update(**TITLE_LOOK)


def inner_size(figure: Plot) -> tuple[int, int] | None:
    """Return the pixels across and up of what is within a figure's axes, once a browser has told."""
    try:
        width, height = figure.inner_width, figure.inner_height
    except UnsetValueError:
        return None
    return (width, height) if width and height else None


def plot_pane(plot: hv.Element | hv.Overlay | None = None) -> pn.pane.HoloViews:
    """Return a pane that fills its card with a plot."""
    return pn.pane.HoloViews(plot, linked_axes=False, sizing_mode="stretch_both", margin=0, backend="bokeh")
