import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.large import log_of
from tests.views.conftest import make_run
from vaeviz.training import MetricsLog, TrainingRun
from vaeviz.training.events import Metrics
from vaeviz.views import ExplorerState, LossView
from vaeviz.views.loss import MOST_POINTS

LONG = 120_000


def run_with(log: MetricsLog) -> TrainingRun:
    """Return a run, not started, that has this log."""
    run = make_run()
    run._log = log
    return run


def test_only_new_rows_are_streamed_and_all_terms_can_be_seen():
    run = make_run(log_every=1)
    view = LossView(run)
    run.start()
    run.wait()
    view._update()
    train = view._sources["train"].data
    assert list(train["step"]) == list(range(1, run.total_steps + 1))
    view._update()
    assert len(train["step"]) == run.total_steps
    view.term = "kl"
    kl = [row.kl for row in run.metrics_since(0)[0] if row.split == "train"]
    assert view._sources["train"].data["value"].tolist() == pytest.approx(kl)


def test_a_long_history_is_bounded_in_the_browser_and_goes_on():
    values = log_of(LONG).values()
    values[77_777, 3] = 9000
    run = run_with(MetricsLog(values))
    view = LossView(run)
    train = view._sources["train"]
    assert 1000 < len(train.data["step"]) <= MOST_POINTS
    assert max(train.data["loss"]) == 9000
    for step in range(LONG + 1, LONG + 2 * MOST_POINTS):
        run._log.append(Metrics(step, 0.0, "train", 150.0, 140.0, 10.0, 0.0))
        if step % 500 == 0:
            view._update()
            assert train.data["step"][-1] == step
            assert len(train.data["step"]) <= MOST_POINTS
    assert max(train.data["loss"]) == 9000
    assert (np.diff(train.data["step"]) > 0).all()
    assert view._bokeh.x_range.end >= LONG + 2 * MOST_POINTS - 500


def test_a_zoom_into_a_long_history_shows_every_row_until_all_is_followed_again():
    view = LossView(run_with(log_of(LONG)))
    view._bokeh.x_range.update(start=50_000, end=50_400)
    view._on_zoom(SimpleNamespace())
    steps = view._sources["train"].data["step"]
    within = steps[(steps >= 50_000) & (steps <= 50_400)]
    assert within.tolist() == [step for step in range(50_000, 50_401) if step % 100]
    assert steps[0] < 1000  # the rest is there, too
    assert steps[-1] > LONG - 2
    assert len(steps) <= MOST_POINTS
    view.follow = True
    steps = view._sources["train"].data["step"]
    assert ((steps >= 50_000) & (steps <= 50_400)).sum() < 50


def test_every_term_of_a_long_history_has_its_own_extremes():
    values = log_of(LONG).values()
    values[4321, 5] = 900
    view = LossView(run_with(MetricsLog(values)))
    view.term = "kl"
    assert max(view._sources["train"].data["value"]) == 900


def test_a_term_that_is_not_told_leaves_the_others_to_be_seen():
    values = log_of(500).values()
    values[:, 4:6] = np.nan
    view = LossView(run_with(MetricsLog(values)))
    assert np.isfinite(view._sources["train"].data["value"]).all()
    view.term = "kl"
    assert view._bokeh.y_range.start < view._bokeh.y_range.end
    assert "KL" not in view._words.object


def test_another_run_has_its_own_history():
    state = ExplorerState(run_with(log_of(LONG)))
    view = LossView(state)
    state.run = run_with(log_of(50))
    assert view._sources["train"].data["step"].tolist() == list(range(1, 51))


def test_a_zoom_is_not_taken_away():
    run = make_run(log_every=1)
    view = LossView(run)
    view._on_zoom(None)
    view._bokeh.x_range.update(start=3, end=4)
    run.start()
    run.wait()
    view._update()
    assert (view._bokeh.x_range.start, view._bokeh.x_range.end) == (3, 4)
    view.follow = True
    assert view._bokeh.x_range.end == run.total_steps


def test_a_million_steps_under_a_watching_eye_take_less_than_100_mb():
    code = """
import psutil
from benchmarks.large import log_of
from tests.views.conftest import make_run
from vaeviz.training.history import row_of
from vaeviz.views import LossView

run = make_run()
view = LossView(run)
rows = [row_of(numbers) for numbers in log_of(20_000).values()]
for row in rows[:10_000]:
    run._log.append(row)
view._update()
before = psutil.Process().memory_info().rss
for i in range(1_000_000):
    run._log.append(rows[i % len(rows)]._replace(step=i))
    if i % 1000 == 0:
        view._update()
view._want_detail()
print(psutil.Process().memory_info().rss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=240)
    assert int(done.stdout) < 100 * 2**20


def test_a_single_point_has_an_axis_that_can_be_read(state: ExplorerState):
    state.run.start()
    state.run.stop()
    view = LossView(state)
    rows = view._sources["validation"].data["value"]
    assert len(rows) == 1
    bottom, top = view._bokeh.y_range.start, view._bokeh.y_range.end
    assert bottom < rows[0] < top
    assert top - bottom > 0.02 * rows[0]
