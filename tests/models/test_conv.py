import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vaeviz.models import ConvVAE


@settings(max_examples=30, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(4, 33),
    width=st.integers(4, 33),
    levels=st.integers(1, 2),
    latent_dim=st.integers(1, 3),
)
def test_images_of_any_size_come_back_in_their_shape(channels, height, width, levels, latent_dim):
    vae = ConvVAE((channels, height, width), (3, 4)[:levels], 5, latent_dim)
    output = vae(torch.rand(2, channels, height, width))
    assert output.logits.shape == (2, channels, height, width)
    assert output.posterior.mu.shape == (2, latent_dim)


@pytest.mark.parametrize(("side", "levels"), [(4, 2), (5, 3), (8, 3), (9, 4), (32, 5)])
def test_an_image_can_be_halved_down_to_one_pixel_but_not_below(side, levels):
    shape = (1, side, side + 3)
    assert ConvVAE(shape, (2,) * levels, 4)(torch.rand(2, *shape)).logits.shape == (2, *shape)
    with pytest.raises(ValueError, match=rf"{levels + 1} levels are too many .* at most {levels} times"):
        ConvVAE(shape, (2,) * (levels + 1), 4)


def test_weights_are_he_normal_and_biases_zero():
    vae = ConvVAE((3, 16, 16), (32, 64), 256, 16, generator=torch.Generator().manual_seed(0))
    fan_in = [3 * 9, 32 * 9, 64 * 16, 256, 16, 256, 64 * 9 / 4, 32 * 9 / 4]
    layers = [layer for layer in vae.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == len(fan_in)
    for layer, inputs in zip(layers, fan_in, strict=True):
        assert layer.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.06)
        assert layer.bias.eq(0).all()


def test_the_generator_reproduces_the_weights():
    first, again = (ConvVAE((1, 8, 8), (4,), 8, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_config_survives_json_and_builds_the_same_architecture():
    vae = ConvVAE((1, 9, 6), (8, 7), 11, 3, activation="relu", dropout=0.25)
    twin = ConvVAE(**json.loads(json.dumps(vae.config)))
    twin.load_state_dict(vae.state_dict())
    assert twin.config == vae.config
    assert repr(twin) == repr(vae)


def test_every_parameter_is_trained():
    vae = ConvVAE((3, 8, 8), (4, 4), 8, dropout=0.1)
    vae.elbo(torch.rand(4, 3, 8, 8)).loss.backward()
    assert all(parameter.grad is not None for parameter in vae.parameters())


def test_describe_names_the_sizes():
    assert ConvVAE((1, 28, 28)).describe() == "conv 32-64-256-2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": ()}, r"channels=\(\): needs at least one size"),
        ({"channels": (32, -1)}, r"channels=\(32, -1\): every size must be a whole number from 1 to 16384"),
        ({"hidden_size": 0}, "hidden_size=0: must be a whole number from 1 to 16384"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"activation": "step"}, "activation='step': must be one of"),
        ({"dropout": -0.5}, "dropout=-0.5"),
        ({"image_shape": (1, 28, 2)}, "levels are too many for images of 28 x 2 pixels"),
    ],
)
def test_what_is_not_allowed_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvVAE(**{"image_shape": (1, 28, 28), **arguments})
