"""The manifold view: which tiles, over which range, and what is told of each."""

import numpy as np
import pytest

from tests.views.conftest import make_dataset, make_run
from vaeviz.views import ManifoldView


def test_a_linear_range_is_chosen_with_its_limit():
    view = ManifoldView(make_run())
    assert view._range.value == ("u", None)
    view._range.value = view._range.options["linear ±3"]
    assert (view.state.manifold_range, view.state.manifold_limit) == ("z", 3)
    assert view._ranges() == ((-3, 3), (-3, 3))
    assert "3" in view._caption.object
    view._range.value = view._range.options["inverse CDF"]
    assert view.state.frame.coordinates == "u"


def test_a_limit_of_the_programs_own_is_offered_too():
    view = ManifoldView(make_run())
    view.state.param.update(manifold_range="z", manifold_limit=2.5)
    assert view._range.value == ("z", 2.5)
    assert "linear ±2.5" in view._range.options


@pytest.mark.parametrize(("chosen", "corner"), [("inverse CDF", 0.1), ("linear ±4", -3.2)])
def test_tiles_are_told_by_their_centres(chosen: str, corner: float):
    view = ManifoldView(make_run())
    view.state.manifold_side = 5
    view._range.value = view._range.options[chosen]
    grid = view._grid.data
    assert grid["at"][0][0] == pytest.approx(corner)
    assert np.diff(grid["at"][0]) == pytest.approx(np.full(4, -2 * corner / 4 if corner < 0 else 0.2))
    assert grid["z"][0][2] == pytest.approx(0)
    assert grid["u"][0][2] == pytest.approx(0.5)
    assert grid["rows"] == [5]
    assert grid["caption"][0] in view._caption.object


def test_a_single_dimension_is_one_row_of_tiles():
    view = ManifoldView(make_run(latent_dim=1))
    assert view._grid.data["rows"] == [1]
    assert view._caption.object.startswith("<div>20 codes")


@pytest.mark.parametrize("channels", [1, 3])
def test_the_largest_manifold_is_one_picture_of_bounded_size(channels: int):
    view = ManifoldView(make_run(make_dataset(channels, height=32, width=32)))
    view.state.manifold_side = 100
    picture, _ = view._picture()
    assert picture.dtype == np.uint8
    assert picture.shape[0] == picture.shape[1] <= 3000
    assert picture.shape[0] % 100 == 0
