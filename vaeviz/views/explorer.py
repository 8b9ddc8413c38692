"""All views of one run, linked, on one screen."""

from collections.abc import Iterator

import panel as pn
import param

from vaeviz.views.browser import OWN_LAYOUT
from vaeviz.views.cursor import CursorView
from vaeviz.views.dimensions import DimensionsView
from vaeviz.views.interpolation import InterpolationView
from vaeviz.views.latent import LatentView
from vaeviz.views.loss import LossView
from vaeviz.views.manifold import ManifoldView
from vaeviz.views.model import ModelView
from vaeviz.views.reconstructions import ReconstructionView
from vaeviz.views.status import StatusView
from vaeviz.views.takehome import TakeHomeView
from vaeviz.views.timeline import TimelineView
from vaeviz.views.together import together
from vaeviz.views.view import View, switch

# As wide as there is room: Panel would ask for the sum of what the parts need.
WIDE = "width: 100%; min-width: 0 !important;"

# A plane's card is as much narrower than it is high that the plane itself becomes a square: head, toolbar and foot.
# In a window that is too low for them, the page is scrolled.
GRID_CSS = """
:host {
  --row: max(calc((100vh - 144px) * 0.585), 416px); --plane: min(calc(var(--row) - 76px), 36cqw);
  display: grid; gap: 6px; width: 100%; min-width: 0 !important; box-sizing: border-box;
  height: max(calc(100vh - 92px), calc(var(--row) + 272px));
  grid-template-columns: var(--plane) var(--plane) minmax(200px, 1fr);
  grid-template-rows: var(--row) minmax(220px, 1fr) 40px;
  grid-template-areas: "latent manifold cursor" "loss lower lower" "timeline timeline timeline";
}
:host(.vv-embedded) { --row: 440px; height: 780px; }
@container (max-width: 900px) {
  :host, :host(.vv-embedded) {
    --row: calc(50cqw + 72px); height: auto;
    grid-template-columns: 1fr 1fr;
    grid-template-rows: var(--row) 40px 300px 290px;
    grid-template-areas: "latent manifold" "timeline timeline" "cursor loss" "lower lower";
  }
}
@container (max-width: 620px) {
  :host, :host(.vv-embedded) {
    --row: calc(100cqw + 60px);
    grid-template-columns: 1fr;
    grid-template-rows: var(--row) 40px var(--row) 300px 300px 290px;
    grid-template-areas: "latent" "timeline" "manifold" "cursor" "loss" "lower";
  }
}
"""

# The timeline is always seen: its place is the whole grid, at whose end it sticks to that of the window.
STICKY_CSS = """
@container (min-width: 900.1px) {
  :host { grid-area: 1 / 1 / -1 / -1; align-self: end; height: 40px; position: sticky; bottom: 0; z-index: 2; }
}
"""

AREAS = "latent", "manifold", "cursor", "loss", "lower", "timeline"
EXPLORABLE = "cursor"
"""The part with which an explorer follows the mouse."""

SELECTED = "Reconstructions"
"""The page that a selection turns to."""


class Explorer(View):
    """Loss, planes, cursor, interpolation, reconstructions, dimensions and model of one run, linked.

    Parameters
    ----------
    state : ExplorerState or Run
        What is explored.
    embedded : bool
        Of a height of its own (in a notebook), and not of the window's.
    staged : bool
        It is empty at first; `parts` fills it.
    """

    cell_height = 830

    lower = param.Selector(
        default="Interpolation",
        objects=["Interpolation", "Reconstructions", "Dimensions", "Model", "Take home"],
        doc="The page below.",
    )

    def __init__(self, state, *, embedded: bool = True, staged: bool = False, **params) -> None:
        super().__init__(state, furnished=not staged, **params)
        self._places = {
            area: pn.Column(
                stylesheets=[_place_css(area)], margin=0, sizing_mode="stretch_both", css_classes=[OWN_LAYOUT]
            )
            for area in AREAS
        }
        self.status = StatusView(self.state, furnished=not staged)
        self._pages: dict[str, pn.Column] = {}
        kind = ["vv-embedded"] if embedded else []
        grid = pn.Column(*self._places.values(), stylesheets=[GRID_CSS], margin=0, css_classes=kind)
        holder = pn.Column(grid, stylesheets=[f":host {{ container-type: inline-size; {WIDE} }}"], margin=0)
        self._layout = pn.Column(self.status, holder, stylesheets=[f":host {{ {WIDE} }}"], margin=0)
        self.state.param.watch(self._on_selection, "selection")
        if not staged:
            for _ in self.parts():
                pass

    def parts(self) -> Iterator[str]:
        """Put the views in their places, one after the other, and name each: a browser takes long for all of them.

        With the one that is named `EXPLORABLE` both planes and the cursor are there; their controls come afterwards.
        """
        furnished = self.furnished
        self.latent = LatentView(self.state, furnished=furnished)
        yield self._place("latent", self.latent)
        self.manifold = ManifoldView(self.state, furnished=furnished)
        yield self._place("manifold", self.manifold)
        self.cursor = CursorView(self.state, furnished=furnished)
        yield self._place("cursor", self.cursor)
        if not furnished:
            for view in (self.latent, self.manifold, self.cursor, self.status):
                view.furnished = True
                yield "controls"
        self.timeline = TimelineView(self.state)
        yield self._place("timeline", self.timeline)
        self.loss = LossView(self.state)
        yield self._place("loss", self.loss)
        yield self._place("lower", self._make_lower_pages())
        self.latent.param.watch(lambda _: self._put(SELECTED), "selecting")
        self.furnished = True

    def _place(self, area: str, view: pn.viewable.Viewable | View) -> str:
        self._places[area].append(view)
        return area

    def _make_lower_pages(self) -> pn.Column:
        self.interpolation = InterpolationView(self.state)
        self.reconstructions = ReconstructionView(self.state, shown=False)
        self.dimensions = DimensionsView(self.state, shown=False)
        self.model = ModelView(self.state, shown=False)
        self.take_home = TakeHomeView(self.state, shown=False)
        # A switch of visibility: figures in the hidden pages of a tabs widget keep the whole page from being ready.
        self._switch = switch(self.param.lower)
        self._lower = {
            "Interpolation": self.interpolation,
            SELECTED: self.reconstructions,
            "Dimensions": self.dimensions,
            "Model": self.model,
            "Take home": self.take_home,
        }
        # Each page is put in its place when it is first turned to, or about to be: a browser takes long for what nobody
        # sees yet.
        self._pages = {name: pn.Column(margin=0, sizing_mode="stretch_both", visible=False) for name in self._lower}
        self._turn_page()
        return pn.Column(self._switch, *self._pages.values(), margin=0, sizing_mode="stretch_both")

    def _on_selection(self, event) -> None:
        if event.new:
            self.lower = SELECTED

    @param.depends("lower", watch=True)
    def _turn_page(self) -> None:
        with together():  # a page that is new, before what changes in it
            self._put(self.lower)
            for name, page in self._pages.items():
                page.visible = self._lower[name].shown = name == self.lower

    def _put(self, name: str) -> None:
        """Put a page in its place, if it is not there yet."""
        if not self._pages[name].objects:
            self._pages[name].append(self._lower[name])


def _place_css(area: str) -> str:
    # Contained: what changes in one card lays out that card anew, and not the whole page.
    css = f":host {{ grid-area: {area}; display: flex; min-width: 0; min-height: 0; contain: strict; }}"
    return css + STICKY_CSS if area == "timeline" else css
