"""No test touches the data of the person who runs it; tests that need what is not here are skipped, visibly."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

REAL_DATA_DIR = os.environ.get("VAEVIZ_DATA_DIR", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = {}
    if not REAL_DATA_DIR or not (Path(REAL_DATA_DIR).expanduser() / "mnist").is_dir():
        missing["mnist"] = "VAEVIZ_DATA_DIR/mnist does not hold MNIST's files"
    if not torch.cuda.is_available():
        missing["gpu"] = "needs a CUDA device"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_ends_what_is_started_here() -> None:
    """A shell lets what it starts in the background ignore SIGINT, and its children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _data_dir_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Data files, and the quick copy of mnist-5k, are kept for the session: here and in every process started here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAEVIZ_DATA_DIR", str(tmp_path_factory.mktemp("data-dir")))
        patch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path_factory.mktemp("runs-dir")))
        yield


@pytest.fixture(autouse=True)
def _real_data_dir_for_mnist(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of the whole of MNIST alone read it where it lies."""
    if request.node.get_closest_marker("mnist"):
        monkeypatch.setenv("VAEVIZ_DATA_DIR", REAL_DATA_DIR)
