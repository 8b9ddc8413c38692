"""Through the VAE and back, as NumPy arrays: images to codes, codes to images, and what each example costs.

Everything here runs in inference mode, on the device on which the VAE's parameters lie.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from vaeviz.cores import one_thread, settle_threads
from vaeviz.models import VAE, bernoulli_reconstruction, gaussian_kl
from vaeviz.openmp import release_threads

FEW = 64
"""So many rows, or fewer, are computed with one thread."""


class Embedding(NamedTuple):
    """The posteriors of examples; both arrays are float32 and read-only.

    Attributes
    ----------
    mu : ndarray, shape (N, L)
        Means.
    logvar : ndarray, shape (N, L)
        Natural logarithms of the variances.
    """

    mu: Float[np.ndarray, "N L"]
    logvar: Float[np.ndarray, "N L"]


class ExampleElbo(NamedTuple):
    """What each example costs, in nats; both arrays are float32 and read-only.

    Attributes
    ----------
    reconstruction : ndarray, shape (N,)
        -log p(x | z) at the posterior's mean.
    kl : ndarray, shape (N, L)
        KL(q(z | x) || N(0, I)) of each latent dimension.
    """

    reconstruction: Float[np.ndarray, " N"]
    kl: Float[np.ndarray, "N L"]


def embed(vae: VAE, images: Shaped[Tensor, "N C H W"], batch_size: int = 1024) -> Embedding:
    """Encode images into their posteriors.

    Parameters
    ----------
    vae : VAE
        In eval mode.
    images : Tensor, shape (N, C, H, W)
        Pixels, uint8 in [0, 255] or floats in [0, 1], on any device.
    batch_size : int
        How many to encode at once, at least 1.

    Returns
    -------
    Embedding
        ``mu`` and ``logvar``, each (N, L), float32, read-only.

    Raises
    ------
    ValueError
        If the VAE is in training mode, batch_size is below 1, or the encoder's output has a wrong shape.
    """
    mu, logvar = _through(vae, images, batch_size, vae.encode)
    return Embedding(_read_only(mu), _read_only(logvar))


def decode(vae: VAE, z: Float[np.ndarray, "M L"], batch_size: int = 1024) -> Float[np.ndarray, "M C H W"]:
    """Decode codes into images.

    Parameters
    ----------
    vae : VAE
        In eval mode.
    z : ndarray, shape (M, L)
        Codes.
    batch_size : int
        How many to decode at once, at least 1.

    Returns
    -------
    ndarray, shape (M, C, H, W)
        Probabilities of the pixels in [0, 1] (the sigmoid of the logits), float32.

    Raises
    ------
    ValueError
        If the VAE is in training mode, batch_size is below 1, or z is not (M, L).
    """
    codes = torch.tensor(z)  # a copy, since z may be read-only
    return _through(vae, codes, batch_size, lambda chunk: [vae.decode(chunk).sigmoid()])[0]


def per_example_elbo(vae: VAE, images: Shaped[Tensor, "N C H W"], batch_size: int = 1024) -> ExampleElbo:
    """Cost of each example, reconstructed from its posterior's mean: nothing is drawn, so it is the same every time.

    The reconstruction is therefore a little cheaper than the mean over draws that the ELBO is made of.

    Parameters
    ----------
    vae : VAE
        In eval mode.
    images : Tensor, shape (N, C, H, W)
        Pixels, uint8 in [0, 255] or floats in [0, 1], on any device.
    batch_size : int
        How many at once, at least 1.

    Returns
    -------
    ExampleElbo
        ``reconstruction (N,)`` and ``kl (N, L)`` in nats, float32, read-only.

    Raises
    ------
    ValueError
        If the VAE is in training mode, batch_size is below 1, or encoder or decoder give a wrong shape.
    """

    def cost(x: Tensor) -> Sequence[Tensor]:
        posterior = vae.encode(x)
        return bernoulli_reconstruction(vae.decode(posterior.mu), x), gaussian_kl(posterior)

    reconstruction, kl = _through(vae, images, batch_size, cost)
    return ExampleElbo(_read_only(reconstruction), _read_only(kl))


def _through(
    vae: VAE, rows: Tensor, batch_size: int, step: Callable[[Tensor], Sequence[Tensor]]
) -> list[Float[np.ndarray, " N *shape"]]:
    """Run rows through a step of the VAE in batches, and return each of its results as one float32 array."""
    if vae.training:
        raise ValueError("the VAE is in training mode; call vae.eval() first")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: must be a whole number from 1")
    like = next(vae.parameters(), torch.empty(0))  # a VAE without parameters computes on the CPU
    settle_threads()
    with torch.inference_mode(), one_thread() if len(rows) <= FEW else nullcontext():
        batches = []
        for chunk in torch.split(rows, batch_size):
            x = chunk.to(like.device).to(like.dtype)  # moved first: bytes travel faster than floats
            batches.append(step(x / 255 if chunk.dtype == torch.uint8 else x))
        results = [torch.cat(parts).float().cpu().numpy() for parts in zip(*batches, strict=True)]
    if len(rows) > FEW:
        release_threads()
    return results


def _read_only(array: Float[np.ndarray, " *shape"]) -> Float[np.ndarray, " *shape"]:
    array.setflags(write=False)
    return array
