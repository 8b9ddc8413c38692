"""The picture of a large scatter: where there is a point, in which colour, and which of them stand out."""

import numpy as np
import pytest

from vaeviz.views.coloring import Coloring
from vaeviz.views.palette import CLASSES, NUMBERS, class_colors
from vaeviz.views.shade import Window, shade

WINDOW = Window((-2.0, -1.0, 2.0, 1.0), 80, 40)


def by_label(numbers: list[int], classes: int = 10) -> Coloring:
    return Coloring("label", np.array(numbers, float), tuple(class_colors(classes)), (-0.5, classes - 0.5))


def by_value(values: list[float]) -> Coloring:
    return Coloring("KL", np.array(values, float), NUMBERS, (0.0, 1.0))


def pixel(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the pixel (4,) at a point of the plane; row 0 is on top."""
    left, bottom, right, top = WINDOW.bounds
    rows, columns = picture.shape[:2]
    return picture[int((top - y) / (top - bottom) * rows), int((x - left) / (right - left) * columns)]


def rgb(color: str) -> list[int]:
    return list(bytes.fromhex(color[1:]))


@pytest.mark.parametrize(("coloring", "color"), [(by_label([2]), CLASSES[2]), (by_value([1.0]), NUMBERS[-1])])
def test_a_single_point_is_seen_where_it_lies_and_nothing_else_is(coloring: Coloring, color: str):
    picture = shade(np.array([[1.0, 0.5]]), coloring, WINDOW)
    assert picture.shape == (40, 80, 4)
    assert pixel(picture, 1.0, 0.5)[:3].tolist() == rgb(color)
    assert pixel(picture, 1.0, 0.5)[3] > 120
    assert 9 <= (picture[..., 3] > 0).sum() <= 25  # a few pixels, so that it is seen
    assert pixel(picture, -1.0, -0.5)[3] == 0


def test_what_lies_outside_and_what_is_hidden_is_not_drawn():
    points = np.array([[np.nan, 0.5], [5.0, 0.0], [0.0, -3.0]])
    assert not shade(points, by_label([0, 1, 2]), WINDOW)[..., 3].any()


def test_classes_in_one_pixel_are_mixed_as_they_occur():
    points = np.zeros((4, 2))
    picture = shade(points, by_label([0, 0, 0, 4]), WINDOW)
    mixed = 0.75 * np.array(rgb(CLASSES[0])) + 0.25 * np.array(rgb(CLASSES[4]))
    assert pixel(picture, 0, 0)[:3] == pytest.approx(mixed, abs=1)


def test_classes_beyond_the_palette_have_its_colours_again_as_the_points_have():
    picture = shade(np.array([[0.0, 0.0]]), by_label([13], classes=20), WINDOW)
    assert pixel(picture, 0, 0)[:3].tolist() == rgb(class_colors(20)[13])


@pytest.mark.parametrize(
    ("value", "color"), [(0.0, NUMBERS[0]), (-3.0, NUMBERS[0]), (1.0, NUMBERS[-1]), (9, NUMBERS[-1])]
)
def test_what_is_measured_has_the_palettes_colours_and_no_others_beyond_its_limits(value: float, color: str):
    picture = shade(np.array([[0.0, 0.0], [1.0, 0.5]]), by_value([value, 0.5]), WINDOW)
    assert pixel(picture, 0, 0)[:3].tolist() == rgb(color)


def test_of_several_values_in_a_pixel_the_mean_is_shown():
    alone = shade(np.array([[0.0, 0.0]]), by_value([0.5]), WINDOW)
    three = shade(np.zeros((3, 2)), by_value([0.0, 0.5, 1.0]), WINDOW)
    assert pixel(three, 0, 0)[:3].tolist() == pixel(alone, 0, 0)[:3].tolist()


@pytest.mark.parametrize("coloring", [by_label([0, 1, 2]), by_value([0.1, 0.2, 0.9])])
def test_more_points_are_more_opaque(coloring: Coloring):
    points = np.array([[-1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    picture = shade(points, coloring, WINDOW)
    assert pixel(picture, -1, 0)[3] > pixel(picture, 1, 0)[3] > 120


@pytest.mark.parametrize("coloring", [by_label([0, 1, 2]), by_value([0.1, 0.2, 0.9])])
def test_selected_points_stand_out(coloring: Coloring):
    points = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    plain, chosen = shade(points, coloring, WINDOW), shade(points, coloring, WINDOW, np.array([2]))
    assert pixel(chosen, 1, 0)[:3] == pytest.approx(pixel(plain, 1, 0)[:3], abs=1)
    assert pixel(chosen, 1, 0)[3] >= pixel(plain, 1, 0)[3]
    for x in (-1, 0):
        assert pixel(chosen, x, 0)[:3].tolist() == pixel(plain, x, 0)[:3].tolist()
        assert 0 < pixel(chosen, x, 0)[3] < 0.3 * pixel(plain, x, 0)[3]
