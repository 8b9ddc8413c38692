import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from torch import nn

from vaeviz.latent import decode, linear_ticks, manifold_codes, percentile_grid, prior_ticks, tile, to_u, to_z
from vaeviz.models import VAE


class ShowsItsCode(nn.Module):
    """Decodes z into an image of 1 x 2 pixels whose logits are z1 and z2."""

    def forward(self, z):
        return z[:, None, None, :2]


def test_percentiles_are_the_midpoints_of_equal_shares():
    np.testing.assert_allclose(percentile_grid(4), [0.125, 0.375, 0.625, 0.875])


@pytest.mark.parametrize("n", [1, 2, 24, 30, 60, 100, 1000])
def test_the_prior_grid_never_reaches_beyond_its_outermost_share(n):
    ticks = prior_ticks(n)
    assert ticks.shape == (n,)
    assert np.abs(ticks).max() <= -norm.ppf(0.5 / n) + 1e-12
    assert np.abs(ticks).max() < 4  # the edge at |z| = 8.2 was the mistake of the 2016 article


def test_prior_ticks_are_equally_probable():
    np.testing.assert_allclose(np.diff(norm.cdf(prior_ticks(30))), 1 / 30)


def test_linear_ticks_are_the_midpoints_of_cells_that_cover_the_range():
    np.testing.assert_allclose(linear_ticks(4, 4.0), [-3, -1, 1, 3])


@pytest.mark.parametrize("limit", [0.0, -1.0, float("inf"), float("nan")])
def test_a_linear_range_needs_a_width(limit):
    with pytest.raises(ValueError, match=r"limit=.*: must be a finite number above 0"):
        linear_ticks(4, limit)


def test_a_grid_needs_a_tick():
    with pytest.raises(ValueError, match="n=0: a grid needs at least 1 tick"):
        prior_ticks(0)


@given(arrays(np.float64, (3, 2), elements=st.floats(-5, 5)))
def test_z_to_u_and_back(z):
    np.testing.assert_allclose(to_z(to_u(z)), z, atol=1e-9)


@given(arrays(np.float64, 4, elements=st.floats(1e-12, 1 - 1e-12)))
def test_u_to_z_and_back(u):
    np.testing.assert_allclose(to_u(to_z(u)), u, rtol=1e-9)


def test_every_percentile_has_a_finite_code():
    assert np.abs(to_z(np.array([0.0, 1.0, -0.1, 1.1]))).max() < 7.05


def test_single_precision_percentiles_at_the_ends_have_finite_codes():
    assert np.isfinite(to_z(np.array([0, 1], dtype=np.float32))).all()


def test_codes_run_row_by_row_from_the_top_left():
    codes = manifold_codes(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0]), latent_dim=2)
    assert codes.tolist() == [[1, 20], [2, 20], [3, 20], [1, 10], [2, 10], [3, 10]]


def test_other_dimensions_come_from_the_base():
    base = np.array([5.0, 6.0, 7.0, 8.0], dtype=np.float32)
    codes = manifold_codes(np.array([1.0]), np.array([2.0]), latent_dim=4, axes=(3, 1), base=base)
    assert codes.tolist() == [[5, 2, 7, 1]]
    assert base.tolist() == [5, 6, 7, 8]


def test_without_a_base_other_dimensions_are_the_priors_mean():
    assert manifold_codes(np.array([1.0]), np.array([2.0]), latent_dim=3).tolist() == [[1, 2, 0]]


def test_one_latent_dimension_gives_a_strip():
    codes = manifold_codes(np.array([1.0, 2.0]), None, latent_dim=1, axes=(0,))
    assert codes.tolist() == [[1], [2]]


@pytest.mark.parametrize("axes", [(0, 0), (0, 2), (-1, 0)])
def test_axes_must_be_distinct_and_in_range(axes):
    with pytest.raises(ValueError, match="must be distinct whole numbers from 0 to 1"):
        manifold_codes(np.zeros(1), np.zeros(1), latent_dim=2, axes=axes)


def test_a_plane_needs_two_axes_and_a_strip_one():
    with pytest.raises(ValueError, match=r"axes=\(0, 1\): needs one axis for each of the 1"):
        manifold_codes(np.zeros(1), None, latent_dim=2)


@pytest.mark.parametrize("ticks", [np.array([]), np.array([1.0, 0.0]), np.array([0.0, np.nan])])
def test_ticks_must_increase(ticks):
    with pytest.raises(ValueError, match=r"ticks_y .* increasing order"):
        manifold_codes(np.zeros(1), ticks, latent_dim=2)


def test_the_base_must_be_a_code():
    with pytest.raises(ValueError, match=r"base has shape \(3,\); expected \(2,\)"):
        manifold_codes(np.zeros(1), np.zeros(1), latent_dim=2, base=np.zeros(3))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_tiles_lie_row_by_row_with_the_first_at_the_top_left(dtype):
    images = np.arange(6 * 3 * 2 * 4).reshape(6, 3, 2, 4).astype(dtype)  # 2 x 3 tiles of RGB images, 2 x 4 pixels
    mosaic = tile(images, 2, 3)
    assert mosaic.shape == (4, 12, 3)
    assert mosaic.dtype == dtype
    for row in range(2):
        for column in range(3):
            part = mosaic[2 * row : 2 * row + 2, 4 * column : 4 * column + 4]
            np.testing.assert_array_equal(part, images[3 * row + column].transpose(1, 2, 0))


@pytest.mark.parametrize(("ny", "nx"), [(2, 2), (0, 5), (-1, -5)])
def test_images_must_fill_the_mosaic(ny, nx):
    with pytest.raises(ValueError, match="5 images do not fill a mosaic"):
        tile(np.zeros((5, 1, 2, 2)), ny, nx)


def test_the_mosaic_agrees_with_a_scatter_of_z1_to_the_right_and_z2_upwards():
    vae = VAE(nn.Identity(), ShowsItsCode(), 2).eval()
    x, y = prior_ticks(5), prior_ticks(4)
    mosaic = tile(decode(vae, manifold_codes(x, y, latent_dim=2)), 4, 5)[..., 0]  # (4, 5 * 2)
    z1, z2 = (np.log(p / (1 - p)) for p in (mosaic[:, ::2], mosaic[:, 1::2]))
    np.testing.assert_allclose(z1, np.tile(x, (4, 1)), atol=1e-5)
    np.testing.assert_allclose(z2, np.tile(y[::-1, None], (1, 5)), atol=1e-5)
    assert z1[0, -1] == z1.max()
    assert z2[0, -1] == z2.max()
