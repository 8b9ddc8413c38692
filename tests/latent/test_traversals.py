import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from vaeviz.latent import active_units, kl_per_dimension, order_by_kl, traversal_codes, traversal_ticks
from vaeviz.models import Posterior, gaussian_kl


@pytest.mark.parametrize("spacing", ["percentile", "linear"])
@given(n=st.integers(2, 40), reach=st.floats(0.01, 7))
def test_ticks_run_from_end_to_end_and_are_symmetric(spacing, n, reach):
    ticks = traversal_ticks(n, reach, spacing)
    assert (ticks[0], ticks[-1]) == (-reach, reach)
    assert (np.diff(ticks) > 0).all()
    np.testing.assert_array_equal(ticks, -ticks[::-1])
    assert n % 2 == 0 or ticks[n // 2] == 0


def test_ticks_are_three_deviations_wide_and_equally_probable():
    ticks = traversal_ticks(11)
    assert ticks[-1] == 3
    np.testing.assert_allclose(np.diff(norm.cdf(ticks)), (1 - 2 * norm.cdf(-3)) / 10)
    assert (np.abs(ticks) < 1.3).sum() == 9  # as the docstring says


def test_linear_ticks_have_equal_steps():
    np.testing.assert_allclose(traversal_ticks(4, spacing="linear"), [-3, -1, 1, 3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1,), "n=1: a traversal needs at least its 2 ends"), ((3, 0.0), "reach=0.0"), ((3, np.nan), "reach=nan")],
)
def test_ticks_that_cannot_be_are_refused_in_words(arguments, message):
    with pytest.raises(ValueError, match=message):
        traversal_ticks(*arguments)


def test_a_spacing_that_does_not_exist_is_refused():
    with pytest.raises((ValueError, TypeError)):  # TypeError: from beartype, where it runs
        traversal_ticks(3, spacing="cubic")


def test_each_row_varies_one_dimension_of_the_code():
    base = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    codes = traversal_codes(base, np.array([2, 0]), np.array([-1.5, 1.5]))
    a, b, c = base.astype(float)
    assert codes.tolist() == [[a, b, -1.5], [a, b, 1.5], [-1.5, b, c], [1.5, b, c]]


@pytest.mark.parametrize("latent_dim", [1, 2, 50])
def test_all_dimensions_can_be_traversed(latent_dim):
    codes = traversal_codes(np.full(latent_dim, 0.5), np.arange(latent_dim), np.array([7.0, 8.0, 9.0]))
    assert codes.shape == (3 * latent_dim, latent_dim)
    rows = codes.reshape(latent_dim, 3, latent_dim)
    np.testing.assert_array_equal(np.diagonal(rows, axis1=0, axis2=2), np.tile([[7.0], [8], [9]], latent_dim))
    assert (codes == 0.5).sum() == 3 * latent_dim * (latent_dim - 1)


@pytest.mark.parametrize("dim", [-1, 2])
def test_dimensions_must_be_in_range(dim):
    with pytest.raises(ValueError, match=r"dims=.*: must be whole numbers from 0 to 1"):
        traversal_codes(np.zeros(2), np.array([dim]), np.zeros(1))


@pytest.mark.parametrize("latent_dim", [1, 2, 50])
def test_kl_is_the_objectives_mean_over_examples(latent_dim):
    mu, logvar = np.random.default_rng(0).normal(size=(2, 30, latent_dim)).astype(np.float32)
    expected = gaussian_kl(Posterior(torch.tensor(mu), torch.tensor(logvar))).mean(0)
    kl = kl_per_dimension(mu, logvar)
    assert kl.dtype == np.float64
    np.testing.assert_allclose(kl, expected, rtol=1e-4)


def test_dimensions_are_ordered_from_the_largest_kl():
    assert order_by_kl(np.array([0.5, 2.0, 0.0, 2.0, 3.0])).tolist() == [4, 1, 3, 0, 2]


def test_a_unit_is_active_if_its_mean_varies_over_the_examples():
    signs = np.tile([[1.0], [-1.0]], (50, 1))  # a variance of 1
    mu = np.hstack([signs, 5 + 0.101 * signs, 5 + 0.099 * signs, np.full((100, 1), 3.0)]).astype(np.float32)
    assert active_units(mu).tolist() == [True, True, False, False]
    assert active_units(mu, threshold=0.5).tolist() == [True, False, False, False]


def test_one_example_has_no_active_units():
    assert active_units(np.array([[4.0, 5.0]])).tolist() == [False, False]


def test_examples_are_needed():
    with pytest.raises(ValueError, match="mu has no rows"):
        active_units(np.empty((0, 2)))
    with pytest.raises(ValueError, match="mu has no rows"):
        kl_per_dimension(np.empty((0, 2)), np.empty((0, 2)))
