import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vaeviz.latent import linear_path, path, spherical_path

CODES = arrays(np.float64, 3, elements=st.floats(-10, 10))


@pytest.mark.parametrize("kind", ["linear", "spherical"])
@given(a=CODES, b=CODES, n=st.integers(2, 9))
def test_both_ends_are_exact_and_every_point_is_finite(kind, a, b, n):
    points = path(a, b, n, kind)
    assert points.shape == (n, 3)
    assert np.isfinite(points).all()
    np.testing.assert_array_equal(points[0], a)
    np.testing.assert_array_equal(points[-1], b)


def test_linear_steps_are_equal():
    points = linear_path(np.array([0.0, 1.0]), np.array([4.0, -1.0]), 5)
    np.testing.assert_allclose(points, [[0, 1], [1, 0.5], [2, 0], [3, -0.5], [4, -1]])


def test_spherical_between_points_of_a_circle_stays_on_it_in_equal_angles():
    points = spherical_path(np.array([2.0, 0.0]), np.array([0.0, 2.0]), 7)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 2)
    np.testing.assert_allclose(np.arctan2(points[:, 1], points[:, 0]), np.linspace(0, np.pi / 2, 7), atol=1e-12)


def test_spherical_radius_changes_evenly():
    points = spherical_path(np.array([1.0, 0.0, 0.0]), np.array([0.0, 3.0, 0.0]), 5)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), [1, 1.5, 2, 2.5, 3])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0, 2.0], [2.0, 4.0]),  # same direction
        ([1.0, 2.0], [-1.0, -2.0]),  # opposite
        ([1.0, 2.0], [1.0, 2.0]),  # same point
        ([0.0, 0.0], [1.0, 2.0]),  # from the origin
        ([1.0, 2.0], [0.0, 0.0]),  # to the origin
        ([0.0, 0.0], [0.0, 0.0]),
        ([3.0], [-1.0]),  # on a line
    ],
)
def test_spherical_is_straight_where_there_is_no_one_arc(a, b):
    a, b = np.array(a), np.array(b)
    np.testing.assert_array_equal(spherical_path(a, b, 6), linear_path(a, b, 6))


def test_spherical_nears_the_straight_line_as_the_angle_vanishes():
    a, b = np.array([1.0, 0.0]), np.array([1.0, 1e-6])
    np.testing.assert_allclose(spherical_path(a, b, 5), linear_path(a, b, 5), atol=1e-11)


@pytest.mark.parametrize("function", [linear_path, spherical_path])
def test_single_precision_ends_give_a_double_precision_path(function):
    a, b = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    assert function(a, b, 3).dtype == np.float64


def test_a_path_needs_two_ends():
    with pytest.raises(ValueError, match="n=1: a path needs at least its 2 ends"):
        linear_path(np.zeros(2), np.ones(2), 1)


def test_ends_of_different_length_are_refused():
    with pytest.raises((ValueError, TypeError)):  # TypeError: from jaxtyping's import hook, where it runs
        spherical_path(np.zeros(2), np.ones(3), 4)


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises((ValueError, TypeError)):  # TypeError: from beartype, where it runs
        path(np.zeros(2), np.ones(2), 4, "cubic")
