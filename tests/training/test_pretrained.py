"""The models that ship: small, whole, trained, and as good as their figures say."""

import numpy as np
import pytest

from vaeviz import Dataset, Run, load_dataset, load_pretrained
from vaeviz.latent import active_units, per_example_elbo
from vaeviz.training.pretrained import FOLDER, PRETRAINED_NAMES


@pytest.fixture(scope="module")
def digits_of_mnist() -> Dataset:
    return load_dataset("mnist-5k")


def test_together_they_are_under_12_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 12e6


@pytest.mark.parametrize("name", PRETRAINED_NAMES)
def test_it_is_a_finished_run_with_a_timeline_and_its_curves(name: str, digits_of_mnist: Dataset):
    run = load_pretrained(name, digits_of_mnist)
    assert isinstance(run, Run)
    assert (run.status, run.error, run.step) == ("finished", None, run.total_steps)
    assert len(run.steps) >= 2
    assert run.steps == sorted(run.steps)
    assert run.snapshot().step == run.steps[-1] == run.step
    rows, _ = run.metrics_since(0)
    assert {row.split for row in rows} == {"train", "validation"}
    for step in run.steps:
        assert np.isfinite(run.snapshot(step).mu).all()


@pytest.mark.parametrize("name", PRETRAINED_NAMES)
def test_it_costs_about_what_was_recorded(name: str, digits_of_mnist: Dataset):
    run = load_pretrained(name, digits_of_mnist)
    snapshot = run.snapshot()
    cost = per_example_elbo(snapshot.vae, snapshot.images)
    # These 5,000 digits were among those it was trained on, and reconstructed from the mean they cost a little less.
    assert cost.reconstruction.mean() + cost.kl.sum(1).mean() == pytest.approx(run.figures["test"]["loss"], rel=0.1)


def test_classes_lie_apart_in_the_plane(digits_of_mnist: Dataset):
    snapshot = load_pretrained("mnist-2d", digits_of_mnist).snapshot()
    labels = digits_of_mnist.labels.numpy()[snapshot.ids]
    distances = ((snapshot.mu[:500, None] - snapshot.mu[None, 500:]) ** 2).sum(-1)
    nearest = labels[500:][distances.argmin(1)]
    assert (nearest == labels[:500]).mean() > 0.7  # the nearest neighbour is of the same class


def test_the_50_d_model_uses_some_of_its_dimensions(digits_of_mnist: Dataset):
    active = active_units(load_pretrained("mnist-50d", digits_of_mnist).snapshot().mu)
    assert 5 < active.sum() <= 50


def test_loading_it_twice_gives_two_that_share_nothing(digits_of_mnist: Dataset):
    first, second = (load_pretrained("mnist-2d", digits_of_mnist) for _ in range(2))
    assert first.snapshot().vae is not second.snapshot().vae
    np.testing.assert_array_equal(first.snapshot().mu, second.snapshot().mu)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="mnist-2d, mnist-50d"):
        load_pretrained("mnist-3d")


def test_data_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="28"):
        load_pretrained("mnist-2d", load_dataset("digits"))
