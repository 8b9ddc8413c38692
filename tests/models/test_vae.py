import copy

import pytest
import torch
from torch import nn

from vaeviz.models import VAE, DenseVAE, Posterior


class PairEncoder(nn.Module):
    def forward(self, x):
        mu = x.flatten(1)[:, :2]
        return mu, torch.full_like(mu, -1.0)


class Fixed(nn.Module):
    """Gives the same output, whatever the input."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, _):
        return self.output


IMAGES = torch.rand(4, 1, 3, 5, generator=torch.Generator().manual_seed(0))
DECODER = nn.Sequential(nn.Linear(2, 15), nn.Unflatten(1, (1, 3, 5)))


def test_an_encoder_that_gives_one_tensor_is_split_into_mu_and_logvar():
    output = torch.arange(16.0).reshape(4, 4)
    mu, logvar = VAE(Fixed(output), DECODER, 2).encode(IMAGES)
    assert torch.equal(mu, output[:, :2])
    assert torch.equal(logvar, output[:, 2:])


def test_an_encoder_may_give_a_pair():
    posterior = VAE(PairEncoder(), DECODER, 2).encode(IMAGES)
    assert isinstance(posterior, Posterior)
    assert torch.equal(posterior.mu, IMAGES.flatten(1)[:, :2])
    assert posterior.logvar.eq(-1).all()


def test_forward_decodes_the_sample_that_it_returns():
    vae = VAE(PairEncoder(), DECODER, 2)
    output = vae(IMAGES, torch.Generator().manual_seed(0))
    assert output.logits.shape == IMAGES.shape
    assert torch.equal(output.logits, vae.decode(output.z))
    assert not torch.equal(output.z, output.posterior.mu)


def test_elbo_has_a_value_an_example_and_trains_every_parameter():
    vae = DenseVAE((1, 3, 5), (8,), 2)
    result = vae.elbo(IMAGES, beta=2.0, generator=torch.Generator().manual_seed(0))
    assert (result.loss.shape, result.reconstruction.shape, result.kl.shape) == ((), (4,), (4, 2))
    torch.testing.assert_close(result.loss, (result.reconstruction + 2 * result.kl.sum(-1)).mean())
    result.loss.backward()
    assert all(parameter.grad is not None for parameter in vae.parameters())


def test_a_few_steps_of_adam_lower_the_loss():
    vae = DenseVAE((1, 3, 5), (32,), 2, generator=torch.Generator().manual_seed(0))
    optimizer, generator = torch.optim.Adam(vae.parameters(), 1e-2), torch.Generator().manual_seed(1)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = vae.elbo(IMAGES.round(), generator=generator).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_a_deep_copy_computes_the_same_and_is_not_trained_along():
    vae = DenseVAE((1, 3, 5), (8,), 2, dropout=0.1, generator=torch.Generator().manual_seed(0)).eval()
    twin = copy.deepcopy(vae)
    assert torch.equal(twin.encode(IMAGES).mu, vae.encode(IMAGES).mu)
    with torch.no_grad():
        vae.encoder[1].weight.zero_()
    assert not torch.equal(twin.encode(IMAGES).mu, vae.encode(IMAGES).mu)


@pytest.mark.parametrize(
    ("output", "got"),
    [
        (torch.zeros(4, 3), r"shape \(4, 3\)"),
        (torch.zeros(3, 4), r"shape \(3, 4\)"),
        ((torch.zeros(4, 2), torch.zeros(4, 1)), r"shapes \[\(4, 2\), \(4, 1\)\]"),
        ((torch.zeros(4, 2),), r"shapes \[\(4, 2\)\]"),
        ("nonsense", "a str"),
    ],
)
def test_an_encoder_of_wrong_shape_is_named_with_what_was_expected(output, got):
    with pytest.raises(ValueError, match=rf"encoder gave {got}; expected one tensor of shape \(4, 4\).*\(4, 2\)"):
        VAE(Fixed(output), DECODER, 2).encode(IMAGES)


def test_a_decoder_that_gives_no_images_is_named():
    with pytest.raises(ValueError, match=r"decoder gave shape \(4, 15\); expected \(4, C, H, W\)"):
        VAE(PairEncoder(), nn.Linear(2, 15), 2).decode(torch.zeros(4, 2))


def test_a_decoder_that_gives_images_of_another_size_is_named():
    decoder = nn.Sequential(nn.Linear(2, 15), nn.Unflatten(1, (1, 5, 3)))
    with pytest.raises(ValueError, match=r"decoder gave shape \(4, 1, 5, 3\); expected .* \(4, 1, 3, 5\)"):
        VAE(PairEncoder(), decoder, 2)(IMAGES)


def test_codes_of_the_wrong_dimension_are_refused():
    with pytest.raises(ValueError, match=r"codes have shape \(4, 3\); expected \(B, 2\)"):
        VAE(PairEncoder(), DECODER, 2).decode(torch.zeros(4, 3))


def test_a_latent_space_needs_a_dimension():
    with pytest.raises(ValueError, match="latent_dim=0: must be a whole number from 1"):
        VAE(PairEncoder(), DECODER, 0)


@pytest.mark.parametrize("field", ["encoder", "decoder"])
def test_parts_must_be_modules(field):
    parts = {"encoder": PairEncoder(), "decoder": DECODER, field: torch.sigmoid}
    with pytest.raises((ValueError, TypeError)):  # TypeError: from jaxtyping's import hook, where it runs
        VAE(**parts, latent_dim=2)


def test_describe_names_both_parts():
    assert VAE(PairEncoder(), DECODER, 2).describe() == "PairEncoder → 2-D → Sequential"
