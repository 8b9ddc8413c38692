"""Where the app saves its runs: a folder for each, found again by its id; old ones make room for new ones."""

import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import platformdirs

from vaeviz.training.checkpoint import LARGEST_MANIFEST
from vaeviz.training.folder import MANIFEST, OURS

MOST_AUTOSAVED = 20
MOST_BYTES = 2 * 2**30
"""So many autosaved runs are kept, of so many bytes together."""

AUTOSAVED = "autosaved"
"""The file that lets a folder be removed to make room: it holds the folder's name, and so is void once a person has
renamed or copied the folder."""

NAME = re.compile(r"\w[\w .,+=()×-]{0,99}")

_given: set[Path] = set()


class SavedRow(NamedTuple):
    """A saved run as the list shows it; step, id and status are None where the folder can't be read."""

    folder: Path
    saved: datetime
    autosaved: bool
    id: str | None = None
    step: int | None = None
    total_steps: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has come to its configured end."""
        return self.step == self.total_steps

    def words(self, live: str | None = None) -> str:
        """Return one line on it; `live` is its status if it is in this process."""
        when = f"{self.saved:%d %b %Y, %H:%M}".lstrip("0")
        if self.step is None:
            return f"can't be read · {when}"
        status = live or ("finished" if self.ended else "stopped")
        removable = " · autosaved" if self.autosaved else ""
        return f"{status} · step {self.step:,} of {self.total_steps:,} · {when}{removable}"


def runs_dir() -> Path:
    """Return the folder of the app's runs: ``VAEVIZ_RUNS_DIR``, else "vaeviz/runs" among the user's data."""
    chosen = os.environ.get("VAEVIZ_RUNS_DIR")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path("vaeviz") / "runs"


def new_folder(dataset: str, model: str) -> Path:
    """Return a folder for a new run, such as "2026-11-22 14.03 mnist-5k dense 500-500-2"; it is not made yet."""
    words = re.sub(r"[^\w .,+=()-]", "_", f"{datetime.now():%Y-%m-%d %H.%M} {dataset} {model}")[:100].rstrip(" .")
    folder, count = runs_dir() / words, 1
    while folder in _given or folder.exists():
        count += 1
        folder = runs_dir() / f"{words} ({count})"
    _given.add(folder)
    return folder


def named_folder(name: str) -> Path:
    """Return the folder of a name that a person has chosen.

    Raises
    ------
    ValueError
        If it can't be the name of a folder everywhere.
    """
    if not NAME.fullmatch(name) or name.endswith("."):
        raise ValueError(f"Name is {name[:100]!r}: write up to 100 letters, digits, spaces and any of . , + - = ( )")
    return runs_dir() / name


def saved_rows() -> list[SavedRow]:
    """Return the saved runs of the app, the last saved first."""
    return sorted(filter(None, map(read_row, _folders())), key=lambda row: row.saved, reverse=True)


def read_row(folder: Path) -> SavedRow | None:
    """Look at a folder, without reading what is in its files of tensors; None if it holds no run."""
    manifest = folder / MANIFEST
    try:
        stat = manifest.stat()
        body = manifest.read_bytes() if stat.st_size <= LARGEST_MANIFEST else b""
    except OSError:
        return None
    row = SavedRow(folder, datetime.fromtimestamp(stat.st_mtime), is_autosaved(folder))
    with suppress(ValueError, RecursionError, AttributeError):
        values = json.loads(body)
        run_id, step, total = (values.get(key) for key in ("id", "step", "total_steps"))
        if isinstance(run_id, str) and isinstance(step, int) and isinstance(total, int):
            return row._replace(id=run_id, step=step, total_steps=total)
    return row


def find_saved(run_id: str) -> Path | None:
    """Return the folder of the run of that id, the last saved if it was saved in several."""
    return next((row.folder for row in saved_rows() if row.id == run_id), None)


def is_autosaved(folder: Path) -> bool:
    """Whether nobody has asked to keep what is saved here."""
    try:
        return (folder / AUTOSAVED).read_bytes()[:1000].decode() == folder.name
    except (OSError, ValueError):
        return False


def begin_autosaving(folder: Path, in_use: Collection[Path]) -> None:
    """Let a new run be saved in a folder that may be removed one day; make room by removing others, but none in use.

    A disk that doesn't take it will be told of by the run, when it is saved.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / AUTOSAVED).write_text(folder.name)
    make_room({folder, *in_use})


def keep_for_good(folder: Path) -> None:
    """Never remove this saved run to make room."""
    (folder / AUTOSAVED).unlink(missing_ok=True)


def make_room(in_use: Collection[Path]) -> None:
    """Remove the autosaved runs, the oldest first, that are too many or too large together."""
    rows = [row for row in saved_rows() if row.autosaved]
    size = 0
    for count, row in enumerate(rows, start=1):
        size += sum(path.stat().st_size for path in _files(row.folder))
        if (count > MOST_AUTOSAVED or size > MOST_BYTES) and row.folder not in in_use:
            _remove(row.folder)


def _folders() -> Iterator[Path]:
    with suppress(OSError):
        yield from (path for path in runs_dir().iterdir() if path.is_dir() and not path.is_symlink())


def _files(folder: Path) -> list[Path]:
    """Return the files of a run's folder that the run has written, `run.json` last."""
    found = [path for path in (*folder.glob("*"), *(folder / "snapshots").glob("*")) if path.is_file()]
    ours = [path for path in found if OURS.fullmatch(path.relative_to(folder).as_posix())]
    return sorted(ours, key=lambda path: path.name == MANIFEST)


def _remove(folder: Path) -> None:
    """Remove what was saved; a file that somebody has put beside it stays."""
    with suppress(OSError):  # it will be tried again
        for path in _files(folder):
            path.unlink()
        (folder / AUTOSAVED).unlink()
        if (folder / "snapshots").is_dir():
            (folder / "snapshots").rmdir()
        folder.rmdir()
