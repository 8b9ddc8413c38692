import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vaeviz.latent import Plane, axes_plane, manifold_codes, plane_codes, principal_plane

VALUES = st.floats(-10, 10)
DIAGONAL = Plane(np.array([[0.6, 0.8, 0.0], [0.0, 0.0, -1.0]]))


def cloud(*deviations, count=400, mean=0.0, seed=0):
    """Codes whose sample has no correlations and these standard deviations, exactly."""
    codes = np.random.default_rng(seed).normal(size=(count, len(deviations)))
    orthogonal = np.linalg.qr(codes - codes.mean(0))[0] * np.sqrt(count)
    return orthogonal * deviations + mean


def rotation(angle):
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


@given(st.permutations(range(5)).map(lambda order: order[:2]), arrays(float, (3, 2), elements=VALUES), arrays(float, 5))
def test_a_plane_of_axes_sets_the_codes_values_bit_for_bit(axes, points, base):
    base = np.where(np.isfinite(base), base, 0.1)
    expected = np.tile(base, (3, 1))
    expected[:, axes] = points
    plane = axes_plane(axes, 5)
    np.testing.assert_array_equal(plane.lift(points, base), expected)
    np.testing.assert_array_equal(plane.project(expected), points)


@given(arrays(float, (4, 2), elements=VALUES), arrays(float, 3, elements=VALUES))
def test_what_is_lifted_lies_where_it_was_pointed_at_and_differs_from_the_base_in_the_plane_alone(points, base):
    codes = DIAGONAL.lift(points, base)
    np.testing.assert_allclose(DIAGONAL.project(codes), points, atol=1e-12)
    across_the_plane = np.array([0.8, -0.6, 0.0])
    np.testing.assert_allclose((codes - base) @ across_the_plane, 0, atol=1e-12)


def test_across_is_the_first_direction_and_up_the_second():
    assert axes_plane((2, 0), 3).project(np.array([[1.0, 2.0, 3.0]])).tolist() == [[3, 1]]
    np.testing.assert_allclose(DIAGONAL.project(np.array([[3.0, 4.0, 5.0]])), [[5, -5]])


def test_the_prior_seen_in_any_plane_is_the_prior():
    points = DIAGONAL.project(np.random.default_rng(0).normal(size=(20_000, 3)))
    np.testing.assert_allclose(points.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(points.T), np.eye(2), atol=0.03)


def test_a_plane_of_axes_knows_them():
    assert axes_plane([3, 1], 4).axes == (3, 1)
    assert axes_plane((0,), 1).basis.tolist() == [[1]]


@pytest.mark.parametrize("axes", [(0, 0), (0, 3), (-1, 0)])
def test_axes_must_be_distinct_and_in_range(axes):
    with pytest.raises(ValueError, match="must be distinct whole numbers from 0 to 2"):
        axes_plane(axes, 3)


@pytest.mark.parametrize("basis", [np.eye(3), np.empty((0, 3))])
def test_a_plane_has_one_or_two_directions(basis):
    with pytest.raises(ValueError, match="expected"):
        Plane(basis)


@pytest.mark.parametrize("basis", [[[2.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]], [[np.nan, 0.0]]])
def test_directions_must_be_orthonormal(basis):
    with pytest.raises(ValueError, match="must be orthonormal"):
        Plane(np.array(basis))


def test_a_plane_is_read_only_and_keeps_no_array_of_its_maker():
    basis = np.eye(2)
    plane = Plane(basis)
    basis[0] = 7
    assert plane.basis.tolist() == [[1, 0], [0, 1]]
    assert not plane.basis.flags.writeable


@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_the_principal_plane_is_that_of_the_largest_variances(mean):
    plane = principal_plane(cloud(0.1, 3.0, 0.2, 2.0, mean=mean).astype(np.float32))
    np.testing.assert_allclose(np.abs(plane.basis), [[0, 1, 0, 0], [0, 0, 0, 1]], atol=1e-3)
    np.testing.assert_allclose(plane.explained, np.array([9, 4]) / 13.05, rtol=2e-3)


@pytest.mark.parametrize("latent_dim", [2, 3, 50])
def test_the_principal_plane_is_found_in_any_rotation_and_always_the_same(latent_dim):
    rotated = np.linalg.qr(np.random.default_rng(1).normal(size=(latent_dim, latent_dim)))[0]
    codes = cloud(*np.geomspace(2, 0.01, latent_dim)) @ rotated
    plane = principal_plane(codes)
    np.testing.assert_allclose(np.abs((plane.basis * rotated[:2]).sum(1)), 1)
    np.testing.assert_array_equal(plane.basis, principal_plane(codes).basis)


