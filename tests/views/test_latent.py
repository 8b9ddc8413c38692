"""The latent view: what is drawn of the examples, in which colours, and what a tap on one does."""

from types import SimpleNamespace

import numpy as np
import pytest
from bokeh.models import Plot

from tests.views.conftest import look, make_dataset, make_run
from vaeviz.latent import per_example_elbo
from vaeviz.views import ExplorerState, LatentView


def shown(view: LatentView):
    """Return the view's figure, drawn."""
    root = view._layout.get_root()
    return next(model for model in root.references() if isinstance(model, Plot))


def strokes(view: LatentView, layer: str) -> list[np.ndarray]:
    """Return the lines (K, 2) that a layer of the drawn view shows."""
    lines = []
    for sources in getattr(view, layer).sources:
        for source in sources:
            points = np.stack((source.data["x"], source.data["y"]), axis=1)
            ends = np.flatnonzero(np.isnan(points[:, 0])) if len(points) else []
            lines += [part[~np.isnan(part[:, 0])] for part in np.split(points, ends)[: len(ends)]]
    return lines


def tap(figure, x: float, y: float) -> SimpleNamespace:
    return SimpleNamespace(model=figure, x=x, y=y)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_only_the_examples_of_a_split_are_drawn(split: str):
    run = make_run()
    view = LatentView(run, split=split)
    drawn = ~np.isnan(view._points()[:, 0])
    assert set(view.state.frame.snapshot.ids[drawn]) == set(getattr(run.dataset, split).tolist())
    assert split in view._title.object


def test_another_run_has_other_splits():
    view = LatentView(make_run(), split="test")
    other = make_run(make_dataset(count=90))
    view.state.run = other
    drawn = ~np.isnan(view._points()[:, 0])
    assert set(view.state.frame.snapshot.ids[drawn]) == set(other.dataset.test.tolist())


def test_colours_of_the_reconstruction_are_its_nats():
    view = LatentView(make_run())
    view.state.color_by = "reconstruction"
    _, values, _, (low, high) = view._scatter()
    snapshot = view.state.frame.snapshot
    assert values == pytest.approx(per_example_elbo(snapshot.vae, snapshot.images).reconstruction)
    assert values.min() <= low < high <= values.max()


@pytest.mark.parametrize(("color_by", "unit"), [("KL", "nats"), ("reconstruction", "nats"), ("σ", "σ")])
def test_what_is_measured_has_a_scale_with_its_unit(color_by: str, unit: str):
    view = LatentView(make_run())
    assert not view._scale.visible
    view.state.color_by = color_by
    assert view._scale.visible
    assert unit in view._scale.object
    assert "≤" in view._scale.object


def test_a_click_in_solo_shows_one_class_alone_and_a_second_one_shows_all():
    view = LatentView(make_run())
    legend = view.legend
    legend.click(3)  # solo stands after the three classes
    assert legend.solo
    legend.click(1)
    assert view.hidden_classes == [0, 2]
    assert legend._chips.pressed == [False, True, False, True]
    legend.click(2)
    assert view.hidden_classes == [0, 1]
    legend.click(2)
    assert view.hidden_classes == []
    assert legend._chips.pressed == [True, True, True, True]


def test_chips_hide_one_class_after_another_and_the_last_one_brings_back_all():
    view = LatentView(make_run())
    for number in (0, 2):
        view.legend.click(number)
    assert view.hidden_classes == [0, 2]
    view.legend.click(1)
    assert view.hidden_classes == []


def test_contours_lie_around_the_points_that_are_drawn():
    view = LatentView(make_run(make_dataset(count=400)))
    shown(view)
    assert strokes(view, "_contours") == []
    view.contours = True
    points = view._points()
    low, high = points.min(0) - 1, points.max(0) + 1
    lines = strokes(view, "_contours")
    assert len(lines) >= 3
    assert all(((line >= low) & (line <= high)).all() for line in lines)
    view.contours = False
    assert strokes(view, "_contours") == []


def test_ellipses_are_one_standard_deviation_around_the_selected_points():
    view = LatentView(make_run(), ellipses=True)
    shown(view)
    view.state.selection = [7, 4]
    logvar = view.state.frame.snapshot.logvar
    lines = strokes(view, "_ellipses")
    assert len(lines) == 2
    widths = sorted(float(np.ptp(line[:, 0])) for line in lines)
    assert widths == pytest.approx(sorted(2 * np.exp(0.5 * logvar[[7, 4], 0])), rel=0.01)
    view.state.coordinates = "u"
    assert all(((line > 0) & (line < 1)).all() for line in strokes(view, "_ellipses"))
    view.hidden_classes = [int(view._classes()[7])]
    assert len(strokes(view, "_ellipses")) == (view._classes()[[7, 4]] != view._classes()[7]).sum()


