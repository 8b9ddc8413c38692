"""The loss as it falls, in nats."""

import numpy as np
import panel as pn
import param
from bokeh.events import RangesUpdate, Reset, Tap
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    HoverTool,
    Range1d,
    SingleIntervalTicker,
    Span,
)
from bokeh.models.tickers import BasicTicker
from bokeh.plotting import figure as Figure

from vaeviz.training import Run
from vaeviz.training.curve import SMOOTH, TERMS, Curve, in_order
from vaeviz.training.history import ROWS_AT_ONCE, SPLITS, metrics_table
from vaeviz.views.palette import MARK, TRAIN, VALIDATION
from vaeviz.views.raster import beside
from vaeviz.views.view import View, dress, one_line, switch, text, toggle

MOST_POINTS = 6000
"""Rows of one split that a browser holds; beyond it they are thinned, minima and maxima kept."""

DETAIL_SECONDS = 0.1
"""More of what is zoomed into is read when the hand has had so long to go on."""

LEAST_HEIGHT = 0.02
"""What the axis of the loss shows at least, as a share of its value: at the first step there is one point."""

WORDS_CSS = """
:host { font-size: 11px; }
:host > div > div { padding: 0 8px; }
i { display: inline-block; width: 12px; height: 3px; vertical-align: middle; margin-right: 4px; }
"""
NAMES = ("loss", "reconstruction", "kl")
COLUMNS = ("step", "x", "epoch", "value", "smooth", *NAMES)

# A zoom is told to the server, which then lets the axes stay; where they are moved by what it had sent before it knew,
# they are put back. What a message brings is all there when these are called.
ZOOMED_JS = """
if (fig.tags[0] !== fig._move) { return }  // no hand has moved them
const ranges = [fig.x_range, fig.y_range]
const is_whole = (range, whole) =>
  ["start", "end"].every((side) => range[side] === whole?.[side] || range[side] === range[`reset_${side}`])
if (!ranges.every((range, i) => is_whole(range, fig._whole?.[i]))) {
  fig._zoomed = ranges.map(({start, end}) => ({start, end}))
}
"""
MOVED_JS = """
fig._move = fig.tags[0]
const ranges = [fig.x_range, fig.y_range]
fig._whole = ranges.map(({reset_start, reset_end}) => ({start: reset_start, end: reset_end}))
if (fig.tags[1] === "anew") { fig._zoomed = null }
if (fig._zoomed) { ranges.forEach((range, i) => range.setv(fig._zoomed[i])) }
"""
RESET_JS = "fig._zoomed = null"


