"""Files that are written whole or not at all."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def checked_path(path: str | os.PathLike[str], suffixes: Sequence[str]) -> Path:
    """Return where a file shall be written, once it is sure that it can have that name there.

    Raises
    ------
    ValueError
        If the suffix, in upper or lower case, is none of these.
    FileNotFoundError
        If the folder doesn't exist.
    IsADirectoryError
        If a folder has that name.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in suffixes:
        raise ValueError(f"path={str(path)!r}: its suffix must be {' or '.join(suffixes)}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path={str(path)!r}: there is no folder {str(target.parent)!r}; make it first")
    if target.is_dir():
        raise IsADirectoryError(f"path={str(path)!r}: a folder has that name; choose another one")
    return target.resolve()


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a name beside the target to write to; the file takes its place at the end, and is removed on failure."""
    part = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{target.suffix}")
    try:
        part.touch(exist_ok=False)
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
