"""The objective of a variational autoencoder: the evidence lower bound and its two parts, in nats."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class Posterior(NamedTuple):
    """The encoder's belief q(z | x): a diagonal Gaussian for each example.

    Attributes
    ----------
    mu : Tensor, shape (B, L)
        Means.
    logvar : Tensor, shape (B, L)
        Natural logarithms of the variances.
    """

    mu: Float[Tensor, "B L"]
    logvar: Float[Tensor, "B L"]


class Elbo(NamedTuple):
    """The negative evidence lower bound and its parts, in nats (lower is better).

    Attributes
    ----------
    loss : Tensor, shape ()
        Mean over the batch of ``reconstruction + beta * kl.sum(-1)``: what training minimises.
    reconstruction : Tensor, shape (B,)
        -log p(x | z) of each example.
    kl : Tensor, shape (B, L)
        KL(q(z | x) || N(0, I)) of each example and latent dimension, not weighted by beta.
    """

    loss: Float[Tensor, ""]
    reconstruction: Float[Tensor, " B"]
    kl: Float[Tensor, "B L"]


def _widen(values: Tensor) -> Tensor:
    """Give half precisions the range and digits that sums over pixels need; leave float32 and float64 alone."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def reparameterize(posterior: Posterior, generator: torch.Generator | None = None) -> Float[Tensor, "B L"]:
    """Draw one code an example, differentiably: z = mu + sigma * eps with eps ~ N(0, I).

    Parameters
    ----------
    posterior : Posterior
        ``mu`` and ``logvar``, each (B, L).
    generator : torch.Generator, optional
        Source of eps, on the device of ``mu``; the global one if left out.

    Returns
    -------
    Tensor, shape (B, L)

    References
    ----------
    Kingma & Welling 2014, "Auto-Encoding Variational Bayes", section 2.4 (arXiv:1312.6114).
    """
    mu, logvar = posterior
    eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + (logvar / 2).exp() * eps


def gaussian_kl(posterior: Posterior) -> Float[Tensor, "B L"]:
    """KL(q(z | x) || N(0, I)) in closed form, for each latent dimension.

    Parameters
    ----------
    posterior : Posterior
        ``mu`` and ``logvar``, each (B, L).

    Returns
    -------
    Tensor, shape (B, L)
        Nats, float32 or wider.

    References
    ----------
    Kingma & Welling 2014, appendix B: (mu² + sigma² - log sigma² - 1) / 2 (arXiv:1312.6114).
    """
    mu, logvar = _widen(posterior.mu), _widen(posterior.logvar)
    return (mu.square() + logvar.expm1() - logvar) / 2  # expm1 keeps the digits where sigma is nearly 1


def bernoulli_reconstruction(logits: Float[Tensor, "B C H W"], x: Float[Tensor, "B C H W"]) -> Float[Tensor, " B"]:
    """Cross-entropy -log p(x | z) of Bernoulli pixels, summed over pixels and channels.

    Computed from logits, so that nothing is clipped, and in float32 or wider, also when the logits are bfloat16.

    Parameters
    ----------
    logits : Tensor, shape (B, C, H, W)
        The decoder's output: log p / (1 - p) of each pixel.
    x : Tensor, shape (B, C, H, W)
        Pixels in [0, 1]; gray values between count as expectations.

    Returns
    -------
    Tensor, shape (B,)
        Nats, float32 or wider.

    Raises
    ------
    ValueError
        If the two shapes differ.

    References
    ----------
    Kingma & Welling 2014, appendix C.1, equation 11 (arXiv:1312.6114).
    """
    if logits.shape != x.shape:
        raise ValueError(f"logits have shape {tuple(logits.shape)}, but the images have shape {tuple(x.shape)}")
    logits = _widen(logits)
    return F.binary_cross_entropy_with_logits(logits, x.to(logits.dtype), reduction="none").flatten(1).sum(1)


def elbo(
    logits: Float[Tensor, "B C H W"], x: Float[Tensor, "B C H W"], posterior: Posterior, beta: float = 1.0
) -> Elbo:
    """Negative evidence lower bound of a batch, one sample of z an example.

    Parameters
    ----------
    logits : Tensor, shape (B, C, H, W)
        Decoded from a sample of the posterior.
    x : Tensor, shape (B, C, H, W)
        Pixels in [0, 1].
    posterior : Posterior
        ``mu`` and ``logvar``, each (B, L).
    beta : float
        Weight of the KL term in the loss; 1 is the bound itself.

    Returns
    -------
    Elbo
        ``loss ()``, ``reconstruction (B,)`` and ``kl (B, L)``, in nats.

    Raises
    ------
    ValueError
        If logits and images differ in shape.

    References
    ----------
    Kingma & Welling 2014, equation 10 (arXiv:1312.6114); beta: Higgins et al. 2017, "beta-VAE", equation 4.
    """
    reconstruction = bernoulli_reconstruction(logits, x)
    kl = gaussian_kl(posterior)
    return Elbo((reconstruction + beta * kl.sum(-1)).mean(), reconstruction, kl)
