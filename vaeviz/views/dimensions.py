"""What each latent dimension carries, in nats, and what it does to an image."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d
from bokeh.plotting import figure as Figure
from jaxtyping import Bool, Float, Int, UInt8

from vaeviz.latent import active_units, decode, kl_per_dimension, order_by_kl, traversal_codes, traversal_ticks
from vaeviz.training import Run, Snapshot
from vaeviz.views.palette import INK, MARK, NUMBERS
from vaeviz.views.pictures import mosaic
from vaeviz.views.tiles import Tiles, Word
from vaeviz.views.together import together
from vaeviz.views.view import COMPACT, View, dress, headline

MOST_BARS = 200
FEW_BARS = 10
"""So many bars, or fewer, have room for their names."""

ROWS, TICKS, REACH = 10, 11, 3.0
ROOM = (96, 34, 8, 4)
ACTIVE, DEAD, TRANSPARENT = NUMBERS[4], INK, "#00000000"
LIMITS = np.array([1, 1.5, 2, 3, 4, 5, 6, 8, 10])
"""Limits of the nats, times a power of 10: a few, so that the axis stands still while the bars grow."""

CRITERION = (
    "A dimension is active if the variance of its posterior mean over the embedded examples is above 0.01"
    " (Burda et al. 2016, arXiv:1509.00519); dead ones are gray"
)
HALF_CSS = ":host {{ flex: {share} 1 0; min-width: 0; height: 100%; }}"


class Dimensions(NamedTuple):
    """The latent dimensions of a snapshot, and traversals along some of them.

    Attributes
    ----------
    kl : ndarray (L,)
        Nats, the mean over the embedded examples.
    order : ndarray of int (L,)
        From the largest KL to the smallest.
    active : ndarray of bool (L,)
        Which tell examples apart.
    rows : ndarray of int
        The dimensions of the traversals, from the top.
    picture : ndarray
        One row a dimension, from -3σ to 3σ of the prior.
    """

    kl: Float[np.ndarray, " L"]
    order: Int[np.ndarray, " L"]
    active: Bool[np.ndarray, " L"]
    rows: Int[np.ndarray, " D"]
    picture: UInt8[np.ndarray, "R S C"]


def measure_dimensions(snapshot: Snapshot, base: Float[np.ndarray, " L"], first: int = 0) -> Dimensions:
    """Measure the latent dimensions; decode traversals from a code along ten of them, by KL from the place `first`."""
    kl = kl_per_dimension(*snapshot.embedding)
    order = order_by_kl(kl)
    rows = order[first : first + ROWS]
    codes = traversal_codes(base, rows, traversal_ticks(TICKS, REACH))
    picture = mosaic(decode(snapshot.vae, codes.astype(np.float32)), len(rows), TICKS)
    return Dimensions(kl, order, active_units(snapshot.mu), rows, picture)


class DimensionsView(View):
    """The KL of each latent dimension as bars, largest first, and beside them traversals: one row a dimension.

    Dead dimensions are gray. A tap on a bar, or on a row of the traversals, puts that dimension across in the planes,
    and the one that was across goes up.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    first = param.Selector(
        default=0, objects=list(range(0, MOST_BARS, ROWS)), doc="Place, by KL, of the first dimension traversed."
    )

    title = "Dimensions"
    hint = "one moment …"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._bars = ColumnDataSource({name: [] for name in ("x", "kl", "name", "color", "line", "state")}, name="bars")
        self._figure = self._make_figure()
        self._tiles = Tiles("traversals", "traversals", ROOM, on_tap=self._on_tile)
        blank = np.zeros((1, 1, self.state.run.dataset.image_shape[0]), np.uint8)
        self._tiles.show(blank, 1, 1, ())  # a figure that comes to the page later holds it up
        self._pages = pmui.Select.from_param(
            self.param.first, label="", size="small", margin=0, sx=COMPACT, width=104, visible=False,
            description="Which dimensions are traversed, in the order of their KL",
        )  # fmt: skip
        bars = pn.pane.Bokeh(self._figure, sizing_mode="stretch_both", margin=0)
        self._layout = self._card(
            pn.Row(
                pn.Column(bars, stylesheets=[HALF_CSS.format(share=2)], margin=0),
                pn.Column(self._tiles.pane, stylesheets=[HALF_CSS.format(share=3)], margin=0),
                sizing_mode="stretch_both",
                margin=0,
            ),
            self._pages,
        )
        self.state.prepare("dimensions", self._prepare)
        self.state.param.watch(self._update, "frame")
        self.state.param.watch(self._on_selection, "selection")
        self._update_pages()
        self._ask()

    # What a person does

    def _on_tap(self, event: Tap) -> None:
        place, order = round(event.x), self._shown.order if self._shown is not None else ()
        if 0 <= place < min(len(order), MOST_BARS):
            self._put_across(int(order[place]))

    def _on_tile(self, column: int, row: int) -> None:
        if self._shown is not None:
            self._put_across(int(self._shown.rows[row]))

    def _put_across(self, dimension: int) -> None:
        state = self.state
        across = state.axes[0]
        with together():
            if dimension != across:
                state.axes = (dimension, across)
            state.plane_kind = "axes"

    def _on_selection(self, _) -> None:
        if self.shown and self.state.latent_dim <= 2:  # with more of them the state itself makes its frame anew
            self.state.refresh()

    # What follows from state

    @property
    def _shown(self) -> Dimensions | None:
        return self.state.frame.prepared.get("dimensions")

    def _prepare(self, run: Run, snapshot: Snapshot) -> Dimensions | None:
        first = self.first if self.first < snapshot.vae.latent_dim else 0
        return measure_dimensions(snapshot, self.state.base(snapshot), first) if self.shown else None

    @param.depends("first", "shown", watch=True)
    def _ask(self) -> None:
        if self.shown:
            self.state.refresh()

    def _update(self, *_) -> None:
        if not self.shown:
            return
        self._update_pages()
        if self._shown is None:  # the frame was begun before the page was turned here
            self.state.refresh()
            return
        self._update_bars(self._shown)
        self._update_traversals(self._shown)

    def _update_pages(self) -> None:
        latent_dim = self.state.latent_dim
        firsts = range(0, min(latent_dim, MOST_BARS), ROWS)
        pages = {f"rows {first + 1}–{min(first + ROWS, latent_dim)}": first for first in firsts}
        if self._pages.options != pages:
            self._pages.param.update(options=pages, value=self.first if self.first in pages.values() else 0)
        self._pages.visible = len(pages) > 1

    def _update_bars(self, shown: Dimensions) -> None:
        order = shown.order[:MOST_BARS]
        planes = self.state.plane.axes or ()
        active = shown.active[order]
        self._bars.data = {
            "x": list(range(len(order))),
            "kl": shown.kl[order].tolist(),
            "name": [name(dimension) for dimension in order],
            "color": np.where(active, ACTIVE, DEAD).tolist(),
            "line": np.where(np.isin(order, planes), MARK, TRANSPARENT).tolist(),
            "state": np.where(active, "active", "dead").tolist(),
        }
        self._figure.x_range.update(start=-0.7, end=len(order) - 0.3)
        self._figure.y_range.end = limit(shown.kl[order[0]])
        self._label_bars(order)
        words = f"{shown.active.sum():,} of {len(shown.kl):,} active · KL {shown.kl.sum():.1f} nats"
        self._title.object = headline(self.title, words, CRITERION)

    def _label_bars(self, order: Sequence[int]) -> None:
        axis = self._figure.xaxis
        if len(order) <= FEW_BARS:
            labels = {place: name(dimension) for place, dimension in enumerate(order)}
        else:
            step = next(step for step in (5, 10, 20, 50) if len(order) / step <= 10)
            labels = {place - 1: str(place) for place in (1, *range(step, len(order) + 1, step))}
        if axis.major_label_overrides != labels:
            axis.ticker.ticks = list(labels)  # the ticker itself stays: see `ReconstructionView`
            axis.major_label_overrides = labels
            few = len(order) <= FEW_BARS
            axis.axis_label = "latent dimension" if few else "latent dimensions, by rank of KL"

    def _update_traversals(self, shown: Dimensions) -> None:
        rows = len(shown.rows)
        names = [
            Word(0, rows - 0.5 - row, "left", f"{name(dimension)} · {shown.kl[dimension]:.2f} nats")
            for row, dimension in enumerate(shown.rows)
        ]
        ticks = traversal_ticks(TICKS, REACH)
        places = (0, 2, TICKS // 2, TICKS - 3, TICKS - 1)
        scale = [Word(i + 0.5, 0, "below", f"{ticks[i]:.2g}".replace("-", "−"), span=2) for i in places]
        others = "in the others the first selected example" if self.state.selection else "the others 0"
        middle = Word(TICKS / 2, 0, "below", f"\nz of one dimension, {others}", span=2 * TICKS)
        self._tiles.show(shown.picture, TICKS, rows, [*names, *scale, middle])

    def _make_figure(self) -> Figure:
        figure = Figure(x_range=Range1d(-0.7, 1.7), y_range=Range1d(0, 1), tools="")
        dress(figure, "dimensions")
        figure.update(toolbar_location=None)
        bars = figure.vbar("x", 0.8, "kl", source=self._bars, color="color", line_color="line", line_width=2)
        bars.update(nonselection_glyph=None)
        values = [("", "@name, @state"), ("KL", "@kl{0.000} nats"), ("", "tap to put it across in the planes")]
        figure.add_tools(HoverTool(renderers=[bars], tooltips=values, mode="vline"))
        figure.xgrid.visible = False
        figure.xaxis.ticker = FixedTicker(ticks=[])
        figure.yaxis.axis_label = "KL (nats)"
        figure.on_event(Tap, self._on_tap)
        return figure


def name(dimension: int) -> str:
    """Return the name of a latent dimension that is counted from 0."""
    return f"z{dimension + 1}"


def limit(largest: float) -> float:
    """Return where an axis of nats ends whose largest value is this."""
    power = 10.0 ** np.floor(np.log10(max(largest, 0.01)))
    return float(next(step for step in LIMITS if step * power >= largest) * power)
