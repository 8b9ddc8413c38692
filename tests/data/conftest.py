"""No test reads or writes the folders of the person who runs it."""

from pathlib import Path

import pytest


@pytest.fixture
def cache_folder(tmp_path: Path) -> Path:
    return tmp_path / "user-cache"


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def _own_folders(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, data_folder: Path, cache_folder: Path
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(cache_folder))
    if request.node.get_closest_marker("mnist") is None:
        monkeypatch.setenv("VAEVIZ_DATA_DIR", str(data_folder))
