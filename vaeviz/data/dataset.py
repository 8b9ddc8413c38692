"""One dataset: a tensor of images in memory, their labels, and which of them train, validate and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float32, Int64
from numpy.typing import ArrayLike
from torch import Tensor

from vaeviz.data.arrays import Images, as_images, as_labels
from vaeviz.data.split import random_split

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Images with their splits, checked once and then trusted.

    Raises
    ------
    ValueError
        If a field is not of the type, shape or range told beside it.
    """

    name: str
    """What to call it in titles and messages."""

    images: Images
    """M gray (C = 1) or RGB (C = 3) images: uint8 of 0..255, or float32 in [0, 1]."""

    labels: Int64[Tensor, " M"] | None = None
    """The class of each image, as its place in `class_names`."""

    class_names: tuple[str, ...] = ()
    """The K classes, in order; empty without labels."""

    train: Int64[Tensor, " train"]
    """Indices of the training images; not empty, and disjoint from the others."""

    validation: Int64[Tensor, " validation"]
    """Indices of the validation images; may be empty."""

    test: Int64[Tensor, " test"]
    """Indices of the test images; may be empty."""

    source: str | None = None
    """What `load_dataset` loaded it from: a name, or the whole path of a file or folder; None of other arrays."""

    def __post_init__(self) -> None:
        _check_images(self.images)
        if self.labels is not None:
            _check_labels(self.labels, len(self), len(self.class_names))
        _check_splits({name: self.split(name) for name in get_args(SplitName)}, len(self))

    @classmethod
    def from_arrays(
        cls,
        images: ArrayLike | Tensor,
        labels: ArrayLike | Tensor | None = None,
        *,
        name: str = "arrays",
        class_names: Sequence[str] | None = None,
        validation: int | float = 0.1,
        test: int | float = 0.1,
        seed: int = 0,
    ) -> Dataset:
        """Copy arrays into a dataset and split it at random.

        Parameters
        ----------
        images
            Of shape (M, H, W), (M, H, W, C), (M, C, H, W) with C of 1 or 3, or (M, D) with D a perfect square.
            Floats in [0, 1] become float32; whole numbers in 0..255, floats too, become uint8;
            booleans, and integers that are only 0 and 1, are black and white and become uint8 of 0 and 255.
        labels
            M whole numbers or words. Without `class_names` the classes are the sorted labels that occur.
        name
            What to call it in titles and messages.
        class_names
            The classes in order: labels that are numbers are places in it, words are looked up in it.
        validation, test
            Fractions in [0, 1), or whole counts, of the images to hold out.
        seed
            The same seed gives the same split.

        Raises
        ------
        ValueError
            If the arrays cannot be read in this way, or if no image would be left to train on.
        """
        pixels = as_images(images)
        names = None if class_names is None else tuple(class_names)
        classes, names = (None, names or ()) if labels is None else as_labels(labels, names)
        train, validating, testing = random_split(len(pixels), validation, test, seed)
        return cls(
            name=name,
            images=pixels,
            labels=classes,
            class_names=names,
            train=train,
            validation=validating,
            test=testing,
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    def split(self, name: SplitName) -> Int64[Tensor, " ids"]:
        """Return the indices of the images of a split.

        Raises
        ------
        ValueError
            If there is no split of this name.
        """
        if name not in get_args(SplitName):
            raise ValueError(f"split {name!r} must be one of {', '.join(get_args(SplitName))}.")
        ids: Tensor = getattr(self, name)
        return ids

    def pixels(self, ids: Int64[Tensor, " B"]) -> Float32[Tensor, "B C H W"]:
        """Return the images of these indices as floats in [0, 1], on the images' device."""
        chosen = self.images[ids.to(self.images.device)]
        return chosen if chosen.is_floating_point() else chosen.float().div_(255)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "×".join(str(size) for size in self.image_shape)
        splits = " / ".join(f"{name} {len(self.split(name)):,}" for name in get_args(SplitName))
        return f"Dataset({self.name!r}: {len(self):,} images of {shape}, {splits})"


def _check_images(images: Tensor) -> None:
    if images.dtype not in (torch.uint8, torch.float32):
        raise ValueError(f"images are of type {images.dtype}, but must be uint8 or float32.")
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.numel() == 0:
        raise ValueError(
            f"images have the shape {tuple(images.shape)}, but must be (M, C, H, W) with C of 1 or 3 and none empty."
        )
    if images.is_floating_point():
        low, high = (float(end) for end in images.aminmax())  # both are NaN where any pixel is
        if not 0 <= low <= high <= 1:
            raise ValueError(f"images hold pixels from {low:g} to {high:g}, but floats must be finite and in [0, 1].")


def _check_labels(labels: Tensor, count: int, classes: int) -> None:
    if labels.dtype != torch.int64 or labels.ndim != 1:
        raise ValueError(f"labels are {labels.dtype} of shape {tuple(labels.shape)}, but must be int64 of shape (M,).")
    if len(labels) != count:
        raise ValueError(f"there are {len(labels):,} labels for {count:,} images, but each image must have one.")
    low, high = (int(end) for end in labels.aminmax())
    if not 0 <= low <= high < classes:
        raise ValueError(f"labels run from {low} to {high}, but must be places in the {classes} class names.")


def _check_splits(splits: dict[str, Tensor], count: int) -> None:
    for name, ids in splits.items():
        if ids.dtype != torch.int64 or ids.ndim != 1:
            raise ValueError(f"{name} is {ids.dtype} of shape {tuple(ids.shape)}, but must be int64 of one dimension.")
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < count:
            raise ValueError(f"{name} holds indices outside 0 to {count - 1}, the images that there are.")
    if not len(splits["train"]):
        raise ValueError("train is empty, but at least one image must be left to train on.")
    if int(torch.cat(list(splits.values())).bincount().max()) > 1:
        raise ValueError("train, validation and test must be disjoint, but an image is used twice.")
