"""A model is plain if its step does nothing but arithmetic that is known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.training.small import Counting, batch_norms, small_model, with_layer
from vaeviz.data import Dataset
from vaeviz.models import VAE, ConvVAE
from vaeviz.training.plain import is_plain


def hooked(data: Dataset) -> VAE:
    model = small_model(data)
    model.decoder.register_forward_hook(lambda module, given, output: None)
    return model


def hooked_at_a_weight(data: Dataset) -> VAE:
    model = small_model(data)
    next(model.parameters()).register_hook(lambda gradient: None)
    return model


def hooked_behind_a_weight(data: Dataset) -> VAE:
    model = small_model(data)
    next(model.parameters()).register_post_accumulate_grad_hook(lambda parameter: None)
    return model


def patched(data: Dataset) -> VAE:
    model = small_model(data)
    before = model.decoder.forward
    model.decoder.forward = lambda z: before(z)
    return model


def with_an_elbo_of_its_own(data: Dataset) -> VAE:
    model = small_model(data)
    model.elbo = lambda x, beta=1.0, generator=None: VAE.elbo(model, x, beta, generator)
    return model


class Mine(VAE):
    def elbo(self, x: Tensor, beta: float = 1.0, generator: torch.Generator | None = None):
        return super().elbo(x, beta, generator)


def subclass(data: Dataset) -> VAE:
    whole = small_model(data)
    return Mine(whole.encoder, whole.decoder, 2)


PLAIN: list[Callable[[Dataset], VAE]] = [
    small_model,
    lambda data: small_model(data, dropout=0.3),
    lambda data: ConvVAE((1, 8, 8), channels=(4,), hidden_size=8),
    lambda data: batch_norms(data, 0.1),
]
NOT_PLAIN: list[Callable[[Dataset], VAE]] = [
    lambda data: with_layer(data, Counting()),
    lambda data: batch_norms(data, None),
    hooked,
    hooked_at_a_weight,
    hooked_behind_a_weight,
    patched,
    with_an_elbo_of_its_own,
    subclass,
]


@pytest.mark.parametrize("make", PLAIN)
def test_layers_of_torch_and_of_vaeviz_are_plain(data, make):
    assert is_plain(make(data))


@pytest.mark.parametrize("make", NOT_PLAIN)
def test_what_may_do_more_than_arithmetic_is_not_plain(data, make):
    assert not is_plain(make(data))
