import numpy as np
import pytest

from vaeviz.latent import axes_plane, principal_plane
from vaeviz.views.cloud import Cloud, thinned

MU = np.random.default_rng(0).normal(size=(500, 5)).astype(np.float32)


@pytest.mark.parametrize("plane", [axes_plane((3, 1), 5), axes_plane((4,), 5), principal_plane(MU)])
def test_points_are_the_means_in_the_plane_and_the_nearest_is_found_among_them(plane):
    cloud = Cloud(plane, MU)
    expected = np.zeros((500, 2))
    expected[:, : len(plane.basis)] = plane.project(MU)
    assert cloud.points == pytest.approx(expected, abs=1e-5)
    assert len(cloud) == 500
    for point in np.random.default_rng(1).normal(size=(20, 2)):
        assert cloud.nearest(point) == np.argmin(((expected - point) ** 2).sum(1))


def test_points_are_read_only_and_the_means_are_left_as_they_are():
    before = MU.copy()
    cloud = Cloud(axes_plane((0, 1), 5), MU)
    cloud.nearest(np.zeros(2))
    with pytest.raises(ValueError, match="read-only"):
        cloud.points[0, 0] = 1
    assert (before == MU).all()
    assert cloud.points[:, 0].flags.contiguous


def test_the_reach_leaves_out_one_coordinate_in_200():
    mu = np.zeros((1000, 2), np.float32)
    mu[:, 0] = np.arange(1000)
    cloud = Cloud(axes_plane((0, 1), 2), mu)
    assert cloud.reach == pytest.approx(np.quantile(mu, 0.995))


@pytest.mark.parametrize(("count", "most"), [(0, 5), (5, 5), (6, 5), (1000, 7)])
def test_a_sample_is_bounded_and_even(count: int, most: int):
    rows = np.arange(count)[:, None]
    few = thinned(rows, most)[:, 0]
    assert len(few) <= most
    assert len(few) >= min(count, most // 2)
    assert len(set(np.diff(few).tolist())) <= 1
