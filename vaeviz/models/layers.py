"""What the dense and the convolutional VAE are both made of: activations, checked sizes, He's initialisation."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from vaeviz.models.dropout import Dropout

LARGEST_SIZE = 16384

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
    "softplus": nn.Softplus,
}
IN_PLACE = {"elu", "relu", "leaky_relu"}
"""Their gradient follows from what they give, so that they need not keep what they were given."""


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_SIZE


def checked_size(field: str, value: int) -> int:
    """Return a size, or raise a ValueError that names the field, its value and what is allowed."""
    if not _is_size(value):
        raise ValueError(f"{field}={value!r}: must be a whole number from 1 to {LARGEST_SIZE}")
    return value


def checked_sizes(field: str, values: Sequence[int]) -> tuple[int, ...]:
    """Return at least one size as a tuple, or raise a ValueError that says what is allowed."""
    sizes = tuple(values)
    if not sizes:
        raise ValueError(f"{field}=(): needs at least one size")
    if not all(map(_is_size, sizes)):
        raise ValueError(f"{field}={sizes!r}: every size must be a whole number from 1 to {LARGEST_SIZE}")
    return sizes


def checked_image_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return (C, H, W), or raise a ValueError that says what is allowed."""
    sizes = checked_sizes("image_shape", image_shape)
    if len(sizes) != 3:
        raise ValueError(f"image_shape={sizes!r}: must be three sizes, (channels, height, width)")
    return sizes[0], sizes[1], sizes[2]


def nonlinearity(activation: str, dropout: float) -> list[nn.Module]:
    """Make what follows every hidden layer: the activation, then dropout if there is any.

    Raises
    ------
    ValueError
        If there is no such activation, or dropout is outside [0, 1).
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation={activation!r}: must be one of {', '.join(ACTIVATIONS)}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout}: must be at least 0 and below 1")
    module = ACTIVATIONS[activation](**({"inplace": True} if activation in IN_PLACE else {}))
    return [module, Dropout(dropout)] if dropout else [module]


@torch.no_grad()
def he_normal_(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw every weight from N(0, 2 / fan_in) and set every bias to zero, in place; nothing where there is no memory.

    The fan-in of a transposed convolution is the mean number of inputs that reach one output value: a stride of s
    spreads each kernel over s² outputs.

    References
    ----------
    He et al. 2015, "Delving Deep into Rectifiers", equation 10 (arXiv:1502.01852).
    """
    if all(weight.is_meta for weight in model.parameters()):
        return  # to draw nothing, torch would import its compiler: one to two seconds
    for layer in model.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            fan_in = layer.in_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
        elif isinstance(layer, nn.Linear | nn.Conv2d):
            fan_in = layer.weight[0].numel()
        else:
            continue
        layer.weight.normal_(std=math.sqrt(2 / fan_in), generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()
