import json
import math

import pytest
import torch
from torch import nn

from vaeviz.models import DenseVAE, Dropout


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 8, 8), (1, 5, 9), (3, 7, 1)])
@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_images_come_back_in_their_shape(image_shape, latent_dim):
    vae = DenseVAE(image_shape, (16, 8), latent_dim)
    output = vae(torch.rand(4, *image_shape))
    assert output.logits.shape == (4, *image_shape)
    assert output.z.shape == output.posterior.mu.shape == output.posterior.logvar.shape == (4, latent_dim)


def test_the_decoder_mirrors_the_encoder():
    vae = DenseVAE((1, 28, 28), (500, 300), 2)

    def widths(part):
        return [(layer.in_features, layer.out_features) for layer in part if isinstance(layer, nn.Linear)]

    assert widths(vae.encoder) == [(784, 500), (500, 300), (300, 4)]
    assert widths(vae.decoder) == [(2, 300), (300, 500), (500, 784)]


def test_weights_are_he_normal_and_biases_zero():
    vae = DenseVAE((1, 28, 28), (500, 400), 50, generator=torch.Generator().manual_seed(0))
    layers = [layer for layer in vae.modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == 6
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / layer.in_features), rel=0.03)
        assert layer.bias.eq(0).all()


def test_the_generator_reproduces_the_weights():
    first, again, other = (
        DenseVAE((1, 4, 4), (8,), generator=torch.Generator().manual_seed(seed)).encoder[1].weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_config_survives_json_and_builds_the_same_architecture():
    vae = DenseVAE((1, 4, 6), (8, 7), 3, activation="tanh", dropout=0.25)
    twin = DenseVAE(**json.loads(json.dumps(vae.config)))
    twin.load_state_dict(vae.state_dict())
    assert twin.config == vae.config
    assert repr(twin) == repr(vae)


@pytest.mark.parametrize("activation", ["elu", "relu", "gelu", "silu", "tanh", "leaky_relu", "softplus"])
def test_every_activation_trains(activation):
    vae = DenseVAE((1, 4, 4), (8,), activation=activation)
    assert vae.elbo(torch.rand(3, 1, 4, 4)).loss.isfinite()


def test_dropout_follows_every_hidden_layer():
    dropouts = [part for part in DenseVAE((1, 4, 4), (8, 8), dropout=0.1).modules() if isinstance(part, Dropout)]
    assert [part.p for part in dropouts] == [0.1] * 4


def test_without_dropout_there_is_no_such_layer():
    assert not any(isinstance(part, Dropout) for part in DenseVAE((1, 4, 4), (8,)).modules())


def test_describe_names_the_sizes():
    assert DenseVAE((1, 28, 28)).describe() == "dense 500-500-2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_sizes": ()}, r"hidden_sizes=\(\): needs at least one size"),
        ({"hidden_sizes": (500, 0)}, r"hidden_sizes=\(500, 0\): every size must be a whole number from 1 to 16384"),
        ({"hidden_sizes": (16385,)}, r"hidden_sizes=\(16385,\): every size"),
        ({"latent_dim": 0}, "latent_dim=0: must be a whole number from 1 to 16384"),
        ({"image_shape": (28, 28)}, r"image_shape=\(28, 28\): must be three sizes"),
        ({"image_shape": (1, 28, -1)}, r"image_shape=\(1, 28, -1\): every size"),
        ({"activation": "swish"}, "activation='swish': must be one of elu, relu,"),
        ({"dropout": 1.0}, "dropout=1.0: must be at least 0 and below 1"),
    ],
)
def test_what_is_not_allowed_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DenseVAE(**{"image_shape": (1, 28, 28), **arguments})
