import copy
import functools
from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal

from vaeviz.models import DenseVAE, Posterior, adapt
from vaeviz.models.foreign import NO_SPREAD

SHAPE = (1, 4, 6)
SIZE = 24


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))


class Flat(nn.Module):
    """As in the PyTorch examples: flat images, a pair, probabilities."""

    def __init__(self, latent: int = 3) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.fc1, self.fc21, self.fc22 = nn.Linear(SIZE, 9), nn.Linear(9, latent), nn.Linear(9, latent)
        self.fc3, self.fc4 = nn.Linear(latent, 9), nn.Linear(9, SIZE)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def logits(self, z: Tensor) -> Tensor:
        return self.fc4(F.relu(self.fc3(z)))

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(z))


def test_flat_images_a_pair_and_probabilities_are_found(images: Tensor):
    model = Flat()
    vae, notes = adapt(model.encode, model.decode, images)
    assert notes == []
    assert vae.latent_dim == 3
    assert vae.form.flat
    assert vae.form.output == "probabilities"
    assert vae.describe() == "Flat, 3-D (probabilities)"
    mu, logvar = model.encode(images.flatten(1))
    assert torch.equal(vae.encode(images).mu, mu)
    assert torch.equal(vae.encode(images).logvar, logvar)
    torch.testing.assert_close(vae.decode(mu).sigmoid(), model.decode(mu).view(-1, *SHAPE))


def test_logits_are_recognised_by_their_range_and_can_be_said(images: Tensor):
    model = Flat()
    found, _ = adapt(model.encode, model.logits, images)
    assert found.form.output == "logits"
    said, _ = adapt(model.encode, model.logits, images, "probabilities")
    assert said.form.output == "probabilities"
    z = torch.randn(2, 3)
    torch.testing.assert_close(said.decode(z).sigmoid().flatten(1), model.logits(z).clamp(1e-6, 1 - 1e-6))
    with pytest.raises(ValueError, match="output='tanh'"):
        adapt(model.encode, model.decode, images, "tanh")


@pytest.mark.parametrize(
    ("form", "give"),
    [
        ("Posterior", lambda mu, logvar: Posterior(mu, logvar)),
        ("list", lambda mu, logvar: [mu, logvar]),
        ("Normal", lambda mu, logvar: Normal(mu, (logvar / 2).exp())),
        ("Independent", lambda mu, logvar: Independent(Normal(mu, (logvar / 2).exp()), 1)),
        ("object", lambda mu, logvar: SimpleNamespace(embedding=mu, log_covariance=logvar)),
        ("mapping", lambda mu, logvar: OrderedDict(mean=mu, log_var=logvar)),
        ("latent_dist", lambda mu, logvar: SimpleNamespace(latent_dist=SimpleNamespace(mean=mu, logvar=logvar))),
        ("halves", lambda mu, logvar: torch.cat((mu, logvar), 1)),
    ],
)  # fmt: skip
def test_an_encoder_may_give_its_posterior_in_many_forms(images: Tensor, form: str, give):
    model = Flat()
    vae, _ = adapt(lambda x: give(*model.encode(x)), model.decode, images)
    mu, logvar = model.encode(images.flatten(1))
    torch.testing.assert_close(vae.encode(images).mu, mu)
    torch.testing.assert_close(vae.encode(images).logvar, logvar)


def test_codes_without_a_posterior_are_points(images: Tensor):
    model = Flat()
    vae, _ = adapt(lambda x: model.encode(x)[0], model.decode, images)
    assert vae.form.kind == "code"
    assert (vae.encode(images).logvar == NO_SPREAD).all()


@pytest.mark.parametrize(
    ("give", "output"),
    [
        (lambda logits: Bernoulli(logits=logits), "logits"),
        (lambda logits: SimpleNamespace(logits=logits), "logits"),
        (lambda logits: Normal(logits.sigmoid(), 0.1), "probabilities"),
        (lambda logits: SimpleNamespace(sample=logits.sigmoid()), "probabilities"),
        (lambda logits: {"reconstruction": logits.sigmoid()}, "probabilities"),
    ],
)
def test_a_decoder_may_give_its_pixels_in_many_forms(images: Tensor, give, output: str):
    model = Flat()
    vae, _ = adapt(model.encode, lambda z: give(model.logits(z)), images)
    assert vae.form.output == output
    z = torch.randn(2, 3)
    torch.testing.assert_close(vae.decode(z).flatten(1), model.logits(z), atol=1e-4, rtol=1e-4)


