"""What lasso and box hold, and what they do to a selection."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.views.conftest import make_run
from vaeviz.views import ExplorerState
from vaeviz.views.lasso import Lasso, combined, mode_of, rows_inside

POINTS = np.array([[0.0, 0.0], [1.0, 1.0], [0.9, 0.1], [np.nan, 0.0], [0.1, 0.9]], np.float32)
TRIANGLE = {"type": "poly", "x": [-0.5, 1.5, -0.5], "y": [-0.5, -0.5, 1.5]}
BOX = {"type": "rect", "x0": 0.5, "x1": 2.0, "y0": 2.0, "y1": -1.0}


def test_a_box_holds_what_lies_between_its_corners_however_they_are_named():
    assert rows_inside(POINTS, BOX).tolist() == [1, 2]


def test_a_lasso_holds_what_lies_within_its_line_and_nothing_hidden():
    assert rows_inside(POINTS, TRIANGLE).tolist() == [0, 2, 4]


def test_a_lasso_that_is_drawn_as_a_point_or_a_line_holds_nothing():
    assert rows_inside(POINTS, {"type": "poly", "x": [0.5], "y": [0.5]}).tolist() == []
    assert rows_inside(POINTS, {"type": "poly", "x": [0.2, 0.3], "y": [0.5, 0.5]}).tolist() == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("replace", [1, 2]), ("append", [1, 2, 7, 9]), ("intersect", [2]), ("subtract", [7, 9])],
)
def test_a_selection_is_replaced_or_changed(mode, expected: list[int]):
    assert combined([9, 2, 7], np.array([1, 2]), mode) == expected


def test_keys_mean_what_they_mean_to_bokehs_tools():
    assert mode_of(None) == "replace"
    assert mode_of({"shift": True, "ctrl": False}) == "append"
    assert mode_of({"shift": False, "ctrl": True}) == "intersect"
    assert mode_of({"shift": True, "ctrl": True}) == "subtract"


@pytest.fixture
def state() -> ExplorerState:
    return ExplorerState(make_run())


@pytest.fixture
def lasso(state: ExplorerState) -> Lasso:
    lasso = Lasso(state, lambda: lambda: POINTS)
    lasso.active = True
    return lasso


def drag(lasso: Lasso, geometry: dict, **keys: bool) -> None:
    """Draw as the browser tells it: what stood for the selection is gone when the line is closed."""
    lasso._on_pan_start(SimpleNamespace(modifiers={"shift": False, "ctrl": False, **keys}))
    lasso._on_geometry(SimpleNamespace(geometry={"type": "poly", "x": [0], "y": [0]}, final=False))
    lasso.on_indices([])
    lasso._on_geometry(SimpleNamespace(geometry=geometry, final=True))
    lasso._on_pan_end(SimpleNamespace())


def test_a_drag_selects_and_with_shift_adds(lasso: Lasso, state: ExplorerState):
    drag(lasso, BOX)
    assert state.selection == [1, 2]
    drag(lasso, TRIANGLE, shift=True)
    assert state.selection == [0, 1, 2, 4]
    drag(lasso, BOX, ctrl=True)
    assert state.selection == [1, 2]


def test_views_hear_of_a_selection_that_is_the_same_again(lasso: Lasso, state: ExplorerState):
    drag(lasso, BOX)
    heard = []
    state.param.watch(heard.append, "selection")
    drag(lasso, BOX)
    assert len(heard) == 1


def test_escape_clears_the_selection_and_the_end_of_a_drag_does_not(lasso: Lasso, state: ExplorerState):
    drag(lasso, BOX)
    lasso.on_indices([0])
    assert state.selection == [1, 2]
    lasso.on_indices([])
    assert state.selection == []


def test_a_lasso_at_rest_leaves_the_selection_to_the_browser(lasso: Lasso, state: ExplorerState):
    lasso.active = False
    drag(lasso, BOX)
    assert state.selection == []
