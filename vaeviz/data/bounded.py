"""Sizes are checked before memory is taken: a header may claim anything, and only bytes that are there are believed."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

MAX_BYTES = 8 * 2**30
"""The largest array, in bytes, that is read into memory."""

_CHUNK = 2**20


class Readable(Protocol):
    """A binary stream: a file, plain or unpacked on the way."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


def claimed_bytes(shape: tuple[int, ...], itemsize: int, where: Path | str) -> int:
    """Return the bytes of an array of this shape.

    Raises
    ------
    ValueError
        If it is empty, or larger than `MAX_BYTES`.
    """
    if min(shape, default=1) < 0:
        raise ValueError(f"{where} claims the shape {shape}, which no array has: make the file again.")
    claimed = math.prod(shape) * itemsize
    if claimed == 0:
        raise ValueError(f"{where} holds an empty array of shape {shape}: give a file with at least one example.")
    if claimed > MAX_BYTES:
        raise ValueError(
            f"{where} claims {claimed:,} bytes, which is more than the {MAX_BYTES:,} that are read: "
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
    body, found = bytearray(), 0
    for chunk in _chunks(stream):
        found += len(chunk)
        if found <= expected:
            body += chunk
    if found != expected:
        raise ValueError(
            f"{where} should hold {expected:,} bytes of data after its header, but {found:,} were found: "
            "the file is damaged, get it again."
        )
    return body


def _chunks(stream: Readable) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk
