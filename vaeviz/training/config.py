"""What a training is told: one frozen record, each default written once."""

import math
import sys
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Schedule = Literal["constant", "one-cycle"]
Precision = Literal["float32", "bf16"]
CudaGraphs = Literal["auto", "on", "off"]
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train; bad values are refused when it is made.

    Raises
    ------
    ValueError
        If a value is not allowed; the message names the field, the value and what is allowed.
    """

    epochs: int = 20
    """Passes over the training split."""

    steps: int | None = None
    """Optimizer steps; when given, it takes the place of `epochs`."""

    batch_size: int = 128
    """Examples a step; the last batch of an epoch may be smaller."""

    learning_rate: float = 1e-3
    """Adam's step size; with the one-cycle schedule, its peak."""

    schedule: Schedule = "constant"
    """Learning rate over the steps: constant, or one cycle up and down (Smith & Topin 2018, arXiv:1708.07120)."""

    beta: float = 1.0
    """Weight of the KL term (Higgins et al. 2017); 1 is the ELBO itself."""

    l2: float = 0.0
    """L2 penalty, l2/2 · ‖W‖², on weights (not on biases); its gradient is added by Adam."""

    clip: float | None = 5.0
    """Every element of the gradient is clipped to [-clip, clip]; None for no clipping."""

    precision: Precision = "float32"
    """Arithmetic of the network's matrix products; the objective is always float32."""

    seed: int = 0
    """Fixes shuffling, posterior samples and dropout: two CPU runs with one seed are equal to the bit."""

    device: str = "auto"
    """A torch device, or "auto": CUDA if there, else MPS, else CPU."""

    cuda_graphs: CudaGraphs = "auto"
    """On a GPU, record a step once and replay it: "auto" with layers of torch's and vaeviz's own, "on" with any."""

    log_every: int = 10
    """Steps between two rows of training metrics."""

    embedded: int = 5000
    """At most so many examples are embedded in a snapshot: an equal share of each split (validation, train, test)."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "log_every", "embedded"):
            _whole(name, getattr(self, name), lowest=1)
        if self.steps is not None:
            _whole("steps", self.steps, lowest=1)
        _whole("seed", self.seed, lowest=0, highest=LARGEST_SEED)
        _real("learning_rate", self.learning_rate, "a number above 0, at most 10", lambda v: 0 < v <= 10)
        _real("beta", self.beta, "a number of at least 0", lambda v: v >= 0)
        _real("l2", self.l2, "a number of at least 0", lambda v: v >= 0)
        if self.clip is not None:
            _real("clip", self.clip, "a number above 0, or None", lambda v: v > 0)
        for name, allowed in (
            ("schedule", get_args(Schedule)),
            ("precision", get_args(Precision)),
            ("cuda_graphs", get_args(CudaGraphs)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: must be one of {', '.join(map(repr, allowed))}")
        if not isinstance(self.device, str) or not self.device:
            raise ValueError(f"device={self.device!r}: must be 'auto' or the name of a torch device, such as 'cpu'")

    def total_steps(self, examples: int) -> int:
        """Return the number of optimizer steps over a training split of so many examples."""
        return self.steps if self.steps is not None else self.epochs * math.ceil(examples / self.batch_size)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _whole(name: str, value: Any, *, lowest: int, highest: int | None = None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and lowest <= value and (highest is None or value <= highest)):
        allowed = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        raise ValueError(f"{name}={value!r}: must be a whole number {allowed}")


def _real(name: str, value: Any, allowed: str, ok: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and abs(value) <= sys.float_info.max and ok(value)):
        raise ValueError(f"{name}={value!r}: must be {allowed}")
