"""Small runs for the views to look at."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from vaeviz import VAE, Dataset, DenseVAE, TrainConfig, TrainingRun
from vaeviz.views import ExplorerState


def make_dataset(channels: int = 1, height: int = 6, width: int = 8, classes: int = 3, count: int = 60) -> Dataset:
    """Return random images in classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, channels, height, width), dtype=np.uint8)
    return Dataset.from_arrays(images, rng.integers(0, classes, count), name="noise")


def make_run(dataset: Dataset | None = None, latent_dim: int = 2, model: VAE | None = None, **config) -> TrainingRun:
    """Return a small run, ready to start, with the same weights every time."""
    dataset = dataset or make_dataset()
    if model is None:
        weights = torch.Generator().manual_seed(0)
        model = DenseVAE(dataset.image_shape, hidden_sizes=(16,), latent_dim=latent_dim, generator=weights)
    return TrainingRun(model, dataset, TrainConfig(batch_size=16, **{"epochs": 2, **config}))


def look(state: ExplorerState) -> None:
    """Let a state look at its run once, as its clock would, and wait until it has shown what it saw."""

    async def once() -> None:
        state.look()
        if state._task is not None:
            await state._task

    with ThreadPoolExecutor(1) as elsewhere:  # a loop of its own, whatever runs in this thread
        elsewhere.submit(asyncio.run, once()).result()


def at_once(work: Coroutine[Any, Any, None]) -> None:
    """Do what a click begins, to its end, as the server's loop would."""

    async def all_of_it() -> None:
        await work
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.gather(*others)

    with ThreadPoolExecutor(1) as elsewhere:  # a loop of its own, whatever runs in this thread
        elsewhere.submit(asyncio.run, all_of_it()).result()


@pytest.fixture
def run() -> TrainingRun:
    return make_run()


@pytest.fixture
def state(run: TrainingRun) -> ExplorerState:
    return ExplorerState(run)
