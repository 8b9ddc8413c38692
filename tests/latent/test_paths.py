import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vaeviz.latent import linear_path, path, polyline, random_walk, resample, spherical_path

LINES = st.integers(2, 6).flatmap(lambda count: arrays(np.float64, (count, 3), elements=st.floats(-10, 10)))
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


@pytest.mark.parametrize("kind", ["linear", "spherical"])
@given(points=LINES, frames=st.integers(1, 5))
def test_a_morph_passes_every_code_exactly_and_once(kind, points, frames):
    morph = polyline(points, frames, kind=kind, loop=False)
    assert len(morph) == (len(points) - 1) * frames + 1
    np.testing.assert_array_equal(morph[::frames], points)
    np.testing.assert_array_equal(morph[: frames + 1], path(points[0], points[1], frames + 1, kind))


@pytest.mark.parametrize("kind", ["linear", "spherical"])
@given(points=LINES, frames=st.integers(1, 5))
def test_a_loop_ends_one_step_before_its_first_code(kind, points, frames):
    loop = polyline(points, frames, kind=kind, loop=True)
    assert len(loop) == len(points) * frames
    closed = polyline(np.vstack([points, points[:1]]), frames, kind=kind)
    np.testing.assert_array_equal(np.vstack([loop, points[:1]]), closed)


def test_a_loop_over_two_codes_goes_there_and_back():
    assert polyline(np.array([[0.0], [2.0]]), 2, loop=True).tolist() == [[0], [1], [2], [1]]


@pytest.mark.parametrize(
    ("points", "frames", "message"),
    [
        (np.zeros((1, 2)), 3, "1 points are given: a morph needs at least 2 codes"),
        (np.zeros((2, 2)), 0, "frames_per_leg=0: must be a whole number from 1"),
        (np.array([[0.0], [np.nan]]), 3, "points hold values that are not finite"),
    ],
)
def test_a_morph_that_cannot_be_is_refused_in_words(points, frames, message):
    with pytest.raises(ValueError, match=message):
        polyline(points, frames)


@given(points=LINES, count=st.integers(2, 20))
def test_a_resampled_line_has_its_ends_exactly_and_lies_in_its_box(points, count):
    line = resample(points, count)
    assert line.shape == (count, 3)
    np.testing.assert_array_equal(line[[0, -1]], points[[0, -1]])
    assert (line >= points.min(0) - 1e-9).all()
    assert (line <= points.max(0) + 1e-9).all()


def test_resampled_points_are_equally_far_along_the_line():
    drawn = np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 0.0], [3.0, 0.0], [3.0, 1.0]])  # unevenly, one corner twice
    np.testing.assert_allclose(resample(drawn, 5), [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]])


@pytest.mark.parametrize("points", [np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]] * 3)])
def test_a_line_without_length_repeats_its_point(points):
    assert resample(points, 3).tolist() == [[1, 2]] * 3


@pytest.mark.parametrize(
    ("points", "count", "message"),
    [
        (np.zeros((0, 2)), 3, "0 points are given"),
        (np.zeros((2, 2)), 1, "count=1: a line needs at least its 2 ends"),
        (np.array([[0.0], [np.inf]]), 3, "not finite"),
    ],
)
def test_a_line_that_cannot_be_is_refused_in_words(points, count, message):
    with pytest.raises(ValueError, match=message):
        resample(points, count)


@pytest.mark.parametrize("smoothness", [1.0, 5.0])
def test_each_frame_of_a_walk_is_a_draw_from_the_prior(smoothness):
    frames = [random_walk(2, 9, seed=seed, smoothness=smoothness)[[0, 4, 8]] for seed in range(4000)]
    values = np.array(frames).reshape(4000, 6)  # of three frames of two dimensions each, over seeds
    np.testing.assert_allclose(values.mean(0), 0, atol=0.064)  # 4 standard errors of each
    np.testing.assert_allclose(values.var(0), 1, atol=0.09)
    assert abs((values[:, 0] * values[:, 1]).mean()) < 0.064  # the dimensions are independent


def test_frames_of_a_walk_are_as_alike_as_smoothness_says():
    walk = random_walk(2000, 40, seed=0, smoothness=10.0)
    lags = np.array([1, 5, 10, 20])
    correlations = [(walk[:-lag] * walk[lag:]).mean() for lag in lags]
    np.testing.assert_allclose(correlations, np.exp(-((lags / 10) ** 2) / 2), atol=0.02)
    steps = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    np.testing.assert_allclose(steps, np.sqrt(2000) / 10, rtol=0.1)


def test_the_seed_reproduces_the_walk():
    walk = random_walk(3, 50, seed=4)
    assert walk.shape == (50, 3)
    np.testing.assert_array_equal(walk, random_walk(3, 50, seed=4))
    assert not np.array_equal(walk, random_walk(3, 50, seed=5))


def test_a_longer_walk_begins_alike():
    np.testing.assert_allclose(random_walk(3, 50, seed=4)[:20], random_walk(3, 20, seed=4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0: must be a whole number from 1"),
        ({"frames": 0}, "frames=0: must be a whole number from 1"),
        ({"smoothness": 0.5}, "smoothness=0.5: must be a finite number of frames from 1"),
        ({"smoothness": float("nan")}, "smoothness=nan"),
    ],
)
def test_a_walk_that_cannot_be_is_refused_in_words(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_walk(**{"latent_dim": 2, "frames": 3, "seed": 0, **arguments})
