"""One door for all data: a known name, or the path of a file or folder."""

import os
from dataclasses import replace
from pathlib import Path

import torch

from vaeviz.data.bundled import read_digits, read_mnist_5k
from vaeviz.data.dataset import Dataset
from vaeviz.data.examples import Examples
from vaeviz.data.idx import read_idx_examples
from vaeviz.data.image_folder import IMAGE_SUFFIXES, read_image_folder
from vaeviz.data.numpy_file import read_npy, read_npz
from vaeviz.data.published import PUBLISHED, is_present, read_published
from vaeviz.data.split import random_split
from vaeviz.data.table import read_csv

_BUNDLED = {"mnist-5k": read_mnist_5k, "digits": read_digits}
_READERS = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".csv": read_csv,
    "-ubyte": read_idx_examples,
    ".idx": read_idx_examples,
    "-ubyte.gz": read_idx_examples,
    ".idx.gz": read_idx_examples,
}

DATA_SUFFIXES: tuple[str, ...] = tuple(_READERS)
"""How the names of the files end that hold a whole dataset."""

DATASET_NAMES: tuple[str, ...] = (*_BUNDLED, *PUBLISHED)
"""The names that `load_dataset` knows; the first is the default of the apps."""


def available_datasets() -> tuple[str, ...]:
    """Return the names that can be loaded now, without a network."""
    return tuple(name for name in DATASET_NAMES if name in _BUNDLED or is_present(name))


def load_dataset(
    name: str | os.PathLike[str],
    *,
    validation: int | float | None = None,
    test: int | float | None = None,
    seed: int = 0,
) -> Dataset:
    """Load a dataset by its name, or from a file or folder.

    Parameters
    ----------
    name
        One of `DATASET_NAMES`; or the path of a ``.npz``, ``.npy``, ``.csv`` or IDX file (gzipped or plain), or of a
        folder of images whose sub-folders, if any, are the classes.
    validation, test
        Fractions in [0, 1), or whole counts, of the images to hold out. By default a tenth each. Data that bring
        their own test images keep these as the test split, and by default a twelfth of the others, which is 5,000
        of MNIST's 60,000, validates.
    seed
        The same seed gives the same split.

    Raises
    ------
    ValueError
        If the name is unknown, the data cannot be read, or the split cannot be made.
    FileNotFoundError
        If there is no such file, or if a dataset is neither in `data_dir` nor can be downloaded.
    """
    if isinstance(name, str) and name in _BUNDLED:
        return replace(_split(_BUNDLED[name](), name, validation, test, seed), source=name)
    if isinstance(name, str) and name in PUBLISHED:
        return replace(_split(read_published(name), name, validation, test, seed), source=name)

    path = _existing(name)
    examples = _read(path)
    try:
        dataset = _split(examples, path.name or path.resolve().name, validation, test, seed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return replace(dataset, source=str(path.resolve()))


def _existing(name: str | os.PathLike[str]) -> Path:
    text = os.fspath(name)
    path = Path(os.path.expanduser(text))
    if text and path.exists():
        return path
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    if (
        not isinstance(name, str)
        or text.startswith((".", "~"))
        or text.lower().endswith((*_READERS, *IMAGE_SUFFIXES))
        or any(separator in text for separator in separators)
    ):
        raise FileNotFoundError(f"no such file or folder: {path}")
    raise ValueError(
        f"{name!r} is no dataset: give one of {', '.join(DATASET_NAMES)}, or the path of a file or folder."
    )


def _read(path: Path) -> Examples:
    if path.is_dir():
        return read_image_folder(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: get or make the file again.")
    for suffix, reader in _READERS.items():
        if path.name.lower().endswith(suffix):
            return reader(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise ValueError(f"{path} is a single image: give the folder that holds all of them.")
    raise ValueError(
        f"{path} is of an unknown kind: give a .npz, .npy, .csv or IDX file (…-ubyte or .idx, also with .gz), "
        "or a folder of images."
    )


def _split(
    examples: Examples, name: str, validation: int | float | None, test: int | float | None, seed: int
) -> Dataset:
    images, labels, class_names, own_test = examples
    if not own_test:
        return Dataset.from_arrays(
            images,
            labels,
            name=name,
            class_names=class_names,
            validation=0.1 if validation is None else validation,
            test=0.1 if test is None else test,
            seed=seed,
        )
    if test is not None:
        raise ValueError(f"test={test!r} cannot be chosen for {name}, which has its own test images: leave it out.")
    rest = len(images) - own_test
    split = random_split(rest, 1 / 12 if validation is None else validation, 0, seed)
    whole = Dataset.from_arrays(images, labels, name=name, class_names=class_names, validation=0, test=0)
    return replace(whole, train=split.train, validation=split.validation, test=torch.arange(rest, len(images)))
