"""What training says as it goes: progress, metrics and snapshots."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from vaeviz.latent import Embedding, embed
from vaeviz.models import VAE

Split = Literal["train", "validation", "test"]
Status = Literal["ready", "running", "paused", "finished", "stopped", "failed"]


class Progress(NamedTuple):
    """One optimizer step is done: its number, and the examples seen so far."""

    step: int
    epoch: float
    examples: int


class Metrics(NamedTuple):
    """One row of the training's log, in nats per example.

    Train rows are means over the examples since the row before; validation rows are means over the whole split,
    with one posterior sample an example, the same noise each time.
    """

    step: int
    epoch: float
    split: Split
    loss: float
    reconstruction: float
    kl: float
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Snapshot:
    """The model as it was at one step, and where it puts the embedded examples.

    Frozen and read-only. `vae`, `mu` and `logvar` are made when first asked for, on the asker's time: a training
    that nobody watches pays for a copy of its weights and nothing else.

    Parameters
    ----------
    step, epoch
        When it was taken.
    ids : ndarray (N,)
        Which examples of the dataset are embedded; the same, in the same order, in every snapshot of a run.
    weights : mapping of str to Tensor
        The model's state dict, copied to the CPU.
    make : callable
        Makes a model of such weights: detached, on the CPU and in eval mode, which nobody trains.
    images : Tensor (N, C, H, W)
        The embedded examples, shared by all snapshots of a run.
    """

    step: int
    epoch: float
    ids: Int[np.ndarray, " N"]
    weights: Mapping[str, Tensor]
    make: Callable[[Mapping[str, Tensor]], VAE]
    images: Shaped[Tensor, "N C H W"]

    @cached_property
    def vae(self) -> VAE:
        """The model: a detached CPU copy in eval mode, which nobody trains."""
        return self.make(self.weights)

    @cached_property
    def embedding(self) -> Embedding:
        """Posterior means and log variances of the embedded examples."""
        return embed(self.vae, self.images)

    @property
    def mu(self) -> Float[np.ndarray, "N L"]:
        """Posterior means."""
        return self.embedding.mu

    @property
    def logvar(self) -> Float[np.ndarray, "N L"]:
        """Logarithms of the posterior variances."""
        return self.embedding.logvar


def when(step: int, epoch: float, digits: int = 1) -> str:
    """Return "step 1,234 · epoch 2.6" in words; without the epoch where a loop of somebody else's does not tell it."""
    return f"step {step:,}" + ("" if math.isnan(epoch) else f" · epoch {epoch:.{digits}f}")


def kept_steps() -> Iterator[int]:
    """Yield the steps whose snapshots are kept forever: round(2^(k/2)) for k = 0, 1, 2, …, each once."""
    last = 0
    k = 0
    while True:
        step = round(2 ** (k / 2))
        if step > last:
            yield step
            last = step
        k += 1
