import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from vaeviz.latent import Plane, axes_plane, density_contours, posterior_ellipses, principal_plane, to_u

LEVELS = (0.5, 0.8, 0.95)
WIDE = (-9.0, 9.0, -9.0, 9.0)
SLANTED = Plane(np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]))


def normal(count=5000, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2))


def clusters():
    centers = np.array([[-3.0, 0.0], [3.0, 1.0], [0.0, 4.0]])
    return (0.3 * normal(4998).reshape(3, -1, 2) + centers[:, None]).reshape(-1, 2)


def share_within(lines, points):
    """Share of the points inside an odd number of outlines."""
    inside = np.zeros(len(points), dtype=int)
    for line in lines:
        inside += Path(line).contains_points(points)
    return (inside % 2).mean()


@pytest.mark.parametrize(
    ("points", "extent"),
    [
        (normal(), WIDE),
        (normal() @ [[2.0, 0.0], [1.9, 0.2]], WIDE),
        (clusters(), WIDE),
        (0.01 * normal() + 5, WIDE),  # small in its extent
        (1e4 * normal(), (-1e6, 1e6, -1e6, 1e6)),
        (to_u(normal()), (0.0, 1.0, 0.0, 1.0)),
        (to_u(3 * normal()), (0.0, 1.0, 0.0, 1.0)),  # crowds at the edges
        (normal(60).astype(np.float32), WIDE),
    ],
)
def test_each_outline_holds_its_share_of_the_points(points, extent):
    contours = density_contours(points, extent=extent, levels=LEVELS)
    assert [len(lines) > 0 for lines in contours] == [True] * 3
    for share, lines in zip(LEVELS, contours, strict=True):
        assert share_within(lines, points) == pytest.approx(share, abs=0.02)


def test_points_at_the_edge_of_the_extent_count_in_full():
    points = to_u(normal(20_000))  # equally dense everywhere
    at_edge = points[(np.abs(points - 0.5) > 0.48).any(1)]
    (lines,) = density_contours(points, extent=(0.0, 1.0, 0.0, 1.0), levels=(0.8,))
    assert share_within(lines, at_edge) == pytest.approx(0.8, abs=0.15)


def test_outlines_are_closed_and_stay_in_the_extent():
    for extent in ((0.0, 1.0, 0.0, 1.0), (0.2, 1.0, 0.1, 0.9)):
        for lines in density_contours(to_u(normal()), extent=extent, levels=(0.1, 0.5, 0.6)):
            assert lines
            for line in lines:
                np.testing.assert_array_equal(line[0], line[-1])
                assert (line >= [extent[0], extent[2]]).all()
                assert (line <= [extent[1], extent[3]]).all()


def test_outlines_of_a_gaussian_are_its_circles():
    ((line,),) = density_contours(normal(200_000), extent=WIDE, levels=(0.8,))
    radius = np.sqrt(-2 * np.log(0.2))  # within it lie 80 % of a 2-D Gaussian
    np.testing.assert_allclose(np.linalg.norm(line, axis=1), radius, rtol=0.06)


def test_across_is_across_and_up_is_up():
    (lines,) = density_contours(normal() * [3.0, 0.5] + [0.0, 2.0], extent=WIDE, levels=(0.8,))
    line = max(lines, key=len)
    assert np.ptp(line[:, 0]) > 4 * np.ptp(line[:, 1])
    assert line[:, 1].mean() == pytest.approx(2, abs=0.2)


def test_clusters_have_an_outline_each():
    (lines,) = density_contours(clusters(), extent=WIDE, levels=(0.8,))
    assert sorted(np.round(line.mean(0)).tolist() for line in lines) == [[-3, 0], [0, 4], [3, 1]]


def test_points_on_a_line_are_outlined():
    points = np.column_stack([np.linspace(-2, 2, 500), np.zeros(500)])
    (lines,) = density_contours(points, extent=WIDE, levels=(0.8,))
    assert share_within(lines, points) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    "points",
    [np.full((100, 2), 0.25), np.empty((0, 2)), np.zeros((1, 2)), np.full((9, 2), 50.0), np.full((9, 2), np.nan)],
)
def test_a_collapsed_or_absent_cloud_has_no_outline(points):
    assert density_contours(points, extent=WIDE, levels=LEVELS) == [[], [], []]


