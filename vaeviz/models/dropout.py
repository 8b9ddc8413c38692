"""Dropout that draws from its own generator, so that several trainings in one process stay reproducible."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Dropout(nn.Module):
    """Inverted dropout: in training zero each value with probability p and scale the rest by 1 / (1 - p).

    A copy (``copy.deepcopy``, pickle) has no generator of its own: two modules never share a random stream by accident.

    Parameters
    ----------
    p : float
        Probability that a value is dropped, 0 <= p < 1.
    generator : torch.Generator, optional
        Source of the masks, on the device of the input; the global one if left out.

    Raises
    ------
    ValueError
        If p is outside [0, 1).

    References
    ----------
    Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", section 10.
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p={p}: must be at least 0 and below 1")
        self.p = p
        self.generator = generator

    def forward(self, x: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
        """Drop values in training; in eval mode, or with p = 0, return the input itself."""
        if not self.training or self.p == 0:
            return x
        keep = 1 - self.p
        return x * torch.empty_like(x).bernoulli_(keep, generator=self.generator).div_(keep)

    def extra_repr(self) -> str:
        """Show p in the module's repr."""
        return f"p={self.p}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "generator": None}


def seed_dropout(model: nn.Module, generator: torch.Generator | None) -> None:
    """Let every `Dropout` inside a model draw from this generator (None: from the global one)."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.generator = generator
