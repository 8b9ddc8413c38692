"""The latent view of more points than a browser can draw: the same view, with a picture in the place of the points."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from bokeh.models import Plot

import vaeviz.views.latent
from tests.views.conftest import make_dataset, make_run
from tests.views.test_latent import shown, strokes, tap
from vaeviz.training import TrainingRun
from vaeviz.views import LatentView
from vaeviz.views.raster import MOST_PIXELS, window_of

COUNT = 400


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaeviz.views.latent, "MOST_POINTS", COUNT // 2)


def large_run(**config) -> TrainingRun:
    return make_run(make_dataset(count=COUNT), **config)


def picture(view: LatentView) -> np.ndarray:
    """Return the picture that is shown, as bytes (R, S, 4)."""
    ((_, source),) = view._raster._sources.values()
    packed = source.data["image"][0]
    return packed.view(np.uint8).reshape(*packed.shape, 4)


def opaque(view: LatentView) -> int:
    return int((picture(view)[..., 3] > 0).sum())


def select(view: LatentView, figure: Plot, x0: float, y0: float, x1: float, y1: float) -> None:
    """Draw a box in the plane, as the browser tells it."""
    view._lasso._on_pan_start(SimpleNamespace(modifiers=None))
    geometry = {"type": "rect", "x0": x0, "y0": y0, "x1": x1, "y1": y1}
    view._lasso._on_geometry(SimpleNamespace(model=figure, geometry=geometry, final=True))
    view._lasso._on_pan_end(SimpleNamespace())


def test_many_points_are_a_picture_and_none_of_them_goes_to_the_browser():
    view = LatentView(large_run())
    shown(view)
    assert opaque(view) > 100
    assert len(view._dots.sources[0].data["horizontal"]) == 1
    assert f"{COUNT:,} points" in view._title.object


def test_few_points_are_points():
    view = LatentView(make_run())
    shown(view)
    ((_, source),) = view._raster._sources.values()
    assert len(source.data["image"]) == 0
    assert len(view._dots.sources[0].data["horizontal"]) == 60


def test_another_run_turns_points_into_a_picture_and_back():
    few, many = make_run(), large_run()
    view = LatentView(few)
    shown(view)
    view.state.run = many
    assert opaque(view) > 100
    view.state.run = few
    assert len(view._dots.sources[0].data["horizontal"]) == 60
    ((_, source),) = view._raster._sources.values()
    assert len(source.data["image"]) == 0


def test_the_picture_is_of_the_part_of_the_plane_that_is_seen():
    view = LatentView(large_run())
    figure = shown(view)
    before = picture(view).copy()
    figure.x_range.update(start=-0.1, end=0.1)
    figure.y_range.update(start=-0.1, end=0.1)
    ((_, source),) = view._raster._sources.values()
    assert (source.data["x"], source.data["dw"]) == ([-0.1], [pytest.approx(0.2)])
    assert not np.array_equal(picture(view), before)


def test_it_has_a_pixel_for_each_of_the_screen_up_to_a_bound():
    view = LatentView(large_run())
    figure = shown(view)
    assert window_of(figure).width > 0  # the browser has told nothing yet
    figure.set_from_json("inner_width", 300)
    figure.set_from_json("inner_height", 200)
    assert picture(view).shape == (200, 300, 4)
    figure.set_from_json("inner_width", 3000)
    figure.set_from_json("inner_height", 2000)
    assert picture(view).shape[1] == pytest.approx(1.5 * picture(view).shape[0], rel=0.01)
    assert picture(view)[..., 0].size == pytest.approx(MOST_PIXELS, rel=0.01)


def test_a_range_without_extent_has_no_picture():
    figure = shown(LatentView(large_run()))
    figure.x_range.update(start=1, end=1)
    assert window_of(figure) is None


def test_hidden_classes_and_splits_are_not_drawn():
    view = LatentView(large_run())
    shown(view)
    everything = opaque(view)
    view.hidden_classes = [0, 1]
    some = opaque(view)
    assert 0 < some < everything
    view.hidden_classes = [0, 1, 2]
    assert opaque(view) == 0
    view.hidden_classes = []
    view.split = "test"
    assert 0 < opaque(view) < everything


def test_colours_coordinates_and_time_change_it():
    run = large_run()
    run.start()
    run.wait()
    view = LatentView(run)
    shown(view)
    seen = [picture(view).copy()]
    for change in (
        lambda: setattr(view.state, "color_by", "KL"),
        lambda: setattr(view.state, "coordinates", "u"),
        lambda: view.state.go_to(0),
    ):
        change()
        assert opaque(view) > 100
        assert not any(np.array_equal(picture(view), other) for other in seen)
        seen.append(picture(view).copy())


def test_a_box_selects_and_what_is_selected_stands_out():
    view = LatentView(large_run(), ellipses=True)
    figure = shown(view)
    plain = picture(view)[..., 3].astype(int).sum()
    points = view._points()
    middle = np.median(points[:, 0])
    select(view, figure, middle, -9, 9, 9)
    assert view.state.selection == np.flatnonzero(points[:, 0] >= middle).tolist()
    assert picture(view)[..., 3].astype(int).sum() < plain
    assert len(strokes(view, "_ellipses")) == len(view.state.selection)
    assert view._dots.sources[0].selected.indices == [0]  # a row that stands for them all
    view._dots.sources[0].selected.indices = []  # as Escape does
    assert view.state.selection == []
    assert picture(view)[..., 3].astype(int).sum() == plain


def test_what_is_hidden_is_not_selected():
    view = LatentView(large_run(), hidden_classes=[1])
    figure = shown(view)
    select(view, figure, -9, -9, 9, 9)
    assert set(view._classes()[view.state.selection]) == {0, 2}


def test_a_selection_made_elsewhere_is_shown():
    view = LatentView(large_run())
    shown(view)
    plain = picture(view)[..., 3].astype(int).sum()
    view.state.selection = [1, 2, 3]
    assert picture(view)[..., 3].astype(int).sum() < plain


def test_a_tap_takes_the_example_under_it():
    view = LatentView(large_run())
    figure = shown(view)
    figure.set_from_json("inner_width", 300)
    figure.set_from_json("inner_height", 300)
    points = view._points()
    row = int(np.argmax(points[:, 0]))
    view._on_tap(tap(figure, *points[row].tolist()))
    assert row in view.state.endpoint_rows


def test_one_latent_dimension_is_drawn_too():
    view = LatentView(large_run(latent_dim=1))
    shown(view)
    assert opaque(view) > 100


def test_views_without_many_points_do_not_import_datashader():
    code = """
import sys
from tests.views.conftest import make_run
from vaeviz.views import Explorer
Explorer(make_run())._layout.get_root()
assert not {"datashader", "numba", "xarray"} & set(sys.modules), "it is slow to import"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
