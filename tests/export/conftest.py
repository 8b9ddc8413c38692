"""Small runs to export, and a decoder that tells which way is up."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vaeviz import VAE, Dataset, DenseVAE, TrainConfig, TrainingRun

STEPS = 6
"""Of every run here: snapshots are kept at 0, 1, 2, 3, 4 and 6."""


class Corners(nn.Module):
    """Puts an image where its first and last pixels say, brightness 0..1 being z -2..2; the other dimensions at 0."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.idle = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.flatten(1)
        ends = torch.stack((flat[:, 0], flat[:, -1]), 1)
        mu = torch.zeros(len(x), self.latent_dim)
        mu[:, : ends.shape[1]] = (4 * ends - 2)[:, : self.latent_dim]
        return mu + 0 * self.idle, torch.zeros_like(mu)


class Slope(nn.Module):
    """Decodes gray images that are brighter the larger one z is, and RGB ones redder with z1 and bluer with z2."""

    def __init__(self, shape: tuple[int, int, int], axis: int = 0) -> None:
        super().__init__()
        self.shape, self.axis = shape, axis

    def forward(self, z: Tensor) -> Tensor:
        channels, height, width = self.shape
        light = z[:, [self.axis]] if channels == 1 else torch.stack((z[:, 0], torch.zeros(len(z)), z[:, -1]), 1)
        return (2 * light)[:, :, None, None].expand(len(z), channels, height, width)


def make_dataset(channels: int = 1, height: int = 6, width: int = 8, classes: int = 3, count: int = 60) -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, channels, height, width), dtype=np.uint8)
    labels = rng.integers(0, classes, count) if classes else None
    return Dataset.from_arrays(images, labels, name="noise", class_names=[f"c${i}" for i in range(classes)] or None)


def make_run(dataset: Dataset | None = None, latent_dim: int = 2, steps: int = STEPS) -> TrainingRun:
    """Return a run that has ended."""
    dataset = dataset or make_dataset()
    generator = torch.Generator().manual_seed(0)
    model = DenseVAE(dataset.image_shape, hidden_sizes=(16,), latent_dim=latent_dim, generator=generator)
    run = TrainingRun(model, dataset, TrainConfig(batch_size=16, steps=steps, device="cpu", seed=0))
    run.start()
    assert run.wait(60) == "finished"
    return run


def sloping_run(channels: int = 1, latent_dim: int = 2, axis: int = 0, height: int = 6, width: int = 6) -> TrainingRun:
    """Return a run, not started, of which it is known where everything lies."""
    dataset = make_dataset(channels, height, width)
    shape = dataset.image_shape
    return TrainingRun(VAE(Corners(latent_dim), Slope(shape, axis), latent_dim), dataset, TrainConfig(batch_size=16))


@pytest.fixture(scope="session")
def run() -> TrainingRun:
    return make_run()