def test_a_share_that_the_extent_does_not_hold_has_no_outline():
    half = density_contours(normal(), extent=(0.0, 9.0, -9.0, 9.0), levels=(0.3, 0.8))
    assert share_within(half[0], normal()) == pytest.approx(0.3, abs=0.02)
    assert half[1] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": (0.5, 1.0)}, r"levels=\(0.5, 1.0\): every share must be above 0 and below 1"),
        ({"extent": (1.0, 0.0, 0.0, 1.0)}, "extent=.*: must be"),
        ({"extent": (0.0, np.inf, 0.0, 1.0)}, "extent=.*: must be"),
    ],
)
def test_contours_that_cannot_be_are_refused_in_words(arguments, message):
    with pytest.raises(ValueError, match=message):
        density_contours(normal(10), **{"extent": WIDE, **arguments})


@given(st.integers(0, 1000), st.sampled_from([axes_plane((2, 0), 3), SLANTED]), st.floats(0.1, 4))
def test_outlines_lie_so_many_deviations_from_the_mean_in_the_plane(seed, plane, sigmas):
    mu, logvar = np.random.default_rng(seed).normal(size=(2, 5, 3))
    outlines = posterior_ellipses(mu, logvar, plane, sigmas=sigmas, points=9)
    assert outlines.shape == (5, 9, 2)
    np.testing.assert_array_equal(outlines[:, 0], outlines[:, -1])
    for mean, spread, outline in zip(plane.project(mu), logvar, outlines, strict=True):
        covariance = plane.basis @ np.diag(np.exp(spread)) @ plane.basis.T
        offset = outline - mean
        np.testing.assert_allclose(np.einsum("ki,ij,kj->k", offset, np.linalg.inv(covariance), offset), sigmas**2)
        np.testing.assert_allclose(offset[:-1].mean(0), 0, atol=1e-9)  # all around the mean


def test_in_a_plane_of_axes_the_half_axes_are_the_standard_deviations():
    logvar = np.log(np.array([[0.25, 4.0]], dtype=np.float32))
    (outline,) = posterior_ellipses(np.array([[1.0, -1.0]], dtype=np.float32), logvar, axes_plane((0, 1), 2), points=49)
    np.testing.assert_allclose(np.c_[outline.min(0), outline.max(0)], [[0.5, 1.5], [-3, 1]], rtol=1e-6)


def test_outlines_hold_as_many_draws_as_the_docstring_says():
    (outline,) = posterior_ellipses(np.zeros((1, 3)), np.log([[0.5, 2.0, 1.0]]), SLANTED, points=400)
    draws = SLANTED.project(np.random.default_rng(0).normal(size=(40_000, 3)) * np.sqrt([0.5, 2.0, 1.0]))
    assert Path(outline).contains_points(draws).mean() == pytest.approx(0.39, abs=0.01)


def test_on_a_line_outlines_are_flat():
    plane = principal_plane(np.array([[0.0], [1.0]]))
    (outline,) = posterior_ellipses(np.array([[3.0]]), np.log([[4.0]]), plane, sigmas=2.0, points=5)
    np.testing.assert_allclose(outline, [[7, 0], [3, 0], [-1, 0], [3, 0], [7, 0]], atol=1e-12)


def test_a_posterior_without_width_is_a_point():
    outlines = posterior_ellipses(np.ones((1, 3)), np.full((1, 3), -2000.0), SLANTED)
    np.testing.assert_allclose(outlines - SLANTED.project(np.ones((1, 3))), 0, atol=1e-12)


@pytest.mark.parametrize(("arguments", "message"), [({"sigmas": 0.0}, "sigmas=0.0"), ({"points": 3}, "points=3")])
def test_ellipses_that_cannot_be_are_refused_in_words(arguments, message):
    with pytest.raises(ValueError, match=message):
        posterior_ellipses(np.zeros((1, 3)), np.zeros((1, 3)), SLANTED, **arguments)