class LossView(View):
    """Loss, reconstruction or KL over the steps, train and validation, in nats per example.

    Each look at the run streams the new rows only. A zoom is never taken away: Follow goes off with it, and on again
    by a click. Of a long history the browser has the extremes of each stretch (`Curve`), and more of the part that is
    zoomed into.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    term = param.Selector(default="loss", objects={"loss": "loss", "recon.": "reconstruction", "KL": "kl"})
    log_steps = param.Boolean(False, doc="Whether the steps are on a logarithmic axis.")
    follow = param.Boolean(True, doc="Whether the axes follow the newest rows.")

    title = "Loss"
    hint = "nats; a click turns all views to that step"
    figure_name = "loss"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._cursor = self._moves = 0
        self._is_anew = True
        self._curves = {"train": Curve(), "validation": Curve()}
        self._details: dict[str, Curve] = {}
        self._detail_wanted = self._detailing = False
        self._streams = True
        self._sources = {split: ColumnDataSource({c: [] for c in COLUMNS}, name=split) for split in self._curves}
        self._mark = Span(dimension="height", line_color=MARK, line_width=2, visible=False, name="shown step")
        self._bokeh = self._make_figure()
        self._figure = pn.pane.Bokeh(self._bokeh, sizing_mode="stretch_both", margin=0)
        self._words = text(css=one_line(18) + WORDS_CSS)
        self._layout = self._card(
            pn.Column(self._words, self._figure, sizing_mode="stretch_both", margin=0),
            switch(self.param.term),
            toggle(self.param.log_steps, "log x"),
            toggle(self.param.follow, "Follow"),
        )
        self.state.param.watch(self._update, "tick")
        self.state.param.watch(self._begin_anew, "run")
        self.state.param.watch(self._update_mark, ["frame", "live"])
        self._update_words()
        self._update_mark()
        self._update()

    def _make_figure(self) -> Figure:
        figure = Figure(
            tools="pan,wheel_zoom,box_zoom,reset",
            active_scroll="wheel_zoom",
            x_range=Range1d(0, 100),
            y_range=Range1d(0, 600),
        )
        dress(figure, self.figure_name)
        train, validation = self._sources["train"], self._sources["validation"]
        figure.line("x", "value", source=train, color=TRAIN, alpha=0.3, width=1)
        smooth = figure.line("x", "smooth", source=train, color=TRAIN, width=2)
        line = figure.line("x", "value", source=validation, color=VALIDATION, width=2)
        figure.scatter("x", "value", source=validation, color=VALIDATION, size=4)
        tip = (
            '<div style="font-size:11px;line-height:1.35">step <b>@step{0,0}</b>, epoch @epoch{0.00}<br>'
            "<b>@loss{0.0}</b> = @reconstruction{0.0} + @kl{0.0} KL</div>"
        )
        figure.add_tools(HoverTool(renderers=[smooth, line], tooltips=tip, mode="vline", line_policy="nearest"))
        zoomed, moved, reset = (CustomJS(args={"fig": figure}, code=code) for code in (ZOOMED_JS, MOVED_JS, RESET_JS))
        for axis in (figure.x_range, figure.y_range):
            for side in ("start", "end"):
                axis.js_on_change(side, zoomed)
        figure.js_on_change("tags", moved)
        figure.js_on_event(Reset, reset)
        figure.on_event(RangesUpdate, self._on_zoom)
        figure.on_event(Reset, self._on_reset)
        figure.on_event(Tap, self._on_tap)
        figure.add_layout(self._mark)
        self._label_axes(figure)
        return figure

    # What a person does

    def _on_zoom(self, event: RangesUpdate) -> None:
        self.follow = False
        self._want_detail()

    def _on_reset(self, event: Reset) -> None:
        self.follow = True

    def _on_tap(self, event: Tap) -> None:
        if event.x is not None:
            self.state.go_to(round(10**event.x) if self.log_steps else round(event.x))

    @param.depends("follow", watch=True)
    def _on_follow(self) -> None:
        if self.follow:
            self._is_anew = True
            if self._details:
                self._details = {}
                self._show_curves()
            self._update_ranges()

    @param.depends("term", "log_steps", watch=True)
    def _redraw(self) -> None:
        self._label_axes(self._bokeh)
        self._details = {}
        self._show_curves()
        self.follow = self._is_anew = True
        self._update_ranges()
        self._update_mark()

    # What follows from state

    def _begin_anew(self, *_) -> None:
        self._cursor = 0
        self._curves = {split: Curve() for split in self._curves}
        self._details = {}
        self.follow = self._is_anew = True
        self._update_words()
        # Nothing is streamed until this has been sent: what is set and then streamed to in one message comes to the
        # browser twice, for what was set is read when the message is made.
        self._streams = False
        self._update()
        self.state.schedule(self._stream_again)

    def _stream_again(self) -> None:
        self._streams = True

    def _update(self, *_) -> None:
        """Read the rows that are new, and stream them; where they are too many, thin what there is."""
        new: dict[str, list[np.ndarray]] = {split: [] for split in self._curves}
        table = None
        while table is None or len(table) == ROWS_AT_ONCE:
            table, self._cursor = metrics_table(self.state.run, self._cursor)
            for split, rows in by_split(table).items():
                new[split].append(self._curves[split].add(rows))
        for split, parts in new.items():
            rows, source = np.concatenate(parts), self._sources[split]
            if not self._streams or len(source.data["step"]) + len(rows) > MOST_POINTS:
                self._show_curve(split)
            elif len(rows):
                # A few numbers, in the message itself: each array would be two more.
                source.stream({name: column.tolist() for name, column in self._columns(rows).items()})
        if any(len(part) for parts in new.values() for part in parts):
            self._update_words()
            if self.follow:
                self._update_ranges()

    def _show_curves(self) -> None:
        for split in self._curves:
            self._show_curve(split)

    def _show_curve(self, split: str) -> None:
        """Show the extremes of all stretches, and what is known of the part that is seen."""
        curves = [self._curves[split], *([self._details[split]] if split in self._details else [])]
        rows = in_order(np.concatenate([curve.rows(self._term) for curve in curves]))
        self._sources[split].data = self._columns(rows)

    def _want_detail(self) -> None:
        """Read more of what is seen, where rows were left out, beside the page; one at a time, and then the newest."""
        self._detail_wanted = True
        if self._detailing or not any(curve.is_thinned for curve in self._curves.values()):
            return
        self._detailing, self._detail_wanted = True, False
        run, ends = self.state.run, (self._bokeh.x_range.start, self._bokeh.x_range.end)
        low, high = (10**end for end in ends) if self.log_steps else ends

        def show(details: dict[str, Curve] | None) -> None:
            self._detailing = False
            if details is None or self.state.run is not run or self.follow:
                return
            self._details = details
            self._show_curves()
            if self._detail_wanted:
                self._want_detail()

        beside(self.state, lambda: detailed(run, low, high), show, "The loss can't be read", DETAIL_SECONDS)

    def _update_mark(self, *_) -> None:
        """Mark the step that the views show, while it is not the newest."""
        step = self.state.frame.snapshot.step
        self._mark.update(
            location=float(np.log10(max(step, 1))) if self.log_steps else float(step), visible=not self.state.live
        )

    def _update_ranges(self) -> None:
        """Show all steps; in height, what came after the first steep fall."""
        if all(curve.last is None for curve in self._curves.values()):
            return
        last = max(curve.last[0] for curve in self._curves.values() if curve.last is not None)
        steps, values = (
            np.concatenate([source.data[name] for source in self._sources.values()]) for name in ("step", "value")
        )
        values = values[(steps >= 0.04 * last) & np.isfinite(values)]  # a term that is not told is NaN
        low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
        middle, half = (low + high) / 2, 0.56 * max(high - low, LEAST_HEIGHT * abs(high), 1e-3)
        start, end = (0.0, max(np.log10(max(last, 1)), 0.1)) if self.log_steps else (0.0, max(float(last), 1.0))
        for axis, bounds in (
            (self._bokeh.x_range, (start, end)),
            (self._bokeh.y_range, (middle - half, middle + half)),
        ):
            axis.update(start=bounds[0], end=bounds[1], reset_start=bounds[0], reset_end=bounds[1])
        self._bokeh.tags = [self._moves, "anew" if self._is_anew else "on"]  # told last
        self._moves += 1
        self._is_anew = False

    @property
    def _term(self) -> int:
        return NAMES.index(self.term)

    def _columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return rows of a curve (n, 11) as the columns that the browser has."""
        steps = rows[:, 0]
        return {
            "step": steps,
            "x": np.log10(np.maximum(steps, 1)) if self.log_steps else steps,
            "epoch": rows[:, 1],
            "value": rows[:, TERMS[self._term]],
            "smooth": rows[:, SMOOTH[self._term]],
            **{name: rows[:, term] for name, term in zip(NAMES, TERMS, strict=True)},
        }

    def _label_axes(self, figure: Figure) -> None:
        figure.yaxis.axis_label = {"loss": "-ELBO", "reconstruction": "reconstruction", "kl": "KL"}[
            self.term
        ] + " (nats)"
        figure.xaxis.axis_label = "optimizer step" + (" (log scale)" if self.log_steps else "")
        power = "const n = Math.round(Math.pow(10, tick)); return n.toLocaleString('en')"
        plain = "return tick.toLocaleString('en')"
        figure.xaxis.formatter = CustomJSTickFormatter(code=power if self.log_steps else plain)
        figure.xaxis.ticker = SingleIntervalTicker(interval=1) if self.log_steps else BasicTicker(min_interval=1)

    def _update_words(self) -> None:
        words = []
        for split, name, color in (("train", "train", TRAIN), ("validation", "valid.", VALIDATION)):
            last = self._curves[split].last
            if last is not None:
                loss, reconstruction, kl = last[list(TERMS)]
                parts = "" if np.isnan(reconstruction) else f" = {reconstruction:.1f} + {kl:.1f} KL"
                words.append(f'<i style="background:{color}"></i>{name} <b>{loss:.1f}</b>{parts}')
        self._words.object = f"<div>{' &ensp;'.join(words) or 'no steps yet'}</div>"


def by_split(table: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows (R, 7) of training and of validation."""
    return {split: table[table[:, 2] == SPLITS.index(split)] for split in ("train", "validation")}


def detailed(run: Run, low: float, high: float) -> dict[str, Curve]:
    """Read the whole log again for the curves between two steps; any thread may."""
    curves = {split: Curve(steps=(low, high)) for split in ("train", "validation")}
    cursor, table = 0, None
    while table is None or len(table) == ROWS_AT_ONCE:
        table, cursor = metrics_table(run, cursor)
        for split, rows in by_split(table).items():
            curves[split].add(rows)
    return curves
