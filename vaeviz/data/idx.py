"""IDX, the format in which MNIST was published (LeCun, Cortes and Burges): big-endian, sizes first, then the values.

See https://yann.lecun.com/exdb/mnist/ for its description.
"""

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviz.data.bounded import Readable, claimed_bytes, read_exactly
from vaeviz.data.examples import Examples

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path) -> NDArray[Any]:
    """Read the array of an IDX file, gzipped or plain.

    Raises
    ------
    ValueError
        If the file is not IDX, or is not of the length that its header claims.
    """
    with path.open("rb") as plain:
        gzipped = plain.read(2) == _GZIP_MAGIC
        plain.seek(0)
        if not gzipped:
            return _read(plain, path)
        try:
            with gzip.open(plain) as unpacked:
                return _read(unpacked, path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} cannot be unpacked: the gzip file is damaged, get it again.") from error


def _read(stream: Readable, path: Path) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise ValueError(f"{path} does not begin as an IDX file does: check that it is one, or get it again.")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"{path} ends within its IDX header: the file is damaged, get it again.")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    dtype = np.dtype(_TYPES[magic[2]])
    body = read_exactly(stream, claimed_bytes(shape, dtype.itemsize, path), path)
    try:
        return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    except ValueError as error:  # NumPy allows 64 dimensions, the format 255
        raise ValueError(f"{path} has {len(shape)} dimensions, but images have 3 or 4: give another file.") from error


def read_idx_examples(path: Path) -> Examples:
    """Read a file of images, and of labels where the sibling file that the MNIST names give stands beside it."""
    images = read_idx(path)
    if images.ndim < 2:
        raise ValueError(f"{path} holds labels, not images: give the file of the images beside it.")
    labels = _labels_beside(path)
    return Examples(images, None if labels is None else read_idx(labels))


def _labels_beside(path: Path) -> Path | None:
    name = path.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    siblings = (path.with_name(name + suffix) for suffix in ("", ".gz"))
    return next((file for file in siblings if "images" in path.name and file.is_file()), None)
