"""Temporary folders that nobody leaves behind, not even a process that was killed."""

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from weakref import finalize

if sys.platform != "win32":
    import fcntl

PREFIX = "vaeviz-"
HELD = "held"


class PrivateFolder:
    """A folder of a random name that only its user may enter, removed with its object, at exit at the latest.

    What a process leaves that was killed (SIGKILL, the power) is removed when the next such folder is made in the same
    place: a lock says which folders are still held, and ends with its process. On Windows, which has no such lock,
    nothing is removed for others.

    Parameters
    ----------
    purpose : str
        Stands in its name.

    Attributes
    ----------
    path : Path
        Empty at first, for any files.

    Raises
    ------
    OSError
        If there is no folder to be had.
    """

    def __init__(self, purpose: str) -> None:
        _sweep(Path(tempfile.gettempdir()))
        root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
        self.path = root / "files"
        try:
            self.path.mkdir(mode=0o700)
            file = _hold(root)
        except OSError:
            shutil.rmtree(root, ignore_errors=True)
            raise
        self._finalizer = finalize(self, _remove, root, file)

    def close(self) -> None:
        """Remove it and all that is in it; again is allowed."""
        self._finalizer()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()


def _hold(root: Path) -> int | None:
    """Lock a new folder; return the descriptor that keeps it so. Only what is locked already is called held."""
    if sys.platform == "win32":
        return None
    file = os.open(root / "new", os.O_RDWR | os.O_CREAT, 0o600)
    with suppress(OSError):  # a file system without locks: nobody removes it for us
        fcntl.flock(file, fcntl.LOCK_EX)
        os.rename(root / "new", root / HELD)
    return file


def _remove(root: Path, file: int | None) -> None:
    shutil.rmtree(root, ignore_errors=True)
    if file is not None:
        os.close(file)


def _sweep(place: Path) -> None:
    """Remove what processes left that are gone: this user's folders whose lock nobody holds."""
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with suppress(OSError):
                    _remove_if_left(entry)


def _remove_if_left(entry: os.DirEntry[str]) -> None:
    """Raise an OSError if it is not a folder of ours, or held, by this process or another."""
    if sys.platform == "win32":
        return
    if not entry.is_dir(follow_symlinks=False) or entry.stat(follow_symlinks=False).st_uid != os.getuid():
        return
    file = os.open(Path(entry.path) / HELD, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    _remove(Path(entry.path), file)