def test_without_a_plane_before_the_largest_component_is_positive():
    plane = principal_plane(cloud(3.0, 2.0) @ rotation(2.0))
    assert (plane.basis[np.arange(2), np.abs(plane.basis).argmax(1)] > 0).all()


def test_a_film_of_turning_codes_never_flips():
    codes, plane = cloud(3.0, 2.0, 0.1), None
    for angle in np.linspace(0, 2 * np.pi, 40):
        turned = codes.copy()
        turned[:, :2] = codes[:, :2] @ rotation(angle)
        plane = principal_plane(turned, plane)
        if angle == 0:
            first = plane
        np.testing.assert_allclose(plane.basis[:, :2], first.basis[:, :2] @ rotation(angle), atol=1e-6)


def test_directions_keep_their_places_when_their_variances_swap():
    before = principal_plane(cloud(2.0, 1.9, 0.1))
    after = principal_plane(cloud(1.9, 2.0, 0.1), before)
    np.testing.assert_allclose(after.basis, before.basis, atol=1e-6)
    assert after.explained[0] < after.explained[1]


@pytest.mark.parametrize("mu", [np.full((5, 3), 0.3), np.zeros((5, 3)), np.ones((1, 3)), np.empty((0, 3))])
def test_codes_without_variance_keep_the_plane_or_take_the_first_axes(mu):
    plane = principal_plane(mu.astype(np.float32))
    assert plane.basis.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert plane.explained.tolist() == [0, 0]
    np.testing.assert_allclose(principal_plane(mu, DIAGONAL).basis, DIAGONAL.basis)


@pytest.mark.parametrize("direction", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.8, 0.0]])
def test_codes_on_a_line_get_a_second_direction_from_the_axes(direction):
    plane = principal_plane(np.linspace(-1, 1, 9)[:, None] * direction)
    np.testing.assert_allclose(plane.basis[0], direction, atol=1e-9)
    np.testing.assert_allclose(plane.basis @ plane.basis.T, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(plane.basis[:, 2], 0, atol=1e-9)
    np.testing.assert_allclose(plane.explained, [1, 0], atol=1e-9)


def test_one_latent_dimension_has_a_principal_line():
    plane = principal_plane(cloud(2.0))
    assert plane.basis.tolist() == [[1]]
    np.testing.assert_allclose(plane.explained, [1])


def test_codes_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="mu holds values that are not finite"):
        principal_plane(np.array([[0.0, np.nan], [1.0, 2.0]]))


def test_the_plane_before_must_be_of_the_same_space():
    with pytest.raises(ValueError, match=r"previous has a basis of shape \(2, 3\); expected \(2, 4\)"):
        principal_plane(cloud(1.0, 1.0, 1.0, 1.0), DIAGONAL)


def test_codes_of_a_plane_run_row_by_row_from_the_top_left():
    codes = plane_codes(DIAGONAL, np.array([1.0, 2.0]), np.array([10.0, 20.0]), np.array([0.8, -0.6, 5.0]))
    np.testing.assert_allclose(DIAGONAL.project(codes), [[1, 20], [2, 20], [1, 10], [2, 10]])
    np.testing.assert_allclose(codes @ [0.8, -0.6, 0.0], 1)  # the base's part outside the plane


def test_codes_of_a_plane_of_axes_are_those_of_the_axes():
    x, y, base = np.array([0.1, 0.2]), np.array([-0.3, 0.7, 0.9]), np.array([1.1, 2.2, 3.3], dtype=np.float32)
    np.testing.assert_array_equal(
        plane_codes(axes_plane((2, 0), 3), x, y, base), manifold_codes(x, y, latent_dim=3, axes=(2, 0), base=base)
    )


def test_a_line_gives_a_strip():
    codes = plane_codes(axes_plane((1,), 2), np.array([-1.0, 1.0]), None, np.array([9.0, 9.0]))
    assert codes.tolist() == [[9, -1], [9, 1]]


@pytest.mark.parametrize(("plane", "ticks_y"), [(DIAGONAL, None), (axes_plane((0,), 3), np.zeros(1))])
def test_every_direction_needs_its_ticks(plane, ticks_y):
    with pytest.raises(ValueError, match="rows of ticks are given for a plane of"):
        plane_codes(plane, np.zeros(1), ticks_y)