def test_trails_lead_through_all_kept_steps_to_the_points_themselves():
    run = make_run(make_dataset(count=200), epochs=4)
    run.start()
    run.wait()
    view = LatentView(run, trail=True)
    shown(view)
    view.state.selection = [11]
    (line,) = strokes(view, "_trails")
    expected = np.stack([run.snapshot(step).mu[11] for step in run.steps])
    assert line == pytest.approx(expected, abs=1e-6)
    middle = run.steps[len(run.steps) // 2]
    view.state.go_to(middle)
    (line,) = strokes(view, "_trails")
    assert len(line) == run.steps.index(middle) + 1
    assert line[-1] == pytest.approx(view._points()[11], abs=1e-6)
    assert view.state.selection == [11]


@pytest.mark.parametrize("latent_dim", [1, 5])
def test_outlines_are_drawn_in_any_number_of_dimensions(latent_dim: int):
    view = LatentView(make_run(latent_dim=latent_dim), contours=True, ellipses=True, trail=True)
    shown(view)
    view.state.selection = [3, 5]
    mu = view._points()[[3, 5]]
    middles = [(line.min(0) + line.max(0)) / 2 for line in strokes(view, "_ellipses")]
    assert np.sort(middles, axis=0) == pytest.approx(np.sort(mu, axis=0), abs=1e-3)
    assert np.sort([line[-1] for line in strokes(view, "_trails")], axis=0) == pytest.approx(
        np.sort(mu, axis=0), abs=1e-5
    )
    assert (strokes(view, "_contours") == []) == (latent_dim == 1)


def test_it_is_said_that_something_must_be_selected():
    view = LatentView(make_run(), ellipses=True)
    view.state.selection = []
    view._update_outlines()
    assert "lasso" in view._advice.object
    view.state.selection = [1]
    assert "lasso" not in view._advice.object


@pytest.mark.parametrize("latent_dim", [2, 5])
def test_a_tap_on_an_example_takes_its_code_and_one_beside_it_the_point(latent_dim: int):
    view = LatentView(make_run(latent_dim=latent_dim))
    figure = shown(view)
    figure.set_from_json("inner_width", 300)  # as the browser tells it
    figure.set_from_json("inner_height", 300)
    pixel = (figure.x_range.end - figure.x_range.start) / 300
    points = view._points()
    row = int(np.argmax(points[:, 0]))  # nothing lies to the right of it
    x, y = points[row]
    view._on_tap(tap(figure, x + 4 * pixel, y))
    assert row in view.state.endpoint_rows
    which = view.state.endpoint_rows.index(row)
    assert view.state.endpoints[which] == pytest.approx(view.state.frame.snapshot.mu[row])
    view._on_tap(tap(figure, x + 9 * pixel, y))
    assert row not in view.state.endpoint_rows
    assert view.state.in_plane(view.state.endpoints)[which] == pytest.approx([x + 9 * pixel, y])


def test_a_tap_takes_no_example_that_is_not_drawn():
    view = LatentView(make_run())
    figure = shown(view)
    figure.set_from_json("inner_width", 300)  # as the browser tells it
    figure.set_from_json("inner_height", 300)
    x, y = view._points()[0]
    view.hidden_classes = [0, 1, 2]
    view._on_tap(tap(figure, x, y))
    assert view.state.endpoint_rows == (None, None)


def test_pca_is_offered_beyond_two_dimensions_and_tells_its_share_of_the_variance():
    view = LatentView(make_run(latent_dim=5))
    assert view._planes.visible
    view.state.plane_kind = "PCA"
    look(view.state)
    assert not view._across.visible
    assert view._explained.visible
    first, second = view.state.plane.explained
    assert f"PC1 {first:.0%} + PC2 {second:.0%}" in view._explained.object
    assert not LatentView(make_run()).state.plane.explained
    assert not LatentView(make_run())._planes.visible


def test_two_views_of_one_state_show_what_each_is_told():
    state = ExplorerState(make_run())
    first, second = LatentView(state, trail=True), LatentView(state)
    shown(first), shown(second)
    state.selection = [2]
    assert len(strokes(first, "_trails")) == 1
    assert strokes(second, "_trails") == []


def ranges(figure: Plot) -> list[float]:
    return [value for axis in (figure.x_range, figure.y_range)
            for value in (axis.start, axis.end, axis.reset_start, axis.reset_end)]  # fmt: skip


@pytest.mark.parametrize(("changed", "expected"), [({"extent": "±6"}, (-6, 6)), ({"coordinates": "u"}, (0, 1))])
def test_a_view_that_is_shown_again_shows_what_is_now_to_be_seen(changed: dict[str, str], expected: tuple[int, int]):
    view = LatentView(make_run(), extent="±3")
    first = shown(view)
    view.state.selection = [1, 4]
    (view if "extent" in changed else view.state).param.update(changed)
    second = shown(view)
    assert second is not first
    assert ranges(second) == ranges(first) == [*expected] * 4
    for figure in (first, second):
        (points,) = (r.data_source for r in figure.renderers if r.data_source.name == "examples")
        drawn = np.stack((points.data["horizontal"], points.data["vertical"]), axis=1)
        assert drawn == pytest.approx(view._points())
        assert points.selected.indices == [1, 4]
