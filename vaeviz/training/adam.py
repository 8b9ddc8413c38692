"""Adam on a CPU: torch's own arithmetic, with less of Python around it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

FAINT_EVERY = 128
"""Faint moments are dropped after so many steps; without a gradient a mean falls to a millionth in them."""

FAINT_MEAN, FAINT_SQUARE = 1e8, 1e4
"""What is faint, in smallest normal numbers: in float32 10^-30 and 10^-34, which beside eps = 10^-8 move no weight."""


class CPUAdam(torch.optim.Adam):
    """torch's fused Adam, its weights to the bit, that goes straight to its kernel once all parameters have moments.

    Looking after groups, options and hooks anew at each step takes `torch.optim.Adam` a tenth of a millisecond, and
    three times that where the step's matrices have driven Python out of the caches.

    The mean of a weight that has no gradient, behind a ReLU that never opens or a pixel that is almost never lit, falls
    by a tenth at each step, until it is denormal some 800 steps later, and stays so: a CPU takes a hundred times as
    long for such numbers. They are made 0 before.

    Parameters
    ----------
    groups : list of dict
        Groups of parameters, on the CPU, with their options.
    lr : float
        The step size.

    References
    ----------
    Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1 (arXiv:1412.6980).
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, lr=lr, fused=True)
        self._steps = 0
        self._moments: list[_Moments] = []  # of each group, once they are there

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from these moments."""
        super().load_state_dict(state_dict)
        self._steps = max((int(state["step"]) for state in self.state.values()), default=0)
        self._moments = []

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Do one step along the gradients that are there."""
        if closure is None:
            self.follow()
            return None
        loss: float = super().step(closure)
        self._drop_faint()
        return loss

    @torch.no_grad()
    def follow(self) -> None:
        """Do one step, and nothing else: no hook of the optimizer's is called."""
        moments = self._moments = self._moments or self._found()
        gradients = [[p.grad for p in each.parameters if p.grad is not None] for each in moments]
        if not moments or any(len(g) < len(each.parameters) for g, each in zip(gradients, moments, strict=True)):
            super().step()
            self._drop_faint()
            return
        for group, each, its_gradients in zip(self.param_groups, moments, gradients, strict=True):
            beta1, beta2 = group["betas"]
            each.step.add_(1)
            torch._fused_adam_(
                each.parameters, its_gradients, each.means, each.squares, [], each.steps,
                lr=group["lr"], beta1=beta1, beta2=beta2, weight_decay=group["weight_decay"], eps=group["eps"],
                amsgrad=False, maximize=False,
            )  # fmt: skip
        self._drop_faint()

    @torch.no_grad()
    def _drop_faint(self) -> None:
        """Count a step; every so many, make those moments 0 that would soon be denormal."""
        self._steps += 1
        if self._steps % FAINT_EVERY:
            return
        for state in self.state.values():
            mean, square = state["exp_avg"], state["exp_avg_sq"]
            smallest = torch.finfo(mean.dtype).tiny
            torch.ops.aten.hardshrink.out(mean, FAINT_MEAN * smallest, out=mean)
            torch.threshold_(square, FAINT_SQUARE * smallest, 0.0)

    def _found(self) -> "list[_Moments]":
        """Return the moments of all groups, or none while a parameter has not had any gradient yet."""
        if not all(self.state.get(p) for group in self.param_groups for p in group["params"]):
            return []
        return [_Moments.of([self.state[p] for p in group["params"]], group["params"]) for group in self.param_groups]


class _Moments(NamedTuple):
    """The moments of a group; the steps are views of one tensor, to be counted in one go."""

    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]
    step: Tensor

    @classmethod
    def of(cls, states: list[dict[str, Tensor]], parameters: list[Tensor]) -> "_Moments":
        """Return the moments that an optimizer's state has, and let it have those steps."""
        step = torch.stack([state["step"] for state in states])
        for state, view in zip(states, step.unbind(), strict=True):
            state["step"] = view
        means, squares, steps = ([state[key] for state in states] for key in ("exp_avg", "exp_avg_sq", "step"))
        return cls(parameters, means, squares, steps, step)
