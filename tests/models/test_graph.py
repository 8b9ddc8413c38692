import copy
import gc
import weakref

import pytest
import torch
from torch import nn

from vaeviz.models import VAE, ConvVAE, DenseVAE, Layer, model_graph, seed_dropout

SHAPE = (1, 4, 6)


class Residual(nn.Module):
    """A block with a parameter beside those of its parts, and one part that never runs."""

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width)
        self.gain = nn.Parameter(torch.ones(()))
        self.unused = nn.Linear(width, 3)

    def forward(self, x):
        return x + self.gain * self.norm(self.linear(x))


class OddEncoder(nn.Module):
    """Dropout, batch norm, a residual block, one activation used twice, random even in eval mode; gives a pair."""

    def __init__(self, activation):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(24, 8), activation, Residual(8), nn.Dropout(0.5), activation)
        self.heads = nn.ModuleList([nn.Linear(8, 3), nn.Linear(8, 3)])
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        hidden = self.body(x)
        hidden = hidden + torch.randn_like(hidden)
        return self.heads[0](hidden), self.heads[1](hidden)


class Pair(nn.Module):
    def forward(self, x):
        return x, x.sum()


class OddDecoder(nn.Module):
    """A module that gives a tuple inside, and one that is called twice."""

    def __init__(self):
        super().__init__()
        self.pair, self.turn, self.out = Pair(), nn.Linear(3, 3, bias=False), nn.Linear(3, 24)

    def forward(self, z):
        z, _ = self.pair(z)
        return self.out(self.turn(self.turn(z))).view(-1, *SHAPE)


def odd_vae():
    return VAE(OddEncoder(nn.ELU()), OddDecoder(), 3)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_a_dense_vae_is_told_layer_by_layer():
    graph = model_graph(DenseVAE(SHAPE, (8,), 3, dropout=0.25), SHAPE, batch=7)
    assert [scope.name for scope in graph.scopes] == ["encoder", "posterior", "decoder", "objective"]
    assert graph.encoder.layers == (
        Layer("0", "Flatten", "start_dim=1, end_dim=-1", (7, 1, 4, 6), (7, 24)),
        Layer("1", "Linear", "in_features=24, out_features=8, bias=True", (7, 24), (7, 8), 200, 200),
        Layer("2", "ELU", "alpha=1.0, inplace=True", (7, 8), (7, 8)),
        Layer("3", "Dropout", "p=0.25", (7, 8), (7, 8)),
        Layer("4", "Linear", "in_features=8, out_features=6, bias=True", (7, 8), (7, 6), 54, 54),
    )
    assert [(layer.kind, layer.output_shape) for layer in graph.decoder.layers] == [
        ("Linear", (7, 8)),
        ("ELU", (7, 8)),
        ("Dropout", (7, 8)),
        ("Linear", (7, 24)),
        ("Unflatten", (7, 1, 4, 6)),
    ]


@pytest.mark.parametrize("latent_dim", [1, 2, 50])
def test_posterior_and_objective_are_told_as_formulas(latent_dim):
    graph = model_graph(DenseVAE(SHAPE, (8,), latent_dim), SHAPE, batch=2)
    code = (2, latent_dim)
    assert [(layer.name, layer.input_shape, layer.output_shape) for layer in graph.posterior.layers] == [
        ("mu", (2, 2 * latent_dim), code),
        ("logvar", (2, 2 * latent_dim), code),
        ("z", code, code),
    ]
    assert [(layer.name, layer.input_shape, layer.output_shape) for layer in graph.objective.layers] == [
        ("reconstruction", (2, *SHAPE), (2,)),
        ("kl", code, code),
        ("loss", (2,), ()),
    ]
    assert graph.posterior.parameters == graph.objective.parameters == 0


