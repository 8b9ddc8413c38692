"""A VAE of fully connected layers."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from vaeviz.models.layers import checked_image_shape, checked_size, checked_sizes, he_normal_, nonlinearity
from vaeviz.models.vae import VAE


class DenseVAE(VAE):
    """A VAE of fully connected layers, its decoder the mirror image of its encoder.

    Weights are He-normal (standard deviation sqrt(2 / fan_in)), biases zero.

    Parameters
    ----------
    image_shape : sequence of int
        (C, H, W) of the images.
    hidden_sizes : sequence of int
        Widths of the encoder's hidden layers, from the image inwards; at least one.
    latent_dim : int
        L, dimensions of the code.
    activation : str
        "elu", "relu", "gelu", "silu", "tanh", "leaky_relu" or "softplus".
    dropout : float
        Probability that a hidden unit is dropped in training, 0 <= dropout < 1.
    generator : torch.Generator, optional
        Source of the initial weights, on the CPU; the global one if left out.

    Attributes
    ----------
    config : dict
        The arguments, but for ``generator``, as JSON knows them: ``DenseVAE(**config)`` builds the same architecture.

    Raises
    ------
    ValueError
        If an argument is not allowed; the message names it, its value and what is allowed.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden_sizes: Sequence[int] = (500, 500),
        latent_dim: int = 2,
        *,
        activation: str = "elu",
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        image_shape = checked_image_shape(image_shape)
        hidden_sizes = checked_sizes("hidden_sizes", hidden_sizes)
        latent_dim = checked_size("latent_dim", latent_dim)

        def hidden(sizes: Sequence[int]) -> list[nn.Module]:
            return [
                module
                for fan_in, fan_out in pairwise(sizes)
                for module in (nn.Linear(fan_in, fan_out), *nonlinearity(activation, dropout))
            ]

        pixels = math.prod(image_shape)
        inwards, outwards = (pixels, *hidden_sizes), (latent_dim, *reversed(hidden_sizes))
        encoder = nn.Sequential(nn.Flatten(), *hidden(inwards), nn.Linear(inwards[-1], 2 * latent_dim))
        decoder = nn.Sequential(*hidden(outwards), nn.Linear(outwards[-1], pixels), nn.Unflatten(1, image_shape))

        super().__init__(encoder, decoder, latent_dim)
        he_normal_(self, generator)
        self.config: dict[str, Any] = {
            "image_shape": list(image_shape),
            "hidden_sizes": list(hidden_sizes),
            "latent_dim": latent_dim,
            "activation": activation,
            "dropout": dropout,
        }

    def describe(self) -> str:
        """Name the model in one short line, e.g. ``"dense 500-500-2"``."""
        return "dense " + "-".join(map(str, (*self.config["hidden_sizes"], self.latent_dim)))
