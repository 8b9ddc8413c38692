"""A VAE of strided convolutions."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from vaeviz.models.layers import checked_image_shape, checked_size, checked_sizes, he_normal_, nonlinearity
from vaeviz.models.vae import VAE


class ConvVAE(VAE):
    """A VAE of 3 x 3 convolutions of stride 2, its decoder the mirror image of its encoder.

    Each level halves height and width, rounding up; images of any height and width, also odd, come back exactly.
    Weights are He-normal (standard deviation sqrt(2 / fan_in)), biases zero.

    Parameters
    ----------
    image_shape : sequence of int
        (C, H, W) of the images.
    channels : sequence of int
        Channels of the encoder's convolutions, from the image inwards; at least one.
    hidden_size : int
        Width of the dense layer between the convolutions and the code.
    latent_dim : int
        L, dimensions of the code.
    activation : str
        "elu", "relu", "gelu", "silu", "tanh", "leaky_relu" or "softplus".
    dropout : float
        Probability that a hidden value is dropped in training, 0 <= dropout < 1.
    generator : torch.Generator, optional
        Source of the initial weights, on the CPU; the global one if left out.

    Attributes
    ----------
    config : dict
        The arguments, but for ``generator``, as JSON knows them: ``ConvVAE(**config)`` builds the same architecture.

    Raises
    ------
    ValueError
        If an argument is not allowed, or the image is too small for so many levels; the message says what is allowed.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int] = (32, 64),
        hidden_size: int = 256,
        latent_dim: int = 2,
        *,
        activation: str = "elu",
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        image_shape = checked_image_shape(image_shape)
        channels = checked_sizes("channels", channels)
        hidden_size = checked_size("hidden_size", hidden_size)
        latent_dim = checked_size("latent_dim", latent_dim)

        shapes = _level_shapes(image_shape, channels)  # of the image, then of every level inwards
        depth, height, width = shapes[-1]
        features = depth * height * width

        def after() -> list[nn.Module]:
            return nonlinearity(activation, dropout)

        encoder, decoder = nn.Sequential(), nn.Sequential()
        for outer, inner in pairwise(shapes):
            encoder.extend([nn.Conv2d(outer[0], inner[0], 3, stride=2, padding=1), *after()])
        encoder.extend(
            [nn.Flatten(), nn.Linear(features, hidden_size), *after(), nn.Linear(hidden_size, 2 * latent_dim)]
        )

        decoder.extend([nn.Linear(latent_dim, hidden_size), *after(), nn.Linear(hidden_size, features), *after()])
        decoder.append(nn.Unflatten(1, shapes[-1]))
        for inner, outer in pairwise(reversed(shapes)):
            # a side of ceil(n / 2) comes back as 2 ceil(n / 2) - 1: n itself if n is odd, one short if it is even
            padding = 1 - outer[1] % 2, 1 - outer[2] % 2
            decoder.append(nn.ConvTranspose2d(inner[0], outer[0], 3, stride=2, padding=1, output_padding=padding))
            if outer is not shapes[0]:
                decoder.extend(after())

        super().__init__(encoder, decoder, latent_dim)
        he_normal_(self, generator)
        self.config: dict[str, Any] = {
            "image_shape": list(image_shape),
            "channels": list(channels),
            "hidden_size": hidden_size,
            "latent_dim": latent_dim,
            "activation": activation,
            "dropout": dropout,
        }

    def describe(self) -> str:
        """Name the model in one short line, e.g. ``"conv 32-64-256-2"``."""
        return "conv " + "-".join(map(str, (*self.config["channels"], self.config["hidden_size"], self.latent_dim)))


def _level_shapes(image_shape: tuple[int, int, int], channels: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """(C, H, W) of the image and after each convolution; each halves height and width, rounding up."""
    _, height, width = image_shape
    most = (min(height, width) - 1).bit_length()  # ceil(log2 n) halvings bring n to 1
    if len(channels) > most:
        raise ValueError(
            f"channels={channels!r}: {len(channels)} levels are too many for images of {height} x {width} pixels, "
            f"which can be halved at most {most} times"
        )
    shapes = [image_shape]
    for depth in channels:
        height, width = (height + 1) // 2, (width + 1) // 2
        shapes.append((depth, height, width))
    return shapes
