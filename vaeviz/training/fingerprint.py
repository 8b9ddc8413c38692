"""How a saved run knows its dataset again, without a copy of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

import torch
from torch import Tensor

from vaeviz.data import Dataset, load_dataset
from vaeviz.data.dataset import SplitName


class MissingDatasetError(ValueError):
    """The dataset of a saved run cannot be loaded again.

    Attributes
    ----------
    name : str
        Of the dataset.
    reason : str
        Why not, within a sentence.
    """

    def __init__(self, where: object, name: str, reason: str) -> None:
        super().__init__(f"{where} was trained on {name!r}, which {reason}: pass it as dataset=")
        self.name = name
        self.reason = reason


class OtherDatasetError(ValueError):
    """Another dataset was given than that of a saved run."""


SPLIT_NAMES: tuple[SplitName, ...] = get_args(SplitName)


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What identifies a dataset."""

    name: str
    source: str | None
    image_shape: tuple[int, ...]
    count: int
    class_names: tuple[str, ...]
    blake2b: str
    """Checksum of images and labels."""

    @classmethod
    def of(cls, dataset: Dataset) -> "Fingerprint":
        """Look at the whole of a dataset: about a second for a gigabyte."""
        return cls(
            name=dataset.name,
            source=dataset.source,
            image_shape=dataset.image_shape,
            count=len(dataset),
            class_names=dataset.class_names,
            blake2b=_digest(dataset),
        )

    def differs(self, other: "Fingerprint") -> str | None:
        """Return in words how another dataset differs; None if its examples are the same."""
        for field, words in (
            ("count", "images"),
            ("image_shape", "as the shape of images"),
            ("class_names", "classes"),
        ):
            mine, others = getattr(self, field), getattr(other, field)
            if mine != others:
                return f"it has {others} {words}, but the run's has {mine}"
        return None if self.blake2b == other.blake2b else "its images or labels are others"


def splits_of(dataset: Dataset) -> dict[str, Tensor]:
    """Return the indices of every split."""
    return {name: dataset.split(name) for name in SPLIT_NAMES}


def find_dataset(
    fingerprint: Fingerprint, splits: Mapping[str, Tensor], given: Dataset | None, where: object
) -> Dataset:
    """Return the dataset of a saved run: the one given, or loaded again from its source and split as it was.

    Raises
    ------
    OtherDatasetError
        If it is another dataset.
    MissingDatasetError
        If none was given, and there is no source, or it can't be loaded from there.
    ValueError
        If the splits are not those of its examples.
    """
    dataset = replace(_load(fingerprint, where), name=fingerprint.name) if given is None else given
    difference = fingerprint.differs(Fingerprint.of(dataset))
    if difference is None and given is not None:
        different = [name for name in SPLIT_NAMES if not torch.equal(given.split(name), splits[name])]
        difference = f"its {different[0]} split is another" if different else None
    if difference is not None:
        raise OtherDatasetError(
            f"{where} was trained on another dataset than {dataset.name}: {difference}; pass that one as dataset="
        )
    if given is not None:
        return given
    try:
        return replace(dataset, train=splits["train"], validation=splits["validation"], test=splits["test"])
    except ValueError as error:
        raise ValueError(f"{where} is damaged or was changed: {error}") from None


def _load(fingerprint: Fingerprint, where: object) -> Dataset:
    if fingerprint.source is None:
        raise MissingDatasetError(
            where, fingerprint.name, "was made from arrays or uploaded, and cannot be loaded again"
        )
    try:
        return load_dataset(fingerprint.source)
    except (ValueError, OSError) as error:
        raise MissingDatasetError(where, fingerprint.name, f"cannot be loaded again ({error})") from error


def _digest(dataset: Dataset) -> str:
    digest = hashlib.blake2b(str(dataset.images.dtype).encode(), digest_size=16)
    for values in (dataset.images, dataset.labels):
        if values is not None:
            digest.update(values.detach().cpu().contiguous().numpy().data.cast("B"))
    return digest.hexdigest()
