"""MNIST and its two siblings: the original IDX files, found in a folder or downloaded and checked.

Mirrors and MD5 sums are those of torchvision's ``datasets/mnist.py``.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from vaeviz.data.examples import Examples
from vaeviz.data.folder import data_dir
from vaeviz.data.idx import read_idx

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class Published(NamedTuple):
    """Where a dataset is published, and how to know that it arrived whole."""

    mirror: str
    md5: tuple[str, str, str, str]
    """Of the gzipped files, in the order of `FILES`."""
    class_names: tuple[str, ...]


PUBLISHED = {
    "mnist": Published(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        tuple("0123456789"),
    ),
    "fashion-mnist": Published(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    "kmnist": Published(
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        (
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
}


def is_present(name: str) -> bool:
    """Whether all four files of a published dataset are in its folder."""
    return all(_find(data_dir() / name, file) for file in FILES)


def read_published(name: str) -> Examples:
    """Read a published dataset from its folder, downloading the files that are not there.

    Raises
    ------
    FileNotFoundError
        If a file is not there and cannot be downloaded.
    ValueError
        If a file is damaged, or if the files do not belong together.
    """
    folder = data_dir() / name
    paths = [
        _find(folder, file) or _download(name, file, md5, folder)
        for file, md5 in zip(FILES, PUBLISHED[name].md5, strict=True)
    ]
    images, labels, test_images, test_labels = (read_idx(path) for path in paths)
    for path, pixels, classes in ((paths[0], images, labels), (paths[2], test_images, test_labels)):
        if pixels.ndim != 3 or classes.shape != pixels.shape[:1]:
            raise ValueError(
                f"{path} holds an array of shape {pixels.shape} and its labels one of {classes.shape}, "
                "which do not belong together: get both files again."
            )
    if images.shape[1:] != test_images.shape[1:]:
        raise ValueError(
            f"{folder} holds training images of shape {images.shape[1:]} but test images of {test_images.shape[1:]}: "
            "get the files again."
        )
    return Examples(
        np.concatenate([images, test_images]),
        np.concatenate([labels, test_labels]),
        PUBLISHED[name].class_names,
        own_test=len(test_images),
    )


def _find(folder: Path, file: str) -> Path | None:
    return next((path for path in (folder / f"{file}.gz", folder / file) if path.is_file()), None)


def _download(name: str, file: str, md5: str, folder: Path) -> Path:
    import pooch  # slow to import

    url = f"{PUBLISHED[name].mirror}{file}.gz"
    try:
        return Path(pooch.retrieve(url, known_hash=f"md5:{md5}", fname=f"{file}.gz", path=folder))
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError):
            reason = "its MD5 sum is not the published one"
        else:
            reason = error.strerror or type(error).__name__
        names = ", ".join(f"{each}.gz" for each in FILES)
        raise FileNotFoundError(
            f"{name!r} is not in {folder} and could not be downloaded from {url} ({reason}): "
            f"put the files {names} into {folder}."
        ) from error
