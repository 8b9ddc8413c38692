"""Sizes are checked before memory is taken: a header may claim anything, and only bytes that are there are believed."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from vaeviz.environment import whole_number

MAX_BYTES = 8 * 2**30
"""The largest array, in bytes, that is read into memory, unless ``VAEVIZ_MAX_BYTES`` says otherwise."""

_CHUNK = 2**20


class Readable(Protocol):
    """A binary stream: a file, plain or unpacked on the way."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


def most_bytes() -> int:
    """Return how many bytes an array may have.

    Raises
    ------
    ValueError
        If ``VAEVIZ_MAX_BYTES`` is no whole number of at least 1.
    """
    return whole_number("VAEVIZ_MAX_BYTES", MAX_BYTES)


def in_words(size: int) -> str:
    """Return a number of bytes as people say it, such as "120 MB"."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size < 1000 * unit else f"{size / unit:,.0f} {name}"
    return f"{size} bytes"


def claimed_bytes(shape: tuple[int, ...], itemsize: int, where: Path | str) -> int:
    """Return the bytes of an array of this shape.

    Raises
    ------
    ValueError
        If it is empty, or larger than `most_bytes`.
    """
    if min(shape, default=1) < 0:
        raise ValueError(f"{where} claims the shape {shape}, which no array has: make the file again.")
    claimed = math.prod(shape) * itemsize
    if claimed == 0:
        raise ValueError(f"{where} holds an empty array of shape {shape}: give a file with at least one example.")
    if claimed > most_bytes():
        raise ValueError(
            f"{where} claims {claimed:,} bytes, which is more than the {most_bytes():,} that are read: "
            "give a smaller file."
        )
    return claimed


def read_exactly(stream: Readable, expected: int, where: Path | str) -> bytearray:
    """Read the rest of a stream, which must be of `expected` bytes, taking no more memory than it really fills.

    Raises
    ------
    ValueError
        If the stream is shorter or longer.
    """
    body = bytearray()
    for chunk in _chunks(stream):
        body += chunk
        if len(body) > expected:  # what else is packed in there is not unpacked
            break
    if len(body) != expected:
        found = "more" if len(body) > expected else f"{len(body):,}"
        raise ValueError(
            f"{where} should hold {expected:,} bytes of data after its header, but {found} were found: "
            "the file is damaged, get it again."
        )
    return body


def _chunks(stream: Readable) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
