"""The gradient that is written out is autograd's, and it is taken only where it is."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.training.small import config, equal, of_type, small_model, watched, weights
from vaeviz.data import Dataset
from vaeviz.models import VAE, ConvVAE, DenseVAE
from vaeviz.models.layers import ACTIVATIONS
from vaeviz.training import Metrics, Progress, TrainConfig, train
from vaeviz.training.device import computes_bf16
from vaeviz.training.loop import Trainer
from vaeviz.training.written import WrittenGradient

SHAPE = (2, 3, 4)
NEEDS_BF16 = pytest.mark.skipif(not computes_bf16(torch.device("cpu")), reason="the CPU has no bf16")


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def some(count: int = 9) -> Tensor:
    return torch.rand(count, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_autograd(model: VAE, x: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    model.zero_grad()
    output = model.elbo(x, beta, draws())
    output.loss.backward()
    sums = torch.stack((output.loss * len(x), output.reconstruction.sum(), output.kl.sum()))
    return torch.cat([p.grad.flatten() for p in model.parameters()]), sums.detach()


def assert_agrees(model: VAE, x: Tensor, beta: float) -> None:
    gradient, sums = WrittenGradient(model)(x, beta, draws())
    assert torch.equal(gradient, torch.cat([p.grad.flatten() for p in model.parameters()]))
    expected, expected_sums = by_autograd(model, x, beta)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(sums, expected_sums, rtol=1e-9, atol=1e-12)


def with_activation(make: Callable[[], nn.Module]) -> VAE:
    """A model of two Sequentials of one's own."""
    return VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(24, 7), make(), nn.Linear(7, 5), make(), nn.Linear(5, 6)),
        nn.Sequential(nn.Linear(3, 24), nn.Unflatten(1, SHAPE)),
        3,
    ).double()


