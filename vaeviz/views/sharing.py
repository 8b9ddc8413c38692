"""What the app does not show on a server that people share who do not know one another."""

import os
from pathlib import Path

from vaeviz.data import data_dir
from vaeviz.views.folders import runs_dir


def is_shared() -> bool:
    """Whether ``VAEVIZ_SHARED_SERVER`` is set: nobody then sees which runs there are, nor reads files of the server."""
    return os.environ.get("VAEVIZ_SHARED_SERVER", "").strip().lower() not in ("", "0", "false", "no", "off")


def for_visitors(words: str) -> str:
    """Return a sentence for a visitor: on a shared server without the folders of the server that it may name."""
    if is_shared():
        for folder in sorted({runs_dir(), data_dir(), Path.home()}, key=lambda path: len(str(path)), reverse=True):
            if folder != Path(folder.anchor):
                words = words.replace(str(folder), "…")
    return words
