import numpy as np
import pytest

from tests.views.conftest import make_run
from vaeviz.training import Metrics
from vaeviz.views import LossView
from vaeviz.views.loss import MOST_POINTS, smoothed, thin


def rows(count: int) -> list[Metrics]:
    rng = np.random.default_rng(0)
    return [Metrics(i, i / 10, "train", float(v), float(v), 0.0, 0.0) for i, v in enumerate(rng.normal(100, 1, count))]


def test_thinning_keeps_the_spikes_and_the_order():
    many = rows(10_000)
    many[4321] = many[4321]._replace(loss=900.0)
    few = thin(many, 500)
    assert len(few) <= 500
    assert max(row.loss for row in few) == 900
    assert min(row.loss for row in few) == min(row.loss for row in many)
    assert [row.step for row in few] == sorted(row.step for row in few)


def test_smoothing_goes_on_where_it_ended():
    values = np.arange(10.0)
    whole = smoothed(values)
    assert np.concatenate((smoothed(values[:4]), smoothed(values[4:], whole[3]))).tolist() == whole.tolist()


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


def test_a_long_history_stays_bounded_in_the_browser(monkeypatch: pytest.MonkeyPatch):
    run = make_run()
    view = LossView(run)
    many = rows(3 * MOST_POINTS)
    for start in range(0, len(many), 1000):
        monkeypatch.setattr(
            run, "metrics_since", lambda cursor, start=start: (many[start : start + 1000], cursor + 1000)
        )
        view._update()
        assert len(view._sources["train"].data["step"]) <= MOST_POINTS


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