@pytest.mark.parametrize("beta", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_is_autograds(activation: str, beta: float) -> None:
    torch.manual_seed(0)
    assert_agrees(DenseVAE(SHAPE, (11, 7), 3, activation=activation).double(), some(), beta)


@pytest.mark.parametrize(
    "make",
    [
        nn.ELU, lambda: nn.ELU(1.7), lambda: nn.ELU(0.5, inplace=True), nn.ReLU, lambda: nn.LeakyReLU(-0.5),
        lambda: nn.LeakyReLU(0.2, inplace=True), lambda: nn.GELU(approximate="tanh"), lambda: nn.Softplus(2.0, 1.0),
    ],
)  # fmt: skip
def test_is_autograds_whatever_the_activation_is_told(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    assert_agrees(with_activation(make), some(), 1.0)


@pytest.mark.parametrize("count", [1, 2, 50])
def test_is_autograds_for_batches_of_any_size(count: int) -> None:
    torch.manual_seed(0)
    assert_agrees(DenseVAE(SHAPE, (5,), 1).double(), some(count), 1.0)


def test_batches_of_different_sizes_follow_each_other() -> None:
    torch.manual_seed(0)
    model = DenseVAE(SHAPE, (5,), 2).double()
    written = WrittenGradient(model)
    for count in (7, 3, 7):
        gradient = written(some(count), 1.0, draws())[0].clone()
        torch.testing.assert_close(gradient, by_autograd(model, some(count), 1.0)[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_nats_are_those_of_the_objective_however_large_the_logits(scale: float) -> None:
    torch.manual_seed(0)
    model = DenseVAE(SHAPE, (11,), 3)
    with torch.no_grad():
        model.decoder[-2].weight.mul_(scale)
    x = some(500).float().round()
    _, sums = WrittenGradient(model)(x, 1.0, draws())
    torch.testing.assert_close(sums, by_autograd(model, x, 1.0)[1], rtol=1e-6, atol=0)


@NEEDS_BF16
def test_in_bf16_it_is_autograds_to_its_digits() -> None:
    torch.manual_seed(0)
    model, x = DenseVAE(SHAPE, (64, 32), 3), some(200).float()
    exact, exact_sums = by_autograd(model, x, 1.0)
    gradient, sums = WrittenGradient(model, "bf16")(x, 1.0, draws())
    assert gradient.dtype == sums.dtype == torch.float32
    error = (gradient - exact).norm() / exact.norm()
    assert 1e-4 < error < 2e-2  # bf16 has 8 bits
    torch.testing.assert_close(sums, exact_sums, rtol=1e-2, atol=0)
    assert torch.equal(gradient, torch.cat([p.grad.flatten() for p in model.parameters()]))


# What is written out


def tied() -> VAE:
    model = with_activation(nn.Tanh)
    model.encoder[3] = nn.Linear(7, 7)
    model.encoder.insert(4, nn.Tanh())
    model.encoder.insert(5, model.encoder[3])
    return model


def hooked_in_the_midst() -> VAE:
    model = with_activation(nn.Tanh)
    model.encoder[2].register_forward_pre_hook(lambda module, given: None)
    return model


class MyLinear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


def with_encoder(*layers: nn.Module) -> VAE:
    return VAE(nn.Sequential(*layers), with_activation(nn.Tanh).decoder, 3).double()


class Mine(DenseVAE):
    pass


LEFT_TO_AUTOGRAD: dict[str, Callable[[], VAE]] = {
    "dropout": lambda: DenseVAE(SHAPE, (5,), 2, dropout=0.1),
    "convolutions": lambda: ConvVAE((1, 8, 8), channels=(4,), hidden_size=8),
    "a class of one's own": lambda: Mine(SHAPE, (5,), 2),
    "a layer of one's own": lambda: with_encoder(nn.Flatten(), MyLinear(24, 6)),
    "a hook": hooked_in_the_midst,
    "a layer that stands in two places": tied,
    "no bias": lambda: with_encoder(nn.Flatten(), nn.Linear(24, 6, bias=False)),
    "a norm": lambda: with_encoder(nn.Flatten(), nn.Linear(24, 6), nn.BatchNorm1d(6), nn.Linear(6, 6)),
    "an activation at the end": lambda: with_encoder(nn.Flatten(), nn.Linear(24, 6), nn.Tanh()),
    "another activation": lambda: with_encoder(nn.Flatten(), nn.Linear(24, 6), nn.Hardtanh(), nn.Linear(6, 6)),
    "nothing flattened": lambda: with_encoder(nn.Linear(4, 2), nn.Flatten()),
    "something else flattened": lambda: with_encoder(nn.Flatten(2), nn.Linear(12, 3)),
    "forgotten inputs": lambda: with_activation(lambda: nn.SiLU(inplace=True)),
    "no layers": lambda: VAE(nn.Sequential(), nn.Sequential(), 3),
}


@pytest.mark.parametrize("which", LEFT_TO_AUTOGRAD)
def test_anything_else_is_left_to_autograd(which: str) -> None:
    model = LEFT_TO_AUTOGRAD[which]()
    assert WrittenGradient.of(model, "float32") is None
    with pytest.raises(ValueError, match=r"^the gradient of .+ is not written out: leave it to autograd$"):
        WrittenGradient(model)


def test_it_does_not_hold_while_something_is_frozen_or_hooked() -> None:
    model = with_activation(nn.Tanh)
    written = WrittenGradient(model)
    assert written.holds
    weight = model.decoder[0].weight
    weight.requires_grad_(False)
    assert not written.holds
    weight.requires_grad_(True)
    for register in (
        lambda: weight.register_hook(lambda gradient: None),
        lambda: weight.register_post_accumulate_grad_hook(lambda parameter: None),
        lambda: model.register_forward_hook(lambda module, given, output: None),
        lambda: model.encoder[3].register_full_backward_hook(lambda module, given, output: None),
    ):
        handle = register()
        assert not written.holds
        handle.remove()
        assert written.holds


# Training with it


CASES = [
    {},
    {"schedule": "one-cycle", "learning_rate": 3e-3},
    {"clip": None, "l2": 1e-2, "beta": 2.0},
    {"clip": 0.01},
]


def assert_learn_alike(
    data: Dataset, one: tuple[VAE, TrainConfig], other: tuple[VAE, TrainConfig], near: float, weights_near: float
) -> None:
    ours, theirs = (of_type(Metrics, list(train(model, data, told))) for model, told in (one, other))
    for row, expected in zip(ours, theirs, strict=True):
        assert row[:3] == expected[:3]
        assert all(math.isclose(a, b, rel_tol=near) for a, b in zip(row[3:6], expected[3:6], strict=True))
    expected_weights = weights(other[0])
    for name, weight in weights(one[0]).items():
        torch.testing.assert_close(weight, expected_weights[name], rtol=0, atol=weights_near)
    assert not equal(weights(one[0]), expected_weights)  # other roundings: they did not learn in one way


@pytest.mark.parametrize("changes", CASES, ids=str)
def test_a_training_learns_with_it_what_it_learns_without(data: Dataset, changes: dict[str, object]) -> None:
    told = config(epochs=5, log_every=1, **changes)
    assert_learn_alike(data, (small_model(data), told), (watched(small_model(data)), told), 1e-5, 1e-4)


@NEEDS_BF16
def test_a_training_in_bf16_learns_what_one_in_float32_does(data: Dataset) -> None:
    single, half = (config(epochs=5, log_every=1, precision=precision) for precision in ("float32", "bf16"))
    assert_learn_alike(data, (small_model(data), half), (small_model(data), single), 2e-2, 2e-2)


def test_a_hook_that_comes_in_the_midst_of_a_training_is_called_from_then_on(data: Dataset) -> None:
    model, calls = small_model(data), 0

    def count(module: nn.Module, given: object, output: object) -> None:
        nonlocal calls
        calls += module.training

    events = train(model, data, config(epochs=100))
    steps = (event.step for event in events if isinstance(event, Progress))
    while next(steps) < 3:
        pass
    handle = model.decoder[0].register_forward_hook(count)
    while next(steps) < 8:
        pass
    handle.remove()
    while next(steps) < 12:
        pass
    assert calls == 5


def test_a_weight_that_is_frozen_in_the_midst_of_a_training_stays(data: Dataset) -> None:
    model = small_model(data)
    events = train(model, data, TrainConfig(device="cpu", batch_size=16, steps=8))
    steps = (event.step for event in events if isinstance(event, Progress))
    while next(steps) < 3:
        pass
    frozen, other = model.decoder[0].weight, model.decoder[0].bias
    frozen.requires_grad_(False)
    before, other_before = frozen.clone(), other.detach().clone()
    for _ in steps:
        pass
    assert torch.equal(frozen, before)
    assert not torch.equal(other, other_before)


@pytest.mark.parametrize(("dropout", "written"), [(0.0, True), (0.1, False)])
def test_a_trainer_takes_it_where_it_can(data: Dataset, dropout: float, written: bool) -> None:
    trainer = Trainer(small_model(data, dropout=dropout), data, config())
    assert (trainer._written is not None) == written
