"""The loss as it falls, in nats."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import panel as pn
import param
from bokeh.events import RangesUpdate, Reset, Tap
from bokeh.models import ColumnDataSource, CustomJSTickFormatter, HoverTool, Range1d, SingleIntervalTicker, Span
from bokeh.models.tickers import BasicTicker
from bokeh.plotting import figure as Figure

from vaeviz.training import Metrics
from vaeviz.views.palette import MARK, TRAIN, VALIDATION
from vaeviz.views.view import View, dress, one_line, switch, text, toggle

MOST_POINTS = 4000
"""Rows of one split that a browser holds; beyond it the history is thinned, minima and maxima kept."""

SMOOTHING = 0.8
WORDS_CSS = """
:host { font-size: 11.5px; }
:host > div > div { padding: 0 12px; }
i { display: inline-block; width: 14px; height: 3px; vertical-align: middle; margin-right: 5px; }
"""
TERMS = ("loss", "reconstruction", "kl")
COLUMNS = ("step", "x", "epoch", "value", "smooth", *TERMS)


class LossView(View):
    """Loss, reconstruction or KL over the steps, train and validation, in nats per example.

    Each look at the run streams the new rows only. A zoom is never taken away: Follow goes off with it, and on again
    by a click.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    term = param.Selector(default="loss", objects={"loss": "loss", "recon.": "reconstruction", "KL": "kl"})
    log_steps = param.Boolean(False, doc="Whether the steps are on a logarithmic axis.")
    follow = param.Boolean(True, doc="Whether the axes follow the newest rows.")

    title = "Loss"
    hint = "in nats; a click turns all views to that step"
    figure_name = "loss"

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._cursor = 0
        self._rows: dict[str, list[Metrics]] = {"train": [], "validation": []}
        self._sources = {split: ColumnDataSource({c: [] for c in COLUMNS}, name=split) for split in self._rows}
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
        figure.on_event(RangesUpdate, self._on_zoom)
        figure.on_event(Reset, self._on_reset)
        figure.on_event(Tap, self._on_tap)
        figure.add_layout(self._mark)
        self._label_axes(figure)
        return figure

    # What a person does

    def _on_zoom(self, event: RangesUpdate) -> None:
        self.follow = False

    def _on_reset(self, event: Reset) -> None:
        self.follow = True

    def _on_tap(self, event: Tap) -> None:
        if event.x is not None:
            self.state.go_to(round(10**event.x) if self.log_steps else round(event.x))

    @param.depends("follow", watch=True)
    def _on_follow(self) -> None:
        if self.follow:
            self._update_ranges()

    @param.depends("term", "log_steps", watch=True)
    def _redraw(self) -> None:
        self._label_axes(self._bokeh)
        for split in self._rows:
            self._sources[split].data = self._columns(split, self._rows[split])
        self.follow = True
        self._update_ranges()
        self._update_mark()

    # What follows from state

    def _begin_anew(self, *_) -> None:
        self._cursor = 0
        for split, rows in self._rows.items():
            rows.clear()
            self._sources[split].data = {c: [] for c in COLUMNS}
        self.follow = True
        self._update_words()
        self._update()

    def _update(self, *_) -> None:
        rows, self._cursor = self.state.run.metrics_since(self._cursor)
        for split, seen in self._rows.items():
            new = [row for row in rows if row.split == split]
            if not new:
                continue
            source = self._sources[split]
            if len(seen) + len(new) > MOST_POINTS:
                seen[:] = thin([*seen, *new], MOST_POINTS // 2)
                source.data = self._columns(split, seen)
            else:
                last = source.data["smooth"][-1] if seen else None
                seen.extend(new)
                source.stream(self._columns(split, new, last))
        if rows:
            self._update_words()
            if self.follow:
                self._update_ranges()

    def _update_mark(self, *_) -> None:
        """Mark the step that the views show, while it is not the newest."""
        step = self.state.frame.snapshot.step
        self._mark.update(
            location=float(np.log10(max(step, 1))) if self.log_steps else float(step), visible=not self.state.live
        )

    def _update_ranges(self) -> None:
        """Show all steps; in height, what came after the first steep fall."""
        rows = [row for seen in self._rows.values() for row in seen]
        if not rows:
            return
        last = max(row.step for row in rows)
        values = [getattr(row, self.term) for row in rows if row.step >= 0.04 * last]
        values = [value for value in values if np.isfinite(value)] or [0.0]  # one that is not told is NaN
        low, high = min(values), max(values)
        room = 0.06 * max(high - low, 1e-3)
        start, end = (0.0, max(np.log10(max(last, 1)), 0.1)) if self.log_steps else (0.0, max(float(last), 1.0))
        for axis, bounds in ((self._bokeh.x_range, (start, end)), (self._bokeh.y_range, (low - room, high + room))):
            axis.update(start=bounds[0], end=bounds[1], reset_start=bounds[0], reset_end=bounds[1])

    def _columns(self, split: str, rows: Sequence[Metrics], last: float | None = None) -> dict:
        steps = np.array([row.step for row in rows], dtype=float)
        values = np.array([getattr(row, self.term) for row in rows], dtype=float)
        return {
            "step": steps,
            "x": np.log10(np.maximum(steps, 1)) if self.log_steps else steps,
            "epoch": np.array([row.epoch for row in rows]),
            "value": values,
            "smooth": smoothed(values, last),
            **{term: np.array([getattr(row, term) for row in rows]) for term in TERMS},
        }

    def _label_axes(self, figure: Figure) -> None:
        figure.yaxis.axis_label = {"loss": "-ELBO", "reconstruction": "reconstruction", "kl": "KL"}[
            self.term
        ] + " (nats)"
        figure.xaxis.axis_label = "optimizer step" + (" (log scale)" if self.log_steps else "")
        power = "const n = Math.round(Math.pow(10, tick)); return n.toLocaleString('en')"
        plain = "return tick.toLocaleString('en')"
        figure.xaxis.formatter = CustomJSTickFormatter(code=power if self.log_steps else plain)
        figure.xaxis.ticker = SingleIntervalTicker(interval=1) if self.log_steps else BasicTicker()

    def _update_words(self) -> None:
        words = []
        for split, color in (("train", TRAIN), ("validation", VALIDATION)):
            rows = self._rows[split]
            if rows:
                row = rows[-1]
                parts = "" if np.isnan(row.reconstruction) else f" = {row.reconstruction:.1f} + {row.kl:.1f} KL"
                words.append(f'<i style="background:{color}"></i>{split} <b>{row.loss:.1f}</b>{parts}')
        self._words.object = f"<div>{' &ensp; '.join(words) or 'no steps yet'}</div>"


def smoothed(values: np.ndarray, last: float | None = None) -> np.ndarray:
    """Return the exponential moving average of values, going on from the last one before them."""
    smooth = np.empty(len(values))
    for i, value in enumerate(values):
        last = value if last is None else SMOOTHING * last + (1 - SMOOTHING) * value
        smooth[i] = last
    return smooth


def thin(rows: Sequence[Metrics], most: int) -> list[Metrics]:
    """Return at most so many rows, those of lowest and highest loss of each stretch, so that no spike vanishes."""
    edges = np.linspace(0, len(rows), most // 2 + 1).astype(int)
    kept = []
    for start, end in pairwise(edges):
        stretch = rows[start:end]
        if stretch:
            ends = {id(row): row for row in (min(stretch, key=_loss), max(stretch, key=_loss))}
            kept.extend(sorted(ends.values(), key=lambda row: row.step))
    return kept


def _loss(row: Metrics) -> float:
    return row.loss
