"""From anybody's model to a monitor."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from vaeviz.data import Dataset
from vaeviz.models import VAE, adapt
from vaeviz.monitor.monitor import Monitor

TRIED = 8
"""Images on which encode and decode are tried."""


def watch(
    model: nn.Module | None = None,
    data: Dataset | ArrayLike | Tensor | None = None,
    *,
    encode: Callable[..., Any] | None = None,
    decode: Callable[..., Any] | None = None,
    output: Literal["logits", "probabilities", "auto"] = "auto",
    log_every: int = 10,
    embedded: int = 5000,
) -> Monitor:
    """Put all of vaeviz on a VAE that is trained by a loop of its own.

    The model is not touched: its weights are copied when a snapshot is due, and copies are looked at, on the CPU and in
    eval mode. Mode, gradients and random streams stay as they are.

    Parameters
    ----------
    model : nn.Module, optional
        One with methods `encode` and `decode`, or with parts `encoder` and `decoder`. Left out, give both functions.
    data : Dataset or array
        Images to embed, of the size that the model takes; an array as `Dataset.from_arrays` takes it.
    encode : callable, optional
        From images (B, C, H, W) in [0, 1], or flat ones (B, C·H·W), to a pair (mu, logvar), a `Posterior`, a torch
        Normal, an object or mapping with such fields, one tensor with mu beside logvar, or codes without a posterior.
        A function that prepares the images first is welcome: ``lambda x: model.encode(2 * x - 1)``.
    decode : callable, optional
        From codes (B, L) to logits or probabilities of images, flat ones too; a tensor, a torch distribution, or an
        object or mapping that holds them.
    output : str
        What decode gives: "logits", "probabilities", or "auto": probabilities if all that it gives at first lies in
        [0, 1]. What it was taken for is shown.
    log_every : int
        So many logged training batches make one row of the metrics.
    embedded : int
        At most so many examples are embedded.

    Returns
    -------
    Monitor
        Its `log` is called from the loop, its `serve` opens the explorer; and it is a `Run` for every view.

    Raises
    ------
    ValueError
        If model and functions can't be found, don't fit the data, or can't be copied.

    Examples
    --------
    >>> import torch, vaeviz as vz
    >>> data = vz.load_dataset("digits")
    >>> model = vz.DenseVAE(data.image_shape, hidden_sizes=(32,))
    >>> monitor = vz.watch(model, data)
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> for step, ids in enumerate(data.train.split(64), start=1):
    ...     elbo = model.elbo(data.pixels(ids))
    ...     optimizer.zero_grad()
    ...     elbo.loss.backward()
    ...     optimizer.step()
    ...     monitor.log(step, reconstruction=elbo.reconstruction, kl=elbo.kl)
    >>> monitor.finish()
    >>> monitor
    Monitor(dense 32-2 on digits: finished, step 23)
    """
    if data is None:
        raise ValueError("data is missing: give the images to embed, watch(model, data)")
    dataset = data if isinstance(data, Dataset) else Dataset.from_arrays(data, name="data")
    vae, notes = _vae_of(model, encode, decode, dataset, output)
    return Monitor(vae, dataset, log_every=log_every, embedded=embedded, notes=notes)


def _vae_of(
    model: nn.Module | None,
    encode: Callable[..., Any] | None,
    decode: Callable[..., Any] | None,
    dataset: Dataset,
    output: Literal["logits", "probabilities", "auto"],
) -> tuple[VAE, list[str]]:
    model = unwrapped(model)
    if isinstance(model, VAE) and encode is None and decode is None:
        return model, []
    encode = encode or _part(model, "encode", "encoder")
    decode = decode or _part(model, "decode", "decoder")
    images = dataset.pixels(torch.arange(min(TRIED, len(dataset)))).cpu()
    return adapt(encode, decode, images, output, None if model is None else type(model).__name__)


def unwrapped(model: nn.Module | None) -> nn.Module | None:
    """Return the model inside of those that torch puts around one: compiled, or data-parallel."""
    for name in ("_orig_mod", "module"):
        inner = getattr(model, name, None)
        if isinstance(inner, nn.Module) and not hasattr(model, "encode") and not hasattr(model, "encoder"):
            return unwrapped(inner)
    return model


def _part(model: nn.Module | None, method: str, module: str) -> Callable[..., Any]:
    if model is None:
        raise ValueError(f"{method} is missing: give a model, or both encode= and decode=")
    for name in (method, module):
        part = getattr(model, name, None)
        if callable(part):
            return part  # type: ignore[no-any-return]
    raise ValueError(f"{type(model).__name__} has neither {method} nor {module}: give both encode= and decode=")
