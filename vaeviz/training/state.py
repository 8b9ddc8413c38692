"""All that a training needs to go on from between two steps as if nothing had happened."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from vaeviz.models import VAE
from vaeviz.training.evaluation import finite_weights

WEIGHTS = "model."
MOMENTS = "adam."
ADAM = ("step", "exp_avg", "exp_avg_sq")
SHUFFLER, SAMPLER, SUMS = "shuffler", "sampler", "sums"


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainState:
    """The state of a training after a step.

    What follows from the step alone (epoch, place in the epoch, learning rate, next kept step) is not in it.
    """

    step: int
    """Optimizer steps done; at 0, the only tensors are the weights."""

    examples: int = 0
    """Examples seen."""

    since: int = 0
    """Of these, since the last row of training metrics."""

    seconds: float = 0.0
    """Time spent."""

    device: str = "cpu"
    """Kind of device on which it ran: random streams go on only on the same kind."""

    tensors: Mapping[str, Tensor]
    """On the CPU: ``model.NAME``, ``adam.KEY.NAME``, ``shuffler`` (as the epoch began), ``sampler``, ``sums``."""

    @classmethod
    def untrained(cls, model: VAE) -> "TrainState":
        """Return the state before the first step."""
        return cls(step=0, tensors=weight_tensors(model, 0))

    @property
    def weights(self) -> dict[str, Tensor]:
        """The model's state dict."""
        return {name.removeprefix(WEIGHTS): value for name, value in self.tensors.items() if name.startswith(WEIGHTS)}


def weight_tensors(model: VAE, step: int) -> dict[str, Tensor]:
    """Return a copy of the model's weights under the names that they have in a state."""
    return {f"{WEIGHTS}{name}": value for name, value in finite_weights(model, step).items()}
