"""Which examples train, which validate and which test: a seeded shuffle, cut in three."""

from numbers import Integral, Real
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor


class Split(NamedTuple):
    """Indices of the examples of each part; together they are all examples, each once."""

    train: Int64[Tensor, " train"]
    validation: Int64[Tensor, " validation"]
    test: Int64[Tensor, " test"]


def random_split(count: int, validation: int | float, test: int | float, seed: int) -> Split:
    """Shuffle ``range(count)`` by `seed` and cut it into training, validation and test indices, in this order.

    Parameters
    ----------
    count
        Number of examples.
    validation, test
        Fractions in [0, 1), rounded to whole examples, or whole counts.
    seed
        The same seed and sizes give the same split.

    Raises
    ------
    ValueError
        If a size is not allowed, or if no example would be left to train on.
    """
    if not isinstance(seed, Integral) or not 0 <= seed < 2**63:
        raise ValueError(f"seed={seed!r} must be a whole number of at least 0 and below 2**63.")
    held_out = [_size("validation", validation, count), _size("test", test, count)]
    if sum(held_out) >= count:
        raise ValueError(
            f"validation={validation!r} and test={test!r} take {sum(held_out):,} of {count:,} examples "
            "and leave none to train on: ask for smaller splits."
        )
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(int(seed)))
    return Split(*shuffled.split([count - sum(held_out), *held_out]))


def _size(field: str, size: int | float, count: int) -> int:
    if isinstance(size, Integral) and not isinstance(size, bool) and size >= 0:
        return int(size)
    if isinstance(size, Real) and not isinstance(size, Integral) and 0 <= size < 1:
        return round(float(size) * count)
    raise ValueError(f"{field}={size!r} must be a fraction of at least 0 and below 1, or a whole count of examples.")
