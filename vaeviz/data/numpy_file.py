"""NumPy's ``.npy`` and ``.npz`` files, without ever unpickling: header first, then no more bytes than it claims."""

import lzma
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vaeviz.data.bounded import claimed_bytes, read_exactly
from vaeviz.data.examples import Examples

_IMAGES = ("images", "x", "x_train", "data")
_LABELS = ("labels", "y", "y_train", "targets")
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a way of packing that zipfile does not know
    RuntimeError,  # an encrypted member
    OSError,  # a member said to begin before the file does
    UnicodeDecodeError,  # a member's damaged name
)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def read_npy(path: Path) -> Examples:
    """Read a ``.npy`` file of images."""
    with path.open("rb") as stream:
        return Examples(_read_array(stream, path))


def read_npz(path: Path) -> Examples:
    """Read a ``.npz`` file: images and labels by their usual names, or else the first array that can be images.

    The arrays ``x_test`` and ``y_test``, where there are any, become the test split.

    Raises
    ------
    ValueError
        If the file is damaged, holds no images, or holds Python objects.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_archive(archive, path)
        except ZIP_ERRORS as error:
            raise ValueError(f"{path} cannot be unpacked: the npz file is damaged, make it again.") from error


def _read_archive(archive: zipfile.ZipFile, path: Path) -> Examples:
    members = {info.filename.removesuffix(".npy").lower(): info for info in archive.infolist()}

    def read(name: str) -> NDArray[Any]:
        with archive.open(members[name]) as stream:
            return _read_array(stream, f"{path}, array {name!r},")

    def can_be_images(name: str) -> bool:
        with archive.open(members[name]) as stream:
            header = _read_header(stream, f"{path}, array {name!r},")
        return len(header.shape) >= 2 and header.dtype.kind in "buif"

    images_name = next((name for name in _IMAGES if name in members), None) or next(
        filter(can_be_images, members), None
    )
    if images_name is None:
        raise ValueError(f"{path} holds no array of images: save them under the name 'images'.")
    labels_name = next((name for name in _LABELS if name in members), None)
    images = read(images_name)
    labels = None if labels_name is None else read(labels_name)
    if "x_test" not in members or images_name == "x_test":
        return Examples(images, labels)

    test_images = read("x_test")
    if images.shape[1:] != test_images.shape[1:] or images.dtype != test_images.dtype:
        raise ValueError(
            f"{path} holds {images_name!r} as {images.dtype} of shape {images.shape} but 'x_test' as "
            f"{test_images.dtype} of shape {test_images.shape}: save both with images of one size and type."
        )
    if labels is not None:
        if "y_test" not in members:
            raise ValueError(f"{path} holds {labels_name!r} but no 'y_test': save labels for both parts, or for none.")
        test_labels = read("y_test")
        if (len(labels), len(test_labels)) != (len(images), len(test_images)):
            raise ValueError(
                f"{path} holds {len(labels):,} and {len(test_labels):,} labels for {len(images):,} training and "
                f"{len(test_images):,} test images: save one label an image."
            )
        labels = np.concatenate([labels.reshape(len(labels), -1), test_labels.reshape(len(test_labels), -1)])
    return Examples(np.concatenate([images, test_images]), labels, own_test=len(test_images))


def _read_array(stream: IO[bytes], where: Path | str) -> NDArray[Any]:
    header = _read_header(stream, where)
    if header.dtype.hasobject:
        raise ValueError(f"{where} holds Python objects, which are never unpickled: save it as an array of numbers.")
    if header.dtype.kind not in "buifUS" or not header.shape:
        raise ValueError(f"{where} holds {header.dtype} of shape {header.shape}: save it as an array of numbers.")
    body = read_exactly(stream, claimed_bytes(header.shape, header.dtype.itemsize, where), where)
    values = np.frombuffer(body, header.dtype)
    try:
        return values.reshape(header.shape, order="F" if header.fortran else "C")
    except ValueError as error:  # NumPy allows 64 dimensions, a header any number
        raise ValueError(f"{where} claims {len(header.shape)} dimensions: save it with at most four.") from error


def _read_header(stream: IO[bytes], where: Path | str) -> _Header:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged header makes Python's parser warn before it fails
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            return _Header(*read(stream))
    except Exception as error:  # a damaged header raises whatever Python's tokenizer and NumPy's dtypes do
        raise ValueError(f"{where} does not begin as a NumPy file does: make it again with numpy.save.") from error
