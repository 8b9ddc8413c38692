"""A loss curve of any length in bounded memory: of each stretch of rows, those that are lowest and highest."""

import numpy as np
import pandas as pd
from jaxtyping import Float64

TERMS = (3, 4, 5)
"""The columns of a table of metrics that hold loss, reconstruction and KL."""

SMOOTH = (7, 8, 9)
"""The columns of a curve's rows that hold the same terms smoothed; before them the table's, after them the place."""

PLACE = 10
SMOOTHING = 0.8
MOST_STRETCHES = 1000

_MANY = 1000  # values that are smoothed faster by pandas, which takes a while for each call
_WARM_UP = 36  # values, until the smoothing is the whole


class Curve:
    """The rows of one split, thinned: no spike of any term vanishes, whatever their number.

    Stretches of equal numbers of rows, a power of 2, are known by six rows each: where loss, reconstruction and KL are
    lowest and highest. When there are too many stretches, each two become one. A term that is NaN in a row is left out
    of that term's curve.

    Parameters
    ----------
    most : int
        Stretches, at most; twice as many rows are drawn of each term.
    steps : (float, float)
        Only rows of these steps are kept; the others count for the smoothing.
    """

    def __init__(self, most: int = MOST_STRETCHES, steps: tuple[float, float] = (-np.inf, np.inf)) -> None:
        self._most, self._steps = most, steps
        self._size = 1
        self._stretches = np.zeros((0, 2 * len(TERMS), PLACE + 1))
        self._smooth = [(0.0, 0)] * len(TERMS)
        self._count = 0
        self._kept = 0
        self.last: Float64[np.ndarray, " 11"] | None = None
        """The newest row; None as long as there is none."""

    @property
    def is_thinned(self) -> bool:
        """Whether some rows are left out."""
        return self._size > 1

    def add(self, table: Float64[np.ndarray, "R 7"]) -> Float64[np.ndarray, "R 11"]:
        """Add rows of metrics, as `MetricsLog.table` has them, and return them with all columns of a curve's rows."""
        rows = np.empty((len(table), PLACE + 1))
        rows[:, : table.shape[1]] = table
        for i, (term, smooth) in enumerate(zip(TERMS, SMOOTH, strict=True)):
            rows[:, smooth], self._smooth[i] = smoothed(table[:, term], self._smooth[i])
        rows[:, PLACE] = np.arange(self._count, self._count + len(rows))
        self._count += len(rows)
        if len(rows):
            self.last = rows[-1]
        low, high = self._steps
        self._keep(rows[(rows[:, 0] >= low) & (rows[:, 0] <= high)])
        return rows

    def rows(self, term: int) -> Float64[np.ndarray, "n 11"]:
        """Return what is drawn of a term, 0 to 2 of `TERMS`: its lowest and highest rows in order, and the last."""
        rows = self._stretches[:, 2 * term : 2 * term + 2].reshape(-1, PLACE + 1)
        if self.last is not None and self._steps[0] <= self.last[0] <= self._steps[1]:
            rows = np.concatenate((rows, self.last[None]))
        return in_order(rows)

    def _keep(self, rows: Float64[np.ndarray, "n 11"]) -> None:
        if not len(rows):
            return
        before, self._kept = self._kept, self._kept + len(rows)
        while self._kept > self._most * self._size:
            self._size *= 2
            self._stretches = _extremes(_grouped(self._stretches, 2).reshape(-1, 4 * len(TERMS), PLACE + 1))
        before %= self._size  # rows of this stretch that came earlier
        blank = np.full((before, PLACE + 1), np.nan)
        found = _extremes(_grouped(np.concatenate((blank, rows)), self._size))
        if before:
            both = np.concatenate((self._stretches[-1:], found[:1]), axis=1)
            self._stretches, found = self._stretches[:-1], np.concatenate((_extremes(both), found[1:]))
        self._stretches = np.concatenate((self._stretches, found))


def in_order(rows: Float64[np.ndarray, "m 11"]) -> Float64[np.ndarray, "n 11"]:
    """Return rows of curves by their place, each once."""
    rows = rows[~np.isnan(rows[:, PLACE])]
    ordered: np.ndarray = rows[np.unique(rows[:, PLACE], return_index=True)[1]]
    return ordered


def smoothed(
    values: Float64[np.ndarray, " R"], before: tuple[float, int] = (0.0, 0)
) -> tuple[Float64[np.ndarray, " R"], tuple[float, int]]:
    """Return the exponential moving average of values, NaN where they are, and what it goes on with.

    At the n-th value (from 0) the average so far weighs n / (n + 9), and at most `SMOOTHING`: at the beginning, where a
    loss falls fastest, it stays near the values instead of lagging far behind them (the warm-up of TensorFlow's
    ``ExponentialMovingAverage``, ``num_updates``).

    Parameters
    ----------
    values : ndarray (R,)
    before : (float, int)
        The average before these values, and of how many values it was.
    """
    smooth = np.full(len(values), np.nan)
    told = np.isfinite(values)
    known = values[told]
    if not len(known):
        return smooth, before
    average, count = before
    averages = np.empty(len(known))
    slow = len(known) if len(known) <= _MANY else max(0, _WARM_UP - count)
    for i, value in enumerate(known[:slow]):
        keep = min(SMOOTHING, (count + i) / (count + i + 9))
        average = keep * average + (1 - keep) * value
        averages[i] = average
    if slow < len(known):
        series = pd.Series(np.concatenate(([average], known[slow:])))
        averages[slow:] = series.ewm(alpha=1 - SMOOTHING, adjust=False).mean()[1:]
    smooth[told] = averages
    return smooth, (float(averages[-1]), count + len(known))


def _grouped(rows: Float64[np.ndarray, "n ..."], size: int) -> Float64[np.ndarray, "groups size ..."]:
    """Return rows in groups of so many, the last one filled up with NaN."""
    blank = np.full((-len(rows) % size, *rows.shape[1:]), np.nan)
    return np.concatenate((rows, blank)).reshape(-1, size, *rows.shape[1:])


def _extremes(groups: Float64[np.ndarray, "groups size 11"]) -> Float64[np.ndarray, "groups 6 11"]:
    """Return of each group the rows in which each term is lowest and highest."""
    chosen = []
    for term in TERMS:
        values = groups[..., term]
        untold = np.isnan(values)
        chosen += [np.where(untold, np.inf, values).argmin(1), np.where(untold, -np.inf, values).argmax(1)]
    places = np.stack(chosen, axis=1)[..., None]
    found: np.ndarray = np.take_along_axis(groups, places, axis=1)
    return found
