"""Where data files are looked for and kept."""

import os
from pathlib import Path

import platformdirs


def data_dir() -> Path:
    """Return the folder of data files and downloads: ``VAEVIZ_DATA_DIR``, else the user's cache folder."""
    chosen = os.environ.get("VAEVIZ_DATA_DIR")
    return Path(chosen).expanduser() if chosen else cache_dir()


def cache_dir() -> Path:
    """Return the user's cache folder, for copies that can be made again at any time."""
    return Path(platformdirs.user_cache_dir("vaeviz"))
