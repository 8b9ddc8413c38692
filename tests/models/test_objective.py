import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from vaeviz.models import Posterior, bernoulli_reconstruction, elbo, gaussian_kl, reparameterize


def draw(dtype=torch.float64, batch=6, latent=3, image_shape=(1, 4, 5)):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    logits = 3 * normal(batch, *image_shape)
    x = torch.rand(logits.shape, generator=generator, dtype=dtype)
    return logits, x, Posterior(normal(batch, latent), normal(batch, latent))


def test_kl_agrees_with_torch_distributions():
    _, _, posterior = draw()
    prior = Normal(torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    expected = kl_divergence(Normal(posterior.mu, (posterior.logvar / 2).exp()), prior)
    torch.testing.assert_close(gaussian_kl(posterior), expected)


def test_kl_of_the_prior_itself_is_zero():
    assert gaussian_kl(Posterior(torch.zeros(2, 3), torch.zeros(2, 3))).eq(0).all()


def test_kl_is_never_negative_even_close_to_the_prior():
    logvar = torch.linspace(-1e-3, 1e-3, 1001)[:, None]
    assert gaussian_kl(Posterior(torch.zeros_like(logvar), logvar)).min() >= -1e-9


def test_reconstruction_agrees_with_torch_distributions_on_binary_images():
    logits, x, _ = draw(image_shape=(3, 4, 5))
    x = x.round()
    expected = -Bernoulli(logits=logits).log_prob(x).sum(dim=(1, 2, 3))
    torch.testing.assert_close(bernoulli_reconstruction(logits, x), expected)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_elbo_agrees_with_the_formulas_written_out_in_numpy(beta):
    logits, x, posterior = draw()
    result = elbo(logits, x, posterior, beta)

    p = 1 / (1 + np.exp(-logits.numpy()))
    reconstruction = -(x.numpy() * np.log(p) + (1 - x.numpy()) * np.log(1 - p)).sum(axis=(1, 2, 3))
    mu, variance = posterior.mu.numpy(), np.exp(posterior.logvar.numpy())
    kl = 0.5 * (mu**2 + variance - np.log(variance) - 1)

    np.testing.assert_allclose(result.reconstruction.numpy(), reconstruction)
    np.testing.assert_allclose(result.kl.numpy(), kl)
    np.testing.assert_allclose(result.loss.item(), (reconstruction + beta * kl.sum(axis=1)).mean())


def test_gradient_of_the_loss_through_the_sample_is_right():
    logits, x, posterior = draw(batch=2, image_shape=(1, 1, 3))
    weights = torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def loss(mu, logvar):
        z = reparameterize(Posterior(mu, logvar), torch.Generator().manual_seed(2))
        return elbo((z @ weights).reshape(x.shape), x, Posterior(mu, logvar), beta=2.0).loss

    assert torch.autograd.gradcheck(loss, [part.requires_grad_() for part in posterior])
    assert torch.autograd.gradcheck(lambda logits: elbo(logits, x, posterior).loss, logits.requires_grad_())


def test_bfloat16_logits_are_summed_in_float32():
    logits, x, posterior = draw(torch.float32, image_shape=(1, 28, 28))
    half = logits.bfloat16()
    result = elbo(half, x, Posterior(*(part.bfloat16() for part in posterior)))
    assert {part.dtype for part in result} == {torch.float32}
    torch.testing.assert_close(result.reconstruction, bernoulli_reconstruction(half.float(), x))


def test_huge_logits_cost_what_they_should_and_not_infinity():
    logits = torch.tensor([1000.0, -1000.0, 1000.0]).reshape(1, 1, 1, 3)
    x = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 1, 1, 3)
    assert bernoulli_reconstruction(logits, x).tolist() == [1000.0]


def test_logits_and_images_of_different_shapes_are_refused():
    with pytest.raises((ValueError, TypeError)):  # TypeError: from jaxtyping's import hook, where it runs
        bernoulli_reconstruction(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 5))


def test_reparameterize_draws_from_the_posterior():
    posterior = Posterior(torch.full((200_000, 1), 3.0), torch.full((200_000, 1), 2.0).log())
    z = reparameterize(posterior, torch.Generator().manual_seed(0))
    assert z.mean().item() == pytest.approx(3.0, abs=0.02)
    assert z.var().item() == pytest.approx(2.0, abs=0.03)


def test_reparameterize_is_reproduced_by_its_generator():
    _, _, posterior = draw()
    first, again, other = (reparameterize(posterior, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
