import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch

from tests.training.small import config, noise, small_model, vaeviz_threads
from vaeviz.data import Dataset, load_dataset
from vaeviz.models import VAE
from vaeviz.training import TrainingRun


@pytest.fixture(autouse=True)
def _one_core() -> Iterator[None]:
    """Models this small gain nothing from a second core, which others need."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not vaeviz_threads()


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def data() -> Dataset:
    return noise()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds, at most 30 seconds."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, "it did not come to hold in 30 s"
            threading.Event().wait(0.01)

    return wait


@pytest.fixture
def make_run(data: Dataset) -> Iterator[Callable[..., TrainingRun]]:
    """Make small runs, which are stopped when the test is over."""
    made: list[TrainingRun] = []

    def make(model: VAE | None = None, **changes: object) -> TrainingRun:
        made.append(TrainingRun(small_model(data) if model is None else model, data, config(**changes)))
        return made[-1]

    yield make
    for run in made:
        run.stop()