def test_codes_with_a_shape_are_flat_outside(images: Tensor):
    class Maps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Conv2d(1, 4, 2, 2), nn.ConvTranspose2d(2, 1, 2, 2)

        def encode(self, x: Tensor) -> tuple[Tensor, ...]:
            return self.down(x).chunk(2, 1)

    model = Maps()
    vae, _ = adapt(model.encode, model.up, images)
    assert vae.latent_dim == 12
    assert vae.form.code == (2, 2, 3)
    assert vae.decode(vae.encode(images).mu).shape == images.shape


MODEL = Flat()


def by_name(x: Tensor) -> tuple[Tensor, Tensor]:
    return helper(x)


def helper(x: Tensor) -> tuple[Tensor, Tensor]:
    return MODEL.encode(x)


class Holder:
    """No module, but it has one."""

    def __init__(self, model: Flat) -> None:
        self.model = model

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.encode(x)

    __call__ = encode


@pytest.mark.parametrize(
    "encode",
    [
        MODEL.encode,
        lambda x: MODEL.encode(x),
        by_name,
        Holder(MODEL).encode,
        Holder(MODEL),
        functools.partial(lambda model, x: model.encode(x), MODEL),
    ],
)
def test_a_copy_computes_with_copies_of_the_weights_wherever_the_function_has_them_from(images: Tensor, encode):
    decode = MODEL.decode
    vae, _ = adapt(encode, decode, images)
    before = vae.encode(images).mu
    twin = copy.deepcopy(vae)
    weight = MODEL.fc21.weight
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.add_(1)
        assert not torch.allclose(vae.encode(images).mu, before)
        assert torch.equal(twin.encode(images).mu, before)
        assert {id(p) for p in vae.parameters()} == {id(p) for p in MODEL.parameters()}
    finally:
        with torch.no_grad():
            weight.copy_(kept)


def test_a_function_that_names_itself_can_be_copied(images: Tensor):
    model = Flat()

    def encode(x: Tensor, again: bool = True) -> tuple[Tensor, Tensor]:
        return encode(x, again=False) if again else model.encode(x)

    vae, _ = adapt(encode, model.decode, images)
    assert torch.equal(copy.deepcopy(vae).encode(images).mu, model.encode(images.flatten(1))[0])


def test_trying_leaves_mode_gradients_buffers_and_random_stream_as_they_were(images: Tensor):
    class Normed(Flat):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(SIZE)

        def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return super().encode(self.norm(x))

    model = Normed().train()
    model.encode(images.flatten(1))[0].sum().backward()
    gradient, mean = model.fc1.weight.grad.clone(), model.norm.running_mean.clone()
    stream = torch.get_rng_state()
    adapt(model.encode, model.decode, images)
    assert model.training
    assert model.norm.training
    assert torch.equal(model.fc1.weight.grad, gradient)
    assert torch.equal(model.norm.running_mean, mean)
    assert torch.equal(torch.get_rng_state(), stream)


def test_an_encoder_that_draws_is_told_of(images: Tensor):
    model = Flat()
    _, notes = adapt(lambda x: model.encode(x)[0] + torch.randn(len(x), 3), model.decode, images)
    assert len(notes) == 1
    assert "random" in notes[0]


@pytest.mark.parametrize(
    ("encode", "decode", "words"),
    [
        (lambda x: x, MODEL.decode, "encode=<lambda> uses no torch module"),
        (3, MODEL.decode, "encode=3: must be a function"),
        (lambda x: MODEL.encode(x)[0].sum(), MODEL.decode, r"encode gave shape \(\) for 5 images"),
        (lambda x: (*MODEL.encode(x), 0), MODEL.decode, "encode gave a tuple of 3"),
        (lambda x: [MODEL.encode(x)[0], MODEL.encode(x)[1][:, :2]], MODEL.decode, r"shape \(5, 3\) and \(5, 2\)"),
        (MODEL.encode, lambda z: MODEL.decode(z)[:, :7], r"decode gave shape \(64, 7\) .* can't be an image"),
        (MODEL.encode, lambda z: "picture" if MODEL else "", "decode gave a str"),
        (MODEL.encode, lambda z: MODEL.decode(z[:, :2]), r"decode can't take codes of shape \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(images: Tensor, encode, decode, words: str):
    with pytest.raises(ValueError, match=words):
        adapt(encode, decode, images)


def test_images_of_another_size_are_refused_with_both_reasons():
    with pytest.raises(ValueError, match=r"images of shape \(1, 3, 3\).*flat images of 9 numbers"):
        adapt(MODEL.encode, MODEL.decode, torch.rand(5, 1, 3, 3))


def test_our_own_models_can_be_adapted_too(images: Tensor):
    model = DenseVAE(SHAPE, (8,), 2)
    vae, _ = adapt(model.encode, model.decode, images)
    assert torch.equal(vae.encode(images).mu, model.encode(images).mu)
    assert torch.equal(vae.decode(torch.ones(2, 2)), model.decode(torch.ones(2, 2)))
