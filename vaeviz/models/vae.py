"""The variational autoencoder itself: any encoder and any decoder, joined by a Gaussian code."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vaeviz.models.objective import Elbo, Posterior, elbo, reparameterize


class VaeOutput(NamedTuple):
    """One pass through a VAE.

    Attributes
    ----------
    logits : Tensor, shape (B, C, H, W)
        Of the Bernoulli pixels, decoded from ``z``.
    posterior : Posterior
        ``mu`` and ``logvar``, each (B, L).
    z : Tensor, shape (B, L)
        The sample of the posterior that was decoded.
    """

    logits: Float[Tensor, "B C H W"]
    posterior: Posterior
    z: Float[Tensor, "B L"]


class VAE(nn.Module):
    """A variational autoencoder made of two modules.

    Parameters
    ----------
    encoder : nn.Module
        Maps images (B, C, H, W) to one tensor (B, 2L), which is mu beside log sigma², or to a pair of tensors (B, L).
    decoder : nn.Module
        Maps codes (B, L) to logits (B, C, H, W).
    latent_dim : int
        L, at least 1.

    Raises
    ------
    ValueError
        If a part is not an ``nn.Module`` or ``latent_dim`` is below 1; when called, if a part gives another shape.

    References
    ----------
    Kingma & Welling 2014, "Auto-Encoding Variational Bayes" (arXiv:1312.6114).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent_dim: int) -> None:
        super().__init__()
        for field, part in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(part, nn.Module):
                raise ValueError(f"{field}={part!r}: must be a torch.nn.Module")
        if latent_dim < 1:
            raise ValueError(f"latent_dim={latent_dim}: must be a whole number from 1")
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim

    def encode(self, x: Float[Tensor, "B C H W"]) -> Posterior:
        """Infer the codes of images.

        Parameters
        ----------
        x : Tensor, shape (B, C, H, W)
            Pixels in [0, 1].

        Returns
        -------
        Posterior
            ``mu`` and ``logvar``, each (B, L).

        Raises
        ------
        ValueError
            If the encoder gives neither (B, 2L) nor a pair of (B, L).
        """
        output = self.encoder(x)
        batch, latent = x.shape[0], self.latent_dim
        if isinstance(output, Tensor):
            if output.shape == (batch, 2 * latent):
                return Posterior(*output.chunk(2, dim=1))
            got = f"shape {tuple(output.shape)}"
        elif isinstance(output, tuple | list) and all(isinstance(part, Tensor) for part in output):
            if [part.shape for part in output] == [(batch, latent)] * 2:
                return Posterior(*output)
            got = f"shapes {[tuple(part.shape) for part in output]}"
        else:
            got = f"a {type(output).__name__}"
        raise ValueError(
            f"the encoder gave {got}; expected one tensor of shape {(batch, 2 * latent)} "
            f"or a pair (mu, logvar), each of shape {(batch, latent)}"
        )

    def decode(self, z: Float[Tensor, "B L"]) -> Float[Tensor, "B C H W"]:
        """Decode codes into logits of pixels (their sigmoid is the image).

        Parameters
        ----------
        z : Tensor, shape (B, L)

        Returns
        -------
        Tensor, shape (B, C, H, W)

        Raises
        ------
        ValueError
            If the codes are not (B, L), or the decoder's output is not (B, C, H, W).
        """
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"codes have shape {tuple(z.shape)}; expected (B, {self.latent_dim})")
        logits: Tensor = self.decoder(z)
        if logits.ndim != 4 or logits.shape[0] != z.shape[0]:
            raise ValueError(f"the decoder gave shape {tuple(logits.shape)}; expected ({z.shape[0]}, C, H, W)")
        return logits

    def forward(self, x: Float[Tensor, "B C H W"], generator: torch.Generator | None = None) -> VaeOutput:
        """Encode images, draw one code each and decode it.

        Parameters
        ----------
        x : Tensor, shape (B, C, H, W)
            Pixels in [0, 1].
        generator : torch.Generator, optional
            Source of the draw, on the device of ``x``; the global one if left out.

        Returns
        -------
        VaeOutput
            ``logits (B, C, H, W)``, ``posterior`` and ``z (B, L)``.

        Raises
        ------
        ValueError
            If the encoder's or decoder's output has a wrong shape.
        """
        posterior = self.encode(x)
        z = reparameterize(posterior, generator)
        logits = self.decode(z)
        if logits.shape != x.shape:
            raise ValueError(
                f"the decoder gave shape {tuple(logits.shape)}; expected that of the images, {tuple(x.shape)}"
            )
        return VaeOutput(logits, posterior, z)

    def elbo(self, x: Float[Tensor, "B C H W"], beta: float = 1.0, generator: torch.Generator | None = None) -> Elbo:
        """Negative evidence lower bound of images, with one draw of the posterior each.

        Parameters
        ----------
        x : Tensor, shape (B, C, H, W)
            Pixels in [0, 1].
        beta : float
            Weight of the KL term in the loss.
        generator : torch.Generator, optional
            Source of the draw, on the device of ``x``; the global one if left out.

        Returns
        -------
        Elbo
            ``loss ()``, ``reconstruction (B,)`` and ``kl (B, L)``, in nats; see `vaeviz.models.elbo`.
        """
        logits, posterior, _ = self(x, generator)
        return elbo(logits, x, posterior, beta)

    def describe(self) -> str:
        """Name the model in one short line, e.g. ``"MyEncoder → 2-D → MyDecoder"``."""
        return f"{type(self.encoder).__name__} → {self.latent_dim}-D → {type(self.decoder).__name__}"
