"""A loss curve of any length: what is kept of it, and that no spike vanishes."""

import numpy as np
import pytest

from vaeviz.training import Metrics, MetricsLog
from vaeviz.training.curve import SMOOTH, SMOOTHING, TERMS, Curve, smoothed
from vaeviz.training.history import metrics_table


def table_of(count: int, seed: int = 0) -> np.ndarray:
    """Return a table of so many rows whose terms are noise."""
    rng = np.random.default_rng(seed)
    step = np.arange(1.0, count + 1)
    terms = rng.normal(100, 1, (3, count))
    return np.stack((step, step / 10, np.zeros(count), *terms, step), axis=1)


def added(curve: Curve, table: np.ndarray, sizes: list[int]) -> Curve:
    """Add a table in pieces of these sizes, the last of which is repeated."""
    start = 0
    for size in [*sizes, *[sizes[-1]] * (len(table) // sizes[-1] + 1)]:
        curve.add(table[start : start + size])
        start += size
    return curve


def test_a_short_curve_is_kept_whole():
    curve = Curve(most=50)
    table = table_of(50)
    rows = curve.add(table)
    assert not curve.is_thinned
    for term in range(3):
        assert curve.rows(term) == pytest.approx(rows)
    assert rows[:, :7].tolist() == table.tolist()


@pytest.mark.parametrize("sizes", [[1], [7], [3, 1000], [100_000], [513, 1, 2, 4096]])
def test_a_long_curve_is_bounded_and_keeps_the_spikes_of_every_term(sizes: list[int]):
    table = table_of(20_000)
    for place, term in zip((4321, 8000, 19_998), TERMS, strict=True):
        table[place, term] = 900
        table[place - 5, term] = -900
    curve = added(Curve(most=100), table, sizes)
    assert curve.is_thinned
    for which, term in enumerate(TERMS):
        rows = curve.rows(which)
        assert len(rows) <= 2 * 100 + 1
        assert {rows[:, term].min(), rows[:, term].max()} == {-900, 900}
        assert (np.diff(rows[:, 0]) > 0).all()
        assert rows[-1, 0] == 20_000


def test_of_each_stretch_the_extremes_are_kept_however_the_rows_came():
    table = table_of(1000)
    at_once, one_by_one = added(Curve(most=40), table, [1000]), added(Curve(most=40), table, [1])
    stretches = table[:992, TERMS[0]].reshape(31, 32)  # 32: the power of 2 with which there are no more than 40
    assert set(stretches.min(1)) <= set(at_once.rows(0)[:, TERMS[0]])
    for term in range(3):
        assert one_by_one.rows(term).tolist() == at_once.rows(term).tolist()


def test_a_term_that_is_not_told_hides_no_other():
    table = table_of(5000)
    table[:, TERMS[1]] = np.nan
    table[::3, TERMS[2]] = np.nan
    table[1000, TERMS[2]] = 900
    curve = added(Curve(most=50), table, [700])
    assert len(curve.rows(0)) > 50
    assert np.nanmax(curve.rows(2)[:, TERMS[2]]) == 900
    assert np.isfinite(curve.rows(2)[:-1, TERMS[2]]).all()


def test_a_part_of_the_steps_is_kept_in_detail_and_smoothed_as_in_the_whole():
    table = table_of(5000)
    whole = Curve(most=10_000)
    whole.add(table)
    part = added(Curve(most=200, steps=(1000.0, 1100.0)), table, [333])
    assert not part.is_thinned
    assert part.rows(0)[:, 0].tolist() == list(range(1000, 1101))
    assert part.rows(0)[:, SMOOTH[0]] == pytest.approx(whole.rows(0)[999:1100, SMOOTH[0]])


def test_smoothing_is_an_exponential_average_that_begins_quick():
    values = np.random.default_rng(0).normal(size=5000)
    expected, average = [], np.nan
    for n, value in enumerate(values):
        keep = min(SMOOTHING, n / (n + 9))
        average = (keep * average if n else 0.0) + (1 - keep) * value
        expected.append(average)
    assert smoothed(values)[0] == pytest.approx(np.array(expected))
    assert smoothed(values[:50])[0] == pytest.approx(np.array(expected[:50]))


def test_a_smoothed_loss_that_falls_from_far_above_stays_near_it():
    loss = 150 + 400 * np.exp(-np.arange(60) / 4)  # a row in ten steps: what a first epoch looks like
    assert (smoothed(loss)[0] - loss).max() < 20  # 139, if it smoothed as ever from the first value on


def test_the_smoothed_line_of_equal_values_is_those():
    assert smoothed(np.full(9, 2.5))[0] == pytest.approx(2.5)


@pytest.mark.parametrize("cut", [4, 1500])
def test_smoothing_goes_on_where_it_ended_also_when_there_are_many(cut):
    values = np.random.default_rng(0).normal(size=5000)
    whole, _ = smoothed(values)
    first, before = smoothed(values[:cut])
    rest, _ = smoothed(values[cut:], before)
    assert np.concatenate((first, rest)) == pytest.approx(whole)


def test_smoothing_leaves_out_what_is_not_told():
    smooth, before = smoothed(np.array([np.nan, 4.0, np.nan, 4.0]))
    assert smooth.tolist() == pytest.approx([np.nan, 4.0, np.nan, 4.0], nan_ok=True)
    smooth, after = smoothed(np.array([np.nan]), before)
    assert np.isnan(smooth).all()
    assert after == before


class Elsewhere:
    """A run of somebody else's, which knows nothing of tables."""

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        rows = [Metrics(i, i / 10, "validation", 3.0, 2.0, 1.0, 0.5) for i in range(5)]
        return rows[cursor:], len(rows)


def test_any_runs_log_can_be_read_as_a_table():
    table, cursor = metrics_table(Elsewhere(), 2)
    assert table.tolist() == [[i, i / 10, 1, 3, 2, 1, 0.5] for i in (2, 3, 4)]
    assert cursor == 5
    table, _ = metrics_table(Elsewhere(), 5)
    assert table.shape == (0, 7)


def test_a_log_is_read_in_parts():
    log = MetricsLog(table_of(10))
    first, cursor = log.table(0, 4)
    second, cursor = log.table(cursor, 4)
    third, cursor = log.table(cursor, 4)
    assert [len(part) for part in (first, second, third)] == [4, 4, 2]
    assert np.concatenate((first, second, third)).tolist() == log.values().tolist()
    assert log.table(cursor, 4)[0].shape == (0, 7)
    assert log.table(99, 4)[1] == 10
