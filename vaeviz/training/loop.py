"""The training loop: a generator that knows no thread and no view."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from vaeviz.data import Dataset
from vaeviz.models import VAE, seed_dropout
from vaeviz.training.config import TrainConfig
from vaeviz.training.device import resolve_device
from vaeviz.training.events import Metrics, Progress, Snapshot, Split, kept_steps

EVALUATION_BATCH = 1024


class TrainingDivergedError(ArithmeticError):
    """The loss or a weight is no longer a finite number."""


def train(
    model: VAE,
    dataset: Dataset,
    config: TrainConfig,
    *,
    take: Callable[[VAE, int, float], Snapshot] | None = None,
    wants_snapshot: Callable[[int], bool] | None = None,
) -> Iterator[Metrics | Snapshot | Progress]:
    """Train the model in place; yield as it goes.

    Adam on the negative ELBO (Kingma & Welling 2014, eq. 10, with the closed-form KL of appendix B), one posterior
    sample an example, every gradient element clipped.

    Parameters
    ----------
    model : VAE
        Trained in place, on `config.device`.
    dataset : Dataset
        Its images move to the device once.
    config : TrainConfig
    take : callable, optional
        Makes the snapshot of a model at a step and epoch; by default a `SnapshotTaker`.
    wants_snapshot : callable, optional
        Asked after each step whether to take a snapshot of it beside the kept ones (`kept_steps`).

    Yields
    ------
    Metrics
        Validation before the first step and after each epoch; training every `config.log_every` steps.
    Snapshot
        At the kept steps, at those wanted, and at the last.
    Progress
        After each step, and after all else that this step yields.

    Raises
    ------
    ValueError
        If the batch is larger than the training split, the model does not fit the data, or there is no such device.
    TrainingDivergedError
        If the loss or a weight is no longer finite.
    """
    device = resolve_device(config.device)
    check_fit(model, dataset, config)
    take = take or SnapshotTaker(model, dataset, config).take
    model.to(device)
    images, order = dataset.images.to(device), dataset.train
    shuffler = torch.Generator().manual_seed(config.seed)
    sampler = torch.Generator(device).manual_seed(config.seed)
    seed_dropout(model, sampler)
    total = config.total_steps(len(order))
    optimizer, scheduler = _optimizer(model, config, total)
    parameters = [p for p in model.parameters() if p.requires_grad]
    per_epoch = math.ceil(len(order) / config.batch_size)

    kept = kept_steps()
    next_kept = next(kept)
    sums = _zero_sums(device)  # over the examples since the last row
    since, examples, step = 0, 0, 0
    start = time.perf_counter()
    if len(dataset.validation):
        yield evaluate(model, dataset, "validation", config, step=0, images=images)
    model.train()
    for epoch in count():
        shuffled = order[torch.randperm(len(order), generator=shuffler)].to(device)
        for batch in torch.split(shuffled, config.batch_size):
            x = as_pixels(images[batch])  # (B, C, H, W)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
                output = model.elbo(x, beta=config.beta, generator=sampler)
            optimizer.zero_grad(set_to_none=True)
            output.loss.backward()  # type: ignore[no-untyped-call]
            if config.clip is not None:
                nn.utils.clip_grad_value_(parameters, config.clip)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            step, since, examples = step + 1, since + len(batch), examples + len(batch)
            with torch.no_grad():
                reconstruction, kl = output.reconstruction.sum(), output.kl.sum()
                sums += torch.stack((output.loss * len(batch), reconstruction, kl))
            now = epoch + (step - epoch * per_epoch) / per_epoch
            last = step == total

            if step % config.log_every == 0 or last:
                loss, reconstruction_mean, kl_mean = (sums / since).tolist()
                _check_finite(step, loss, reconstruction_mean, kl_mean)
                seconds = time.perf_counter() - start
                yield Metrics(step, now, "train", loss, reconstruction_mean, kl_mean, seconds)
                sums.zero_()
                since = 0
            if (step % per_epoch == 0 or last) and len(dataset.validation):
                row = evaluate(model, dataset, "validation", config, step=step, epoch=now, images=images)
                yield row._replace(seconds=time.perf_counter() - start)
            if step == next_kept or last or (wants_snapshot is not None and wants_snapshot(step)):
                yield take(model, step, now)
            if step >= next_kept:
                next_kept = next(kept)
            yield Progress(step, now, examples)
            if last:
                return


class SnapshotTaker:
    """Copies a model's weights into snapshots that share one choice of examples.

    Parameters
    ----------
    model : VAE
        The model, before training.
    dataset : Dataset
    config : TrainConfig
        Its `embedded` bounds the number of examples N.
    """

    def __init__(self, model: VAE, dataset: Dataset, config: TrainConfig) -> None:
        self.template = copy.deepcopy(model).cpu().eval().requires_grad_(False)
        chosen = torch.cat([dataset.validation, dataset.train, dataset.test])[: config.embedded]
        self.ids = chosen.numpy()
        self.ids.setflags(write=False)
        self.images = dataset.images[chosen]

    def take(self, model: VAE, step: int, epoch: float) -> Snapshot:
        """Return a snapshot of the model as it is now.

        Raises
        ------
        TrainingDivergedError
            If a weight is not finite: what cannot be explored is not kept.
        """
        weights = {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}
        for name, value in weights.items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise TrainingDivergedError(f"the weight {name} is no longer finite at step {step}: {REMEDY}")
        return self.restore(weights, step, epoch)

    def restore(self, weights: dict[str, Tensor], step: int, epoch: float) -> Snapshot:
        """Return the snapshot that has these weights."""
        vae = copy.deepcopy(self.template)
        vae.load_state_dict(weights, assign=True)
        vae.requires_grad_(False)
        return Snapshot(step=step, epoch=epoch, ids=self.ids, vae=vae, images=self.images)


REMEDY = "try a smaller learning rate, or clip the gradient"


def as_pixels(images: Tensor) -> Tensor:
    """Return images (B, C, H, W) as float32 in [0, 1]."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images


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
) -> Metrics:
    """Return the model's mean loss, reconstruction and KL over a whole split, in nats per example.

    One posterior sample an example; the noise depends on `config.seed` alone, so that two steps are comparable.

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
    sums = _zero_sums(device)
    start = time.perf_counter()
    for batch in torch.split(ids, EVALUATION_BATCH):
        output = model.elbo(as_pixels(images[batch].to(device)), beta=config.beta, generator=sampler)
        sums += torch.stack((output.loss * len(batch), output.reconstruction.sum(), output.kl.sum()))
    model.train(was_training)
    loss, reconstruction, kl = (sums / len(ids)).tolist()
    _check_finite(step, loss, reconstruction, kl)
    return Metrics(step, epoch, split, loss, reconstruction, kl, time.perf_counter() - start)


def check_fit(model: VAE, dataset: Dataset, config: TrainConfig) -> None:
    """Refuse, in words, a batch or a model that does not fit the data.

    Raises
    ------
    ValueError
    """
    if config.batch_size > len(dataset.train):
        raise ValueError(
            f"batch_size={config.batch_size}: {dataset.name} has only {len(dataset.train)} training examples;"
            " take a batch of at most that"
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


def _optimizer(model: VAE, config: TrainConfig, total: int) -> tuple[torch.optim.Adam, LRScheduler | None]:
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.l2},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.Adam(groups, lr=config.learning_rate, fused=trained[0].device.type != "mps")
    if config.schedule == "one-cycle":
        return optimizer, OneCycleLR(optimizer, max_lr=config.learning_rate, total_steps=max(total, 2))
    return optimizer, None


def _zero_sums(device: torch.device) -> Tensor:
    """Return sums of loss, reconstruction and KL, still 0, in double precision where the device has it."""
    return torch.zeros(3, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)


def _check_finite(step: int, loss: float, reconstruction: float, kl: float) -> None:
    for name, value in (("reconstruction", reconstruction), ("KL", kl), ("loss", loss)):
        if not np.isfinite(value):
            raise TrainingDivergedError(f"the {name} is {value} at step {step}: {REMEDY}")