@pytest.mark.parametrize(
    ("vae", "shape"), [(ConvVAE((3, 9, 6), (4, 5), 7), (3, 9, 6)), (DenseVAE(SHAPE, (8, 9)), SHAPE), (odd_vae(), SHAPE)]
)
def test_the_layers_parameters_sum_to_those_of_the_model(vae, shape):
    graph = model_graph(vae, shape)
    assert graph.encoder.parameters == count(vae.encoder)
    assert graph.decoder.parameters == graph.decoder.trainable == count(vae.decoder)
    assert graph.parameters == count(vae)
    for scope in (graph.encoder, graph.decoder):
        assert scope.output_shape == (scope.layers[-1].output_shape if scope.name == "encoder" else (1, *shape))


def test_parts_within_parts_have_a_path_and_own_parameters_a_layer():
    layers = {layer.name: layer for layer in model_graph(odd_vae(), SHAPE, batch=2).encoder.layers}
    kinds = {name: layer.kind for name, layer in layers.items()}
    assert kinds == {
        "body.0": "Flatten",
        "body.1": "Linear",
        "body.2": "ELU",
        "body.3": "Residual",
        "body.3.linear": "Linear",
        "body.3.norm": "BatchNorm1d",
        "body.4": "Dropout",
        "body.5": "ELU",
        "heads.0": "Linear",
        "heads.1": "Linear",
    }
    assert layers["body.3"].parameters == 1 + 27  # the gain, and the part that never runs
    assert layers["heads.1"].output_shape == (2, 3)


def test_a_module_that_runs_twice_is_told_twice_and_counted_once():
    encoder, _, decoder, _ = model_graph(odd_vae(), SHAPE).scopes
    assert [(layer.name, layer.reused) for layer in encoder.layers if layer.kind == "ELU"] == [
        ("body.2", False),
        ("body.5", True),
    ]
    assert [(layer.name, layer.parameters, layer.reused) for layer in decoder.layers] == [
        ("pair", 0, False),
        ("turn", 9, False),
        ("turn", 0, True),
        ("out", 96, False),
    ]
    assert decoder.layers[0].output_shape == (1, 3)


def test_what_encoder_and_decoder_share_counts_once():
    shared = nn.Linear(24, 24)
    vae = VAE(
        nn.Sequential(nn.Flatten(), shared, nn.Linear(24, 4)),
        nn.Sequential(nn.Linear(2, 24), shared, nn.Unflatten(1, SHAPE)),
        2,
    )
    graph = model_graph(vae, SHAPE)
    assert graph.encoder.parameters == 600 + 100
    assert graph.decoder.parameters == 600 + 72
    assert graph.parameters == 600 + 100 + 72


def test_frozen_layers_are_told_from_trained_ones():
    vae = DenseVAE(SHAPE, (8,), 3)
    vae.encoder[1].requires_grad_(False)
    graph = model_graph(vae, SHAPE)
    assert [layer.trainable for layer in graph.encoder.layers if layer.parameters] == [0, 54]
    assert graph.parameters - graph.trainable == 200


def test_parts_that_are_one_module_bear_the_parts_name():
    vae = VAE(nn.Flatten(), nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (1, 2, 2))), 2)
    assert [layer.name for layer in model_graph(vae, (1, 2, 2)).encoder.layers] == ["encoder"]


def test_attention_counts_though_its_inner_projection_never_runs_as_a_module():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.out = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(24, 4)

        def forward(self, x):
            rows = x.squeeze(1)
            return self.out(self.attention(rows, rows, rows)[0].flatten(1))

    vae = VAE(Attention(), nn.Sequential(nn.Linear(2, 24), nn.Unflatten(1, SHAPE)), 2)
    first, _ = model_graph(vae, SHAPE).encoder.layers
    assert (first.kind, first.output_shape) == ("MultiheadAttention", (1, 4, 6))
    assert first.parameters == count(vae.encoder.attention)


