"""What the tests of saving share."""

from pathlib import Path

import numpy as np

from tests.training.small import config, equal, small_model, weights
from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.training import Metrics, Run, TrainingRun


def rows(run: Run) -> list[Metrics]:
    return [row._replace(seconds=0.0) for row in run.metrics_since(0)[0]]


def ended(run: TrainingRun) -> TrainingRun:
    run.start()
    assert run.wait(60) == "finished", run.error
    return run


def uninterrupted(data: Dataset, model: VAE | None = None, **changes: object) -> TrainingRun:
    return ended(TrainingRun(model or small_model(data), data, config(**changes)))


def same_training(run: Run, other: Run) -> None:
    """Assert that two runs agree to the bit in weights, metrics and every snapshot that both keep by rule."""
    assert equal(weights(run.model), weights(other.model))
    assert rows(run) == rows(other)
    assert set(other.steps) <= set(run.steps)
    for step in other.steps:
        one, two = run.snapshot(step), other.snapshot(step)
        assert equal(weights(one.vae), weights(two.vae))
        assert one.epoch == two.epoch
        assert np.array_equal(one.ids, two.ids)
        assert np.array_equal(one.mu, two.mu)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
