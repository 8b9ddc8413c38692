"""All views of one run, linked, on one screen."""

import panel as pn
import panel_material_ui as pmui

from vaeviz.views.cursor import CursorView
from vaeviz.views.interpolation import InterpolationView
from vaeviz.views.latent import LatentView
from vaeviz.views.loss import LossView
from vaeviz.views.manifold import ManifoldView
from vaeviz.views.reconstructions import ReconstructionView
from vaeviz.views.status import StatusView
from vaeviz.views.view import View

# The planes are squares (a card's head and the legend come on top); their side follows the window.
GRID_CSS = """
:host {
  --side: min(calc((100vh - 300px) * 0.6), 34cqw);
  display: grid; gap: 8px; width: 100%; box-sizing: border-box;
  grid-template-columns: var(--side) var(--side) minmax(200px, 1fr);
  grid-template-rows: calc(var(--side) + 72px) minmax(262px, calc(100vh - var(--side) - 214px));
  grid-template-areas: "latent manifold cursor" "loss tabs tabs";
}
:host(.vv-embedded) { --side: min(380px, 34cqw); grid-template-rows: calc(var(--side) + 72px) 280px; }
@container (max-width: 900px) {
  :host, :host(.vv-embedded) {
    --side: calc(50cqw - 6px);
    grid-template-columns: 1fr 1fr;
    grid-template-rows: calc(var(--side) + 84px) 300px 280px;
    grid-template-areas: "latent manifold" "cursor loss" "tabs tabs";
  }
}
"""


TABS = {"& .MuiTabs-root": {"minHeight": "30px"}, "& .MuiTab-root": {"minHeight": "30px", "padding": "4px 12px"}}


class Explorer(View):
    """Loss, latent plane, manifold, cursor, interpolation and reconstructions of one run, linked.

    Parameters
    ----------
    state : ExplorerState or Run
        What is explored.
    embedded : bool
        Of a height of its own (in a notebook), and not of the window's.
    """

    def __init__(self, state, *, embedded: bool = True, **params) -> None:
        super().__init__(state, **params)
        state = self.state
        self.status = StatusView(state)
        self.latent = LatentView(state)
        self.manifold = ManifoldView(state)
        self.cursor = CursorView(state)
        self.loss = LossView(state)
        self.interpolation = InterpolationView(state)
        self.reconstructions = ReconstructionView(state)
        self._tabs = pmui.Tabs(
            ("Interpolation", self.interpolation),
            ("Reconstructions", self.reconstructions),
            sizing_mode="stretch_both",
            margin=0,
            dynamic=False,
            sx=TABS,
        )
        places = {"latent": self.latent, "manifold": self.manifold, "cursor": self.cursor, "loss": self.loss,
                  "tabs": self._tabs}  # fmt: skip
        cells = [
            pn.Column(view, stylesheets=[_cell_css(area)], margin=0, sizing_mode="stretch_both")
            for area, view in places.items()
        ]
        grid = pn.Column(*cells, stylesheets=[GRID_CSS], margin=0, css_classes=["vv-embedded"] if embedded else [])
        holder = pn.Column(
            grid, stylesheets=[":host { container-type: inline-size; width: 100%; }"], margin=0,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self._layout = pn.Column(self.status, holder, sizing_mode="stretch_width", margin=0)
        state.param.watch(self._on_selection, "selection")

    def _on_selection(self, event) -> None:
        if event.new:
            self._tabs.active = 1


def _cell_css(area: str) -> str:
    return f":host {{ grid-area: {area}; display: flex; min-width: 0; min-height: 0; overflow: hidden; }}"
