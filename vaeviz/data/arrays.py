"""Arrays of many layouts and types become the one kind of images and labels that a `Dataset` holds."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Images = UInt8[Tensor, "M C H W"] | Float32[Tensor, "M C H W"]


def as_images(images: ArrayLike | Tensor) -> Images:
    """Copy an array of images into a tensor of shape (M, C, H, W).

    Parameters
    ----------
    images
        Of shape (M, H, W), (M, H, W, C), (M, C, H, W) with C of 1 or 3, or (M, D) with D a perfect square.
        Floats in [0, 1] become float32; whole numbers in 0..255, floats too, become uint8;
        booleans, and integers that are only 0 and 1, are black and white and become uint8 of 0 and 255.

    Raises
    ------
    ValueError
        If the shape, the type or the values are none of these.
    """
    array = _to_numpy(images)
    if array.dtype.kind not in "buif":
        raise ValueError(f"images must be numbers, but are of type {array.dtype}: convert them to uint8 or float32.")
    if array.size == 0:
        raise ValueError(f"images of shape {array.shape} hold no pixels: give at least one image.")
    return torch.from_numpy(np.array(_pixels(_channels_first(array)), order="C"))


def _to_numpy(values: ArrayLike | Tensor) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()  # NumPy knows no bfloat16
    return np.asarray(values)


def _channels_first(array: NDArray[Any]) -> NDArray[Any]:
    match array.shape:
        case (count, pixels) if (side := math.isqrt(pixels)) ** 2 == pixels:
            return array.reshape(count, 1, side, side)
        case (_, pixels):
            raise ValueError(
                f"images are rows of {pixels} pixels, which is no perfect square: reshape them to (M, H, W) first."
            )
        case (_, _, _):
            return array[:, None]
        case (_, second, _, last) if last in (1, 3) and second not in (1, 3):
            return array.transpose(0, 3, 1, 2)
        case (_, 1 | 3, _, _):
            return array
        case shape:
            raise ValueError(
                f"images have the shape {shape}, but must be (M, H, W), (M, H, W, C), (M, C, H, W) with C of 1 or 3, "
                "or (M, D): reshape them first."
            )


def _pixels(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    low, high = array.min(), array.max()  # either is NaN where any pixel is
    if array.dtype.kind == "f" and not np.isfinite([low, high]).all():
        raise ValueError("images hold NaN or infinite pixels: replace them before loading.")
    if low >= 0 and high <= 1:
        return array.astype(np.float32) if array.dtype.kind == "f" else array.astype(np.uint8) * np.uint8(255)
    if low < 0 or high > 255:
        raise ValueError(
            f"images hold pixels from {low:g} to {high:g}, but these must be floats in [0, 1] or whole numbers in "
            "0..255: rescale them first."
        )
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise ValueError(
            f"images hold pixels from {low:g} to {high:g} which are not all whole numbers: divide them by {high:g}, "
            "so that they lie in [0, 1]."
        )
    return array.astype(np.uint8, copy=False)


def as_labels(
    labels: ArrayLike | Tensor, class_names: tuple[str, ...] | None = None
) -> tuple[Int64[Tensor, " M"], tuple[str, ...]]:
    """Return the labels as places 0..K-1, and the names of the K classes.

    Parameters
    ----------
    labels
        M whole numbers or words.
    class_names
        The classes in order: numbers are places in it, words are looked up in it.
        Without it, the classes are the sorted labels that occur.

    Raises
    ------
    ValueError
        If the labels are not of this kind, or are not among the classes.
    """
    values = _to_numpy(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"labels have the shape {values.shape}, but must be one number or word an image.")
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values):
        values = values.astype(str)
    elif values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    elif values.dtype.kind == "f" and np.array_equal(values, np.rint(values)) and (np.abs(values) < 2**53).all():
        values = values.astype(np.int64)
    if values.dtype.kind not in "buiU":
        raise ValueError(f"labels of type {values.dtype} must be whole numbers or words, and none may be missing.")

    if class_names is None:
        classes, places = np.unique(values, return_inverse=True)
        return torch.from_numpy(places.astype(np.int64)), tuple(str(name) for name in classes)
    if values.dtype.kind == "U":
        place = {name: index for index, name in enumerate(class_names)}
        unknown = sorted(set(values.tolist()) - place.keys())
        if unknown:
            raise ValueError(f"the label {unknown[0]!r} is not among the class names {', '.join(class_names)}.")
        values = np.array([place[value] for value in values.tolist()])
    elif values.size and not 0 <= values.min() <= values.max() < len(class_names):
        raise ValueError(
            f"labels run from {values.min()} to {values.max()}, but the {len(class_names)} class names allow only "
            f"0 to {len(class_names) - 1}."
        )
    return torch.from_numpy(values.astype(np.int64)), tuple(class_names)
