"""What a model's loss is over a split, and whether it is still a number at all."""

import time

import numpy as np
import torch
from torch import Tensor

from vaeviz.data import Dataset
from vaeviz.models import VAE
from vaeviz.training.config import TrainConfig
from vaeviz.training.events import Metrics, Split
from vaeviz.training.parallel import ALONE, Ranks

EVALUATION_BATCH = 1024
REMEDY = "try a smaller learning rate, or clip the gradient"


class TrainingDivergedError(ArithmeticError):
    """The loss or a weight is no longer a finite number."""


def as_pixels(images: Tensor) -> Tensor:
    """Return images (B, C, H, W) as float32 in [0, 1]."""
    return images.div(255) if images.dtype == torch.uint8 else images


@torch.no_grad()
def evaluate(
    model: VAE,
    dataset: Dataset,
    split: Split,
    config: TrainConfig,
    *,
    step: int = 0,
    epoch: float = 0.0,
    images: Tensor | None = None,
    ranks: Ranks = ALONE,
) -> Metrics:
    """Return the model's mean loss, reconstruction and KL over a whole split, in nats per example.

    One posterior sample an example; the noise depends on `config.seed` alone, so that two steps are comparable. Ranks
    that train together evaluate their shares, each once, and get one answer.

    Raises
    ------
    ValueError
        If the split is empty.
    TrainingDivergedError
        If one of the means is not finite.
    """
    if not len(dataset.split(split)):
        raise ValueError(f"split={split!r}: {dataset.name} has no {split} examples; take a split that has some")
    device = next(model.parameters()).device
    images = dataset.images if images is None else images
    sampler = torch.Generator(device).manual_seed(config.seed + 1)
    ids = dataset.split(split).to(images.device)
    was_training = model.training
    model.eval()
    sums = zero_sums(device)
    start = time.perf_counter()
    for batch in torch.split(ids, EVALUATION_BATCH):
        share = ranks.share(len(batch))
        x = as_pixels(images[batch[share.rows]].to(device))  # (B, C, H, W)
        with ranks.drawing(sampler, share):
            output = model.elbo(x, beta=config.beta, generator=sampler)
        sums += torch.stack((output.loss * len(x), output.reconstruction.sum(), output.kl.sum())) * share.part
    ranks.total(sums)
    model.train(was_training)
    loss, reconstruction, kl = (sums / len(ids)).tolist()
    check_finite(step, loss, reconstruction, kl)
    return Metrics(step, epoch, split, loss, reconstruction, kl, time.perf_counter() - start)


def check_fit(model: VAE, dataset: Dataset, config: TrainConfig, ranks: Ranks = ALONE) -> None:
    """Refuse, in words, a batch or a model that does not fit the data or the number of processes.

    Raises
    ------
    ValueError
    """
    if config.batch_size > len(dataset.train):
        raise ValueError(
            f"batch_size={config.batch_size}: {dataset.name} has only {len(dataset.train)} training examples;"
            " take a batch of at most that"
        )
    if config.batch_size < ranks.size:
        raise ValueError(
            f"batch_size={config.batch_size}: it is shared by {ranks.size} processes; take a batch of at least that"
        )
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("the model has no parameters to train: at least one must have requires_grad=True")
    shape = dataset.image_shape
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model.elbo(dataset.pixels(dataset.train[:2]).to(device), generator=torch.Generator(device))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"the model does not fit images of shape {shape} (C, H, W): {error}") from error
    finally:
        model.train(was_training)


def zero_sums(device: torch.device) -> Tensor:
    """Return sums of loss, reconstruction and KL, still 0, in double precision where the device has it."""
    return torch.zeros(3, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)


def check_finite(step: int, loss: float, reconstruction: float, kl: float) -> None:
    """Raise a TrainingDivergedError that names the term which is not finite."""
    for name, value in (("reconstruction", reconstruction), ("KL", kl), ("loss", loss)):
        if not np.isfinite(value):
            raise TrainingDivergedError(f"the {name} is {value} at step {step}: {REMEDY}")


def finite_weights(model: VAE, step: int) -> dict[str, Tensor]:
    """Return a copy of the model's state dict on the CPU.

    Raises
    ------
    TrainingDivergedError
        If a weight is not finite: what cannot be explored is neither kept nor saved.
    """
    weights: dict[str, Tensor] = {}
    copies: dict[tuple[object, ...], Tensor] = {}  # what two names share is copied once
    for name, value in model.state_dict().items():
        place = value.data_ptr(), value.device, value.dtype, value.shape, value.stride()
        known = copies.get(place) if value.numel() else None
        weights[name] = value.detach().to("cpu", copy=True) if known is None else known
        copies[place] = weights[name]
        if known is None and value.is_floating_point() and not _all_finite(weights[name]):
            raise TrainingDivergedError(f"the weight {name} is no longer finite at step {step}: {REMEDY}")
    return weights


def _all_finite(value: Tensor) -> bool:
    """Tell whether all numbers are finite: a finite sum shows it, in one pass."""
    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())
