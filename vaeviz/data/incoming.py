"""Files that come from elsewhere, in pieces and from nobody who is trusted, until they are one dataset in memory."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from weakref import ref

from vaeviz.data.bounded import in_words, most_bytes
from vaeviz.data.dataset import Dataset
from vaeviz.data.image_folder import IMAGE_SUFFIXES
from vaeviz.data.load import DATA_SUFFIXES, load_dataset
from vaeviz.data.plain import plain_name
from vaeviz.data.zipped import unzip_images
from vaeviz.environment import whole_number
from vaeviz.private_folder import PrivateFolder

MAX_UPLOAD = 10**9
"""The most bytes that come as one dataset, unless ``VAEVIZ_MAX_UPLOAD`` says otherwise; 0 lets nothing come."""

MOST_FILES = 10_000
"""Files that come one by one; more of them come in one .zip."""

KINDS = ".npz, .npy, .csv, IDX, images or a .zip of them"

SPARE = 10**9
"""Bytes of the disk that are left to others."""

_taken: list[ref[Dataset]] = []


def most_upload() -> int:
    """Return how many bytes may come as one dataset; 0: nothing may.

    Raises
    ------
    ValueError
        If ``VAEVIZ_MAX_UPLOAD`` is no whole number.
    """
    return whole_number("VAEVIZ_MAX_UPLOAD", MAX_UPLOAD, least=0)


class Incoming:
    """The files of one dataset on their way: in a folder of a random name that only this process's user may enter.

    Who makes one closes it, whatever came of it.

    Parameters
    ----------
    files : sequence of (str, int)
        What their sender calls them, and their bytes. Of the names only the last part is taken: they are never paths.

    Raises
    ------
    ValueError
        In one sentence, if they may not come: too much, too many, or of a kind that is not read.
    OSError
        If there is no folder to be had.
    """

    def __init__(self, files: Sequence[tuple[str, int]]) -> None:
        names = _different([plain_name(name) for name, _ in files])
        self.total = sum(size for _, size in files)
        _check(names, [size for _, size in files], self.total)
        images = [name for name in names if "labels" not in name]
        self.name = names[0] if len(names) == 1 else images[0] if _is_pair(names) else f"{len(names):,} images"
        self.received = 0
        self._place = PrivateFolder("upload")
        self.folder = self._place.path
        self._unpacked = self.folder / "unpacked"
        self._files = [self.folder / name for name in names]
        self._waiting = [(path, size) for path, (_, size) in zip(self._files, files, strict=True)]
        self._waiting.reverse()  # the next one last

    def write(self, piece: bytes) -> None:
        """Take the next bytes, of one file or of several.

        Raises
        ------
        ValueError
            If more comes than was told.
        OSError
            If the disk does not take them.
        """
        if len(piece) > self.total - self.received:
            raise ValueError(f"{self.name}: more came than its {self.total:,} bytes")
        self.received += len(piece)
        view = memoryview(piece)
        while view:
            path, left = self._waiting.pop()
            with path.open("ab") as file:
                file.write(view[:left])
            if left > len(view):
                self._waiting.append((path, left - len(view)))
            view = view[left:]

    def dataset(self) -> Dataset:
        """Read the files as `load_dataset` does; the dataset no longer needs them.

        Raises
        ------
        ValueError
            In one sentence for their sender, which names no folder of this machine.
        """
        if self.received < self.total:
            raise ValueError(f"{self.name}: only {self.received:,} of {self.total:,} bytes came")
        try:
            dataset = load_dataset(self._source())
        except (ValueError, OSError) as error:
            raise ValueError(self._for_sender(str(error))) from None
        dataset = replace(dataset, name=self.name, source=None)
        _taken.append(ref(dataset, _taken.remove))
        return dataset

    def _source(self) -> Path:
        """Return the file or folder that is the dataset."""
        if _all_images(self._files):
            return self.folder
        if len(self._files) == 1:
            (path,) = self._files
            return unzip_images(path, self._unpacked, most_upload()) if _is_zip(path.name) else path
        images, _labels = sorted(self._files, key=lambda path: "labels" in path.name)
        return images

    def _for_sender(self, words: str) -> str:
        for folder in (self._unpacked, self._unpacked.resolve(), self.folder, self.folder.resolve()):
            words = words.replace(f"{folder}{os.sep}", "").replace(str(folder), self.name)
        return words

    def close(self) -> None:
        """Remove the files and their folder."""
        self._place.close()


def _different(names: list[str]) -> list[str]:
    """Return the names, each with a number before it if some are equal."""
    if len({name.lower() for name in names}) == len(names):
        return names
    return [f"{place}-{name}" for place, name in enumerate(names, start=1)]


def _check(names: list[str], sizes: list[int], total: int) -> None:
    most = most_upload()
    if not most:
        raise ValueError("Nothing can be uploaded to this server")
    if not names or len(names) > MOST_FILES:
        raise ValueError(f"{len(names):,} files were chosen: choose 1 to {MOST_FILES:,}, or put images into one .zip")
    if total > most:
        what = names[0] if len(names) == 1 else f"The {len(names):,} files"
        raise ValueError(f"{what} of {in_words(total)} is more than the {in_words(most)} that may be uploaded")
    unread = next((name for name in names if not _is_read(name)), None)
    if unread is not None:
        raise ValueError(f"{unread or 'A file without a name'} is of an unknown kind: choose {KINDS}")
    for name, size in zip(names, sizes, strict=True):
        if size <= 0:
            raise ValueError(f"{name} is empty: choose another file")
    if len(names) > 1 and not _is_pair(names) and not _all_images([Path(name) for name in names]):
        raise ValueError("Choose one file, several images, or the IDX file of the images and that of its labels")
    held = sum(dataset.images.nbytes for taken in list(_taken) if (dataset := taken()) is not None)
    if held + total > most_bytes():
        raise ValueError(f"What was uploaded here takes {in_words(held)} of memory already: try again later")
    with suppress(OSError):
        if shutil.disk_usage(tempfile.gettempdir()).free < total + SPARE:
            raise ValueError(f"There is no room for {in_words(total)} on the server's disk: try again later")


def _is_read(name: str) -> bool:
    return name.lower().endswith((*DATA_SUFFIXES, *IMAGE_SUFFIXES, ".zip"))


def _is_idx(name: str) -> bool:
    return name.lower().endswith(tuple(suffix for suffix in DATA_SUFFIXES if "ubyte" in suffix or "idx" in suffix))


def _is_pair(names: list[str]) -> bool:
    """Whether these are the IDX files of images and of their labels."""
    return len(names) == 2 and sum("labels" in name for name in names) == 1 and all(map(_is_idx, names))


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _all_images(files: Sequence[Path]) -> bool:
    return all(file.suffix.lower() in IMAGE_SUFFIXES for file in files)