def test_a_layer_with_a_weight_norm_is_one_layer():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(24, 4))
    vae = VAE(nn.Sequential(nn.Flatten(), layer), nn.Sequential(nn.Linear(2, 24), nn.Unflatten(1, SHAPE)), 2)
    layers = model_graph(vae, SHAPE).encoder.layers
    assert [(layer.name, layer.parameters) for layer in layers] == [("0", 0), ("1", 24 * 4 + 4 + 4)]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_and_the_random_streams_are_left_as_they_were(training):
    vae = odd_vae().train(training)
    vae.encoder.body[3].norm.train(not training)  # frozen on its own
    vae(torch.rand(5, *SHAPE)).logits.sum().backward()
    state, modes = copy.deepcopy(vae.state_dict()), [module.training for module in vae.modules()]
    gradients = [p.grad if p.grad is None else p.grad.clone() for p in vae.parameters()]
    calls, stream = vae.encoder.calls, torch.get_rng_state()

    model_graph(vae, SHAPE, batch=3)

    assert [module.training for module in vae.modules()] == modes
    assert all(torch.equal(after, state[name]) for name, after in vae.state_dict().items())
    for parameter, gradient in zip(vae.parameters(), gradients, strict=True):
        assert parameter.grad is gradient is None or torch.equal(parameter.grad, gradient)
    assert vae.encoder.calls == calls
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in vae.modules())
    assert torch.equal(torch.get_rng_state(), stream)


def test_the_dropouts_own_generator_is_left_alone():
    vae, generator = DenseVAE(SHAPE, (8,), dropout=0.5), torch.Generator()
    seed_dropout(vae, generator)
    before = generator.get_state()
    model_graph(vae.train(), SHAPE)
    assert torch.equal(generator.get_state(), before)
    assert vae.encoder[3].generator is generator


def test_nothing_of_the_copy_stays_in_memory():
    ran = []

    class Encoder(nn.Linear):
        def forward(self, x):
            ran.append(weakref.ref(self))
            return super().forward(x.flatten(1))

    vae = VAE(Encoder(24, 4), nn.Sequential(nn.Linear(2, 24), nn.Unflatten(1, SHAPE)), 2)
    model_graph(vae, SHAPE)
    gc.collect()
    assert ran
    assert not any(reference() for reference in ran)


def test_models_in_double_precision_and_without_gradients_are_told_too():
    vae = DenseVAE(SHAPE, (8,)).double().requires_grad_(False)
    graph = model_graph(vae, SHAPE)
    assert (graph.parameters, graph.trainable) == (count(vae), 0)


@pytest.mark.parametrize(
    ("encoder", "decoder", "message"),
    [
        (nn.Linear(7, 4), nn.Identity(), r"the encoder can't be run on an input of shape \(1, 1, 4, 6\): .*shapes"),
        (nn.Flatten(), nn.Identity(), r"the encoder gave shape \(1, 24\); expected one tensor of shape \(1, 4\)"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(24, 4)),
            nn.Linear(3, 24),
            r"the decoder can't be run on an input of shape \(1, 2\)",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(24, 4)),
            nn.Sequential(nn.Linear(2, 24), Pair()),
            r"the decoder can't be run on an input of shape \(1, 2\)",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(24, 4)),
            nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (1, 2, 3))),
            r"the decoder gave shape \(1, 1, 2, 3\); expected \(1, 1, 4, 6\)",
        ),
    ],
)
def test_a_part_that_cannot_run_is_told_in_one_sentence(encoder, decoder, message):
    with pytest.raises(ValueError, match=message):
        model_graph(VAE(encoder, decoder, 2), SHAPE)


def test_a_model_that_cannot_be_copied_is_told_in_one_sentence():
    vae = DenseVAE(SHAPE, (8,))
    vae.encoder.lock = (i for i in range(3))  # a generator can't be copied
    with pytest.raises(ValueError, match="the model can't be copied, so its layers can't be shown"):
        model_graph(vae, SHAPE)


def test_a_batch_needs_an_image():
    with pytest.raises(ValueError, match="batch=0: must be a whole number from 1"):
        model_graph(DenseVAE(SHAPE, (8,)), SHAPE, batch=0)


@pytest.mark.gpu
def test_a_model_on_the_gpu_stays_there():
    vae = DenseVAE(SHAPE, (8,)).cuda()
    stream = torch.cuda.get_rng_state()
    assert model_graph(vae, SHAPE).parameters == count(vae)
    assert all(parameter.is_cuda for parameter in vae.parameters())
    assert torch.equal(torch.cuda.get_rng_state(), stream)
