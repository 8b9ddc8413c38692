"""What the tests of training share: small data, small models, and faults put into them on purpose."""

import threading
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vaeviz.data import Dataset
from vaeviz.models import VAE, DenseVAE
from vaeviz.training import TrainConfig, train

FOREVER = 10**9
"""More steps than any test waits for."""


def noise(train: int = 50, validation: int = 20, test: int = 5) -> Dataset:
    """Random black and white images of 4 × 5 pixels."""
    pixels = torch.rand(train + validation + test, 1, 4, 5, generator=torch.Generator().manual_seed(0)).round()
    return Dataset.from_arrays(pixels.numpy(), name="noise", validation=validation, test=test)


def small_model(data: Dataset, *, seed: int = 0, hidden: int = 16, dropout: float = 0.0) -> DenseVAE:
    return DenseVAE(
        data.image_shape,
        (hidden,),
        2,
        dropout=dropout,
        generator=torch.Generator().manual_seed(seed),
        activation="tanh",
    )


def config(**changes: object) -> TrainConfig:
    return TrainConfig(**{"device": "cpu", "batch_size": 16, "epochs": 2, **changes})


def trained(data: Dataset, *, dropout: float = 0.0, **changes: object) -> tuple[DenseVAE, list]:
    """Train a fresh small model; return it and all that the training yielded."""
    model = small_model(data, dropout=dropout)
    return model, list(train(model, data, config(**changes)))


class Counting(nn.Module):
    """A layer of somebody's own, whose Python does something at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        return x


def with_layer(data: Dataset, layer: nn.Module) -> VAE:
    whole = small_model(data)
    return VAE(nn.Sequential(whole.encoder, layer), whole.decoder, whole.latent_dim)


def batch_norms(data: Dataset, momentum: float | None) -> VAE:
    whole = small_model(data)
    return VAE(nn.Sequential(whole.encoder, nn.BatchNorm1d(4, momentum=momentum)), whole.decoder, 2)


def of_type(kind: type, events: list) -> list:
    return [event for event in events if isinstance(event, kind)]


def weights(model: VAE) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(some: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    """Whether two state dicts are equal to the bit."""
    return some.keys() == others.keys() and all(torch.equal(value, others[name]) for name, value in some.items())


def in_step(part: nn.Module, step: int, act: Callable[[Tensor], Tensor | None], *, later: bool = False) -> None:
    """Let `act` see, and perhaps replace, the output of a part of a model in that training step (and all later ones).

    A hook, since it survives the deep copies that snapshots are; those are in eval mode and so left alone.
    """
    calls = 0

    def hook(module: nn.Module, _: object, output: Tensor) -> Tensor | None:
        nonlocal calls
        if not module.training:
            return None
        calls += 1
        return act(output) if calls == step or (later and calls > step) else None

    part.register_forward_hook(hook)


def watched(model: VAE) -> VAE:
    """Give a model a hook that does nothing: it is trained as one that a `Gate` holds, equal to the bit."""
    model.register_forward_hook(lambda module, given, output: None)
    return model


def raising(error: BaseException) -> Callable[[object], None]:
    def act(_: object) -> None:
        raise error

    return act


class Gate:
    """Holds a training in its n-th step until opened."""

    def __init__(self, model: VAE, step: int) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        in_step(model.decoder, step, self._hold)

    def _hold(self, _: Tensor) -> None:
        self.reached.set()
        assert self.opened.wait(30), "nobody opened the gate"


def vaeviz_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("vaeviz-")]
