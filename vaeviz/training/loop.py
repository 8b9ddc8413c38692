"""The training loop: a generator that knows no thread and no view."""

import math
import time
import zlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from vaeviz.data import Dataset
from vaeviz.models import VAE, seed_dropout
from vaeviz.training.adam import CPUAdam
from vaeviz.training.config import TrainConfig
from vaeviz.training.evaluation import as_pixels, check_finite, check_fit, evaluate, zero_sums
from vaeviz.training.events import Metrics, Progress, Snapshot, kept_steps
from vaeviz.training.fingerprint import Fingerprint, splits_of
from vaeviz.training.freed import keep_freed_memory
from vaeviz.training.parallel import ALONE, LostRankError, Ranks, Share
from vaeviz.training.plain import is_plain
from vaeviz.training.recorded import RecordedStep
from vaeviz.training.snapshots import SnapshotTaker
from vaeviz.training.state import ADAM, MOMENTS, SAMPLER, SHUFFLER, SUMS, TrainState, weight_tensors
from vaeviz.training.written import WrittenGradient

Take = Callable[[VAE, int, float], Snapshot]
Wants = Callable[[int], bool]
Ends = Callable[[], bool]


def train(
    model: VAE,
    dataset: Dataset,
    config: TrainConfig,
    *,
    take: Take | None = None,
    wants_snapshot: Wants | None = None,
    resume: TrainState | None = None,
    ranks: Ranks = ALONE,
    ends: Ends | None = None,
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
    resume : TrainState, optional
        Go on from there, with its weights: on the CPU equal to the bit to a training that was never interrupted.
    ranks : Ranks, optional
        The processes that train together (`join_ranks`): each does its share of every batch, and all of them yield the
        same rows, which agree with those of one process to rounding. What a model draws from another generator than the
        one it is given, such as ``nn.Dropout``, each draws for itself, and batch norm sees a share.
    ends : callable, optional
        Asked after each step whether to end; a snapshot is taken then. If one rank's wishes to, all end after the same
        step.

    Yields
    ------
    Metrics
        Validation before the first step and after each epoch; training every `config.log_every` steps.
    Snapshot
        At the kept steps, at those wanted, and at the last, be it the configured one or that of a wish to end.
    Progress
        After each step, and after all else that this step yields.

    Raises
    ------
    ValueError
        If the batch is larger than the training split, the model does not fit the data, there is no such device, or
        the ranks were started in different ways.
    TrainingDivergedError
        If the loss or a weight is no longer finite.
    LostRankError
        If another rank is gone.
    """
    yield from Trainer(model, dataset, config, resume, ranks).events(take, wants_snapshot, ends)


class Trainer:
    """What `train` keeps from step to step; between two of them it can be asked for its state.

    Parameters
    ----------
    model, dataset, config, resume, ranks
        As for `train`.
    """

    def __init__(
        self,
        model: VAE,
        dataset: Dataset,
        config: TrainConfig,
        resume: TrainState | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._ranks = ranks
        self._device = device = ranks.device(config.device)
        check_fit(model, dataset, config, ranks)
        if device.type == "cpu":
            keep_freed_memory()
        self._model, self._dataset, self._config = model.to(device), dataset, config
        self._images = dataset.images.to(device)
        self._shuffler = torch.Generator().manual_seed(config.seed)
        self._sampler = torch.Generator(device).manual_seed(config.seed)
        self._epoch_began = self._shuffler.get_state()
        seed_dropout(model, self._sampler)
        self._per_epoch = math.ceil(len(dataset.train) / config.batch_size)
        self._total = config.total_steps(len(dataset.train))
        self._optimizer, self._scheduler = _optimizer(model, config, self._total)
        self._follow = self._optimizer.follow if isinstance(self._optimizer, CPUAdam) else self._optimizer.step
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._written = WrittenGradient.of(model, config.precision)
        self._sums = zero_sums(device)  # over the examples since the last row
        self._step = self._examples = self._since = 0
        self._start = time.perf_counter()
        if resume is not None:
            self._load(resume)
        if ranks.size > 1:
            self._begin_together()

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return Progress(self._step, epochs_done(self._step, self._per_epoch), self._examples)

    def events(
        self, take: Take | None = None, wants_snapshot: Wants | None = None, ends: Ends | None = None
    ) -> Iterator[Metrics | Snapshot | Progress]:
        """Train to the end; yield as `train` does."""
        model, dataset, config, ranks = self._model, self._dataset, self._config, self._ranks
        take = take or SnapshotTaker(model, dataset, config).take
        images, sums, total = self._images, self._sums, self._total
        learn = self._recorded() or self._learn
        kept = kept_steps()
        next_kept = next(step for step in kept if step > self._step)
        if self._step == 0 and len(dataset.validation):
            yield evaluate(model, dataset, "validation", config, step=0, images=images, ranks=ranks)
        model.train()
        while self._step < total:
            for batch in self._rest_of_epoch():
                learn(batch)
                if self._scheduler is not None:
                    self._optimizer.step()
                    self._scheduler.step()
                self._step += 1
                self._since += len(batch)
                self._examples += len(batch)
                step, now = self._step, epochs_done(self._step, self._per_epoch)
                last = step == total

                if step % config.log_every == 0 or last:
                    loss, reconstruction_mean, kl_mean = (sums / self._since).tolist()
                    check_finite(step, loss, reconstruction_mean, kl_mean)
                    yield Metrics(step, now, "train", loss, reconstruction_mean, kl_mean, self._seconds())
                    sums.zero_()
                    self._since = 0
                if (step % self._per_epoch == 0 or last) and len(dataset.validation):
                    row = evaluate(
                        model, dataset, "validation", config, step=step, epoch=now, images=images, ranks=ranks
                    )
                    yield row._replace(seconds=self._seconds())
                last = last or ranks.agree(step, ends is not None and ends())
                if step == next_kept or last or (wants_snapshot is not None and wants_snapshot(step)):
                    yield take(model, step, now)
                if step >= next_kept:
                    next_kept = next(kept)
                yield self.progress
                if last:
                    return

    def state(self) -> TrainState:
        """Return a copy of the state, on the CPU.

        To be asked only when a `Progress` was the last that came, or after a `LostRankError`: it is that of the last
        step that was done as a whole.

        Raises
        ------
        TrainingDivergedError
            If a weight is not finite.
        """
        tensors = weight_tensors(self._model, self._step)
        for name, parameter in _names(self._model, self._optimizer):
            for key in ADAM if parameter in self._optimizer.state else ():
                value = self._optimizer.state[parameter][key]
                tensors[f"{MOMENTS}{key}.{name}"] = value.detach().to("cpu", copy=True)
        between_epochs = self._step % self._per_epoch == 0
        tensors[SHUFFLER] = self._shuffler.get_state() if between_epochs else self._epoch_began
        tensors[SAMPLER] = self._sampler.get_state()
        tensors[SUMS] = self._sums.to("cpu", copy=True).double()
        return TrainState(
            step=self._step,
            examples=self._examples,
            since=self._since,
            seconds=self._seconds(),
            device=self._device.type,
            tensors=tensors,
        )

    def _load(self, state: TrainState) -> None:
        self._model.load_state_dict(state.weights)
        if state.step == 0:
            return
        self._step, self._examples, self._since = state.step, state.examples, state.since
        self._start -= state.seconds
        self._shuffler.set_state(state.tensors[SHUFFLER])
        if state.device == self._device.type:
            self._sampler.set_state(state.tensors[SAMPLER])
        else:  # another kind of device has other random streams: go on with a new one
            self._sampler.manual_seed(self._config.seed + state.step)
        self._sums.copy_(state.tensors[SUMS])
        moments = {}
        for place, (name, _) in enumerate(_names(self._model, self._optimizer)):
            if f"{MOMENTS}step.{name}" in state.tensors:  # a copy of each: the file's bytes are not aligned
                moments[place] = {key: state.tensors[f"{MOMENTS}{key}.{name}"].clone() for key in ADAM}
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        if self._scheduler is not None:  # its rate follows from the step
            self._scheduler.load_state_dict({"last_epoch": state.step - 1, "_step_count": state.step + 1})
            self._scheduler.step()

    def _begin_together(self) -> None:
        """See that the ranks train the same, from the same weights."""
        splits = torch.cat(list(splits_of(self._dataset).values()))
        told = {
            "model": self._model.describe(),
            "data": f"{len(self._dataset)} images of checksum {Fingerprint.of(self._dataset).blake2b}",
            "splits": f"checksum {zlib.crc32(splits.numpy().tobytes()):08x}",
            "step": self._step,
        }
        self._ranks.begin(
            self._model.state_dict().values(), self._config.as_dict() | {"device": self._device.type} | told
        )

    def _recorded(self) -> RecordedStep | None:
        """Return what does a step by replaying it, where that can be done."""
        wish = self._config.cuda_graphs
        if self._device.type != "cuda" or self._ranks.size > 1 or wish == "off":
            return None
        if wish == "auto" and not is_plain(self._model):
            return None
        return RecordedStep(self._learn, self._optimizer, self._sampler)

    def _learn(self, batch: Tensor) -> None:
        """Find the gradient of a batch, given by its rows on the device; follow it, if there is no schedule."""
        config = self._config
        share = self._share(len(batch))
        x = as_pixels(self._images.index_select(0, batch[share.rows]))  # (B, C, H, W); quicker than images[batch]
        with self._ranks.drawing(self._sampler, share):
            if self._written is not None and self._written.holds:
                gradient, sums = self._written(x, config.beta, self._sampler)
                gradients = [gradient]
            else:
                gradients, sums = self._differentiate(x)
        with torch.no_grad():
            self._combine(share, gradients, sums)
            if config.clip is not None:
                self._clip(gradients, config.clip)
            self._sums += sums
        if self._scheduler is None:
            self._follow()

    def _differentiate(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Give the parameters their gradients; return these, and the sums of loss, reconstruction and KL."""
        config, device = self._config, self._device
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            output = self._model.elbo(x, beta=config.beta, generator=self._sampler)
        for parameter in self._parameters:
            parameter.grad = None
        output.loss.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        with torch.no_grad():
            return gradients, torch.stack((output.loss * len(x), output.reconstruction.sum(), output.kl.sum()))

    def _share(self, count: int) -> Share:
        """Return this rank's share of the batch of a step that now begins."""
        if self._ranks.size > 1:
            self._step_began = self._sampler.get_state()
        return self._ranks.share(count)

    def _combine(self, share: Share, gradients: list[Tensor], sums: Tensor) -> None:
        """Make gradients and sums those of the whole batch."""
        try:
            self._ranks.combine(share, gradients, sums)
        except LostRankError:  # this step is not done: what it drew is still to be drawn
            self._sampler.set_state(self._step_began)
            if self._step % self._per_epoch == 0:
                self._shuffler.set_state(self._epoch_began)
            raise

    def _clip(self, gradients: list[Tensor], largest: float) -> None:
        """Clip each element; one by one, it is quicker on a CPU."""
        if self._device.type == "cuda":
            nn.utils.clip_grad_value_(self._parameters, largest, foreach=True)
        else:
            for gradient in gradients:
                gradient.clamp_(-largest, largest)

    def _rest_of_epoch(self) -> tuple[Tensor, ...]:
        """Shuffle the training split; return the batches that are still to come in this epoch."""
        self._epoch_began = self._shuffler.get_state()
        order = self._dataset.train
        shuffled = order[torch.randperm(len(order), generator=self._shuffler)].to(self._device)
        return torch.split(shuffled, self._config.batch_size)[self._step % self._per_epoch :]

    def _seconds(self) -> float:
        return time.perf_counter() - self._start


def epochs_done(step: int, per_epoch: int) -> float:
    """Return how many passes over the training split so many steps are."""
    whole, steps = divmod(step, per_epoch)
    return whole + steps / per_epoch


def _optimizer(model: VAE, config: TrainConfig, total: int) -> tuple[torch.optim.Adam, LRScheduler | None]:
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1 and config.l2], "weight_decay": config.l2},
        {"params": [p for p in trained if p.ndim <= 1 or not config.l2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]  # one, mostly: each takes its time
    device, rate = trained[0].device.type, config.learning_rate
    optimizer = CPUAdam(groups, rate) if device == "cpu" else torch.optim.Adam(groups, lr=rate, fused=device != "mps")
    if config.schedule == "one-cycle":
        return optimizer, OneCycleLR(optimizer, max_lr=config.learning_rate, total_steps=max(total, 2))
    return optimizer, None


def _names(model: VAE, optimizer: torch.optim.Adam) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters in the optimizer's order, each with its name."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return [(names[parameter], parameter) for group in optimizer.param_groups for parameter in group["params"]]
