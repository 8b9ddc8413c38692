"""A model's weights by name: whether they fit, and how much memory they take."""

from collections.abc import Iterable, Mapping

from torch import Tensor


def misfit(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str | None:
    """Return in words how weights differ in name, shape or type from a model's own; None if they do not."""
    for name in sorted({*own, *weights}):
        there, wanted = (_form(each.get(name)) for each in (weights, own))
        if there != wanted:
            return f"{name} is {there}, but the model's is {wanted}"
    return None


def nbytes(weights: Iterable[Tensor]) -> int:
    """Return the bytes of the memory that tensors hold; what several share counts once."""
    return sum({(each := value.untyped_storage()).data_ptr(): each.nbytes() for value in weights}.values())


def _form(value: Tensor | None) -> str:
    return "not there" if value is None else f"{tuple(value.shape)} {value.dtype}"
