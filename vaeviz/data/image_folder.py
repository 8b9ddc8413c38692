"""A folder of image files; its sub-folders, if it has any, are the classes."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vaeviz.data.bounded import claimed_bytes
from vaeviz.data.examples import Examples

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

_GRAY = {"1", "L", "LA", "La"}
_COLOUR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"}


def read_image_folder(folder: Path) -> Examples:
    """Read the images of a folder in sorted order, as gray if all of them are and else as RGB; alpha is dropped.

    Raises
    ------
    ValueError
        If there are no images, if they differ in size, or if one cannot be read.
    """
    files = _image_files(folder)
    if not files:
        raise ValueError(f"{folder} holds no images: put files of {', '.join(IMAGE_SUFFIXES)} there.")
    classes = [file.relative_to(folder).parts[0] for file in files if file.parent != folder]
    if classes and len(classes) < len(files):
        raise ValueError(
            f"{folder} holds images both in sub-folders and beside them: move each into its class's folder."
        )

    first = files[0]
    size, mode = _measure(first)
    for file in files[1:]:
        other, other_mode = _measure(file)
        if other != size:
            raise ValueError(
                f"{first} is {size[0]} × {size[1]} pixels but {file} is {other[0]} × {other[1]}: "
                "make all images of one size."
            )
        mode = "RGB" if other_mode == "RGB" else mode

    shape = (len(files), size[1], size[0], 1 if mode == "L" else 3)
    claimed_bytes(shape, 1, folder)
    images = np.empty(shape, np.uint8)
    for row, file in zip(images, files, strict=True):
        row[...] = _decode(file, mode).reshape(row.shape)
    return Examples(images.transpose(0, 3, 1, 2), np.array(classes) if classes else None)


def _image_files(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)  # as macOS leaves them
        and file.is_file()
    ]


def _measure(file: Path) -> tuple[tuple[int, int], Literal["L", "RGB"]]:
    """Width and height, and the mode to convert to, from the header alone."""
    with _opened(file) as image:
        size, mode, gray = image.size, image.mode, _is_gray(image)
    if mode not in _GRAY | _COLOUR:
        raise ValueError(f"{file} has pixels of mode {mode}: save it as 8-bit gray or RGB.")
    return size, "L" if gray else "RGB"


def _is_gray(image: Image.Image) -> bool:
    if image.mode != "P":
        return image.mode in _GRAY
    palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _decode(file: Path, mode: Literal["L", "RGB"]) -> NDArray[Any]:
    with _opened(file) as image:
        return np.asarray(image.convert(mode))


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{file} claims too many pixels to be decoded safely: give smaller images.") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more for damaged files
        raise ValueError(f"{file} cannot be read as an image: replace it or take it out of the folder.") from error
