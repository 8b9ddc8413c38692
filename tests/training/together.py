"""What test_parallel.py lets two processes do together; each writes what it saw into a folder.

torchrun --nproc-per-node 2 -m tests.training.together FOLDER
"""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.training.small import FOREVER, config, in_step, noise, raising, small_model, weights
from vaeviz.data import Dataset
from vaeviz.models import VAE, ConvVAE
from vaeviz.training import Metrics, Ranks, Snapshot, TrainConfig, TrainingRun, evaluate, join_ranks, train
from vaeviz.training.loop import Trainer
from vaeviz.training.parallel import ALONE

Case = tuple[Callable[[Dataset], VAE], Dataset, TrainConfig]


def convolutional(data: Dataset) -> VAE:
    return ConvVAE(data.image_shape, channels=(4, 8), hidden_size=8, generator=torch.Generator().manual_seed(0))


def with_dropout(data: Dataset) -> VAE:
    return small_model(data, dropout=0.4)


def partly_frozen(data: Dataset) -> VAE:
    model = small_model(data)
    model.encoder.requires_grad_(False)
    return model


# The first three differ in the last batch of an epoch: 2 examples, 3 (shares of 1 and 2), and 1 (fewer than ranks).
CASES: dict[str, Case] = {
    "plain": (small_model, noise(), config(log_every=1)),
    "ragged": (small_model, noise(train=51, validation=21), config(log_every=3)),
    "a last batch of one": (small_model, noise(train=49, validation=1), config(log_every=1)),
    "dropout": (with_dropout, noise(train=51), config(log_every=1)),
    "a small clip": (small_model, noise(), config(clip=0.01)),
    "one cycle with l2 and beta": (small_model, noise(), config(schedule="one-cycle", l2=0.1, beta=4.0)),
    "bf16": (small_model, noise(), config(precision="bf16")),
    "convolutional": (convolutional, noise(train=51), config()),
    "partly frozen": (partly_frozen, noise(), config()),
}


def rows_and_weights(case: str, ranks: Ranks = ALONE) -> tuple[list[Metrics], dict[str, torch.Tensor]]:
    make, data, settings = CASES[case]
    model = make(data)
    rows = [each for each in train(model, data, settings, ranks=ranks) if isinstance(each, Metrics)]
    return rows, weights(model)


def resumed(ranks: Ranks = ALONE) -> dict[str, torch.Tensor]:
    """Train five steps in one process, and go on, perhaps in two."""
    data = noise(train=51)
    begun = Trainer(with_dropout(data), data, config(steps=5, log_every=3))
    list(begun.events())
    model = with_dropout(data)
    list(train(model, data, config(steps=13, log_every=3), resume=begun.state(), ranks=ranks))
    return weights(model)


def _other_weights_on_rank_1(ranks: Ranks) -> dict[str, torch.Tensor]:
    _, data, settings = CASES["plain"]
    model = small_model(data, seed=ranks.rank)
    list(train(model, data, settings, ranks=ranks))
    return weights(model)


def _wish_of_rank_1(ranks: Ranks) -> tuple[int, int]:
    data = noise()
    trainer = Trainer(small_model(data), data, config(steps=FOREVER), ranks=ranks)
    events = list(trainer.events(ends=lambda: ranks.rank == 1 and trainer.progress.step > 12))
    return events[-1].step, [event.step for event in events if isinstance(event, Snapshot)][-1]


def _error(act: Callable[[], Any]) -> str:
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def _nan_on_rank_1(ranks: Ranks) -> str:
    data = noise()
    model = small_model(data)
    if ranks.rank == 1:
        in_step(model.decoder, 3, lambda logits: logits * math.nan)
    return _error(lambda: list(train(model, data, config(steps=FOREVER), ranks=ranks)))


def _other_options_on_rank_1(ranks: Ranks) -> str:
    data, settings = noise(), config(beta=1.0 + ranks.rank)
    return _error(lambda: list(train(small_model(data), data, settings, ranks=ranks)))


def _other_data_on_rank_1(ranks: Ranks) -> str:
    data = noise()
    if ranks.rank == 1:
        data = replace(data, images=data.images.flip(0))
    return _error(lambda: list(train(small_model(data), data, config(), ranks=ranks)))


def _together(ranks: Ranks) -> list[str]:
    def fail(rank: int) -> None:
        with ranks.together():
            if ranks.rank == rank:
                raise OSError("no room")

    return [_error(lambda rank=rank: fail(rank)) for rank in (5, 1)]


def _runs(ranks: Ranks, folder: Path) -> tuple[str, int, list[int], bool]:
    """Pause and stop a run on rank 0, of which rank 1 knows nothing."""
    data = noise()
    run = TrainingRun(
        small_model(data), data, config(steps=FOREVER), folder=folder, live=True, ranks=ranks
    )  # the same folder on both
    run.start()
    if ranks.first:
        run.pause()
        paused = run.status == "paused" and run.snapshot().step == run.step
        run.resume()
        run.pause()
        run.stop()
    else:
        paused = run.folder is None
        run.wait()
    return run.status, run.step, run.steps, paused


def _lost(ranks: Ranks, folder: Path) -> tuple[str, str]:
    """Let rank 1 fail in the first step of the second epoch; to be the last, for rank 0 has then lost it."""
    data = noise(train=51)
    model = with_dropout(data)
    run = TrainingRun(model, data, config(steps=FOREVER, log_every=3), folder=folder, ranks=ranks)
    if ranks.rank == 1:
        in_step(model.decoder, 5, raising(KeyError("gone")))
    run.start()
    run.wait()
    return run.status, str(run.error)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with join_ranks() as ranks:
        seen: dict[str, Any] = {case: rows_and_weights(case, ranks) for case in CASES}
        make, data, settings = CASES["ragged"]
        seen |= {
            "resumed": resumed(ranks),
            "evaluated": evaluate(make(data), data, "validation", settings, ranks=ranks),
            "other weights": _other_weights_on_rank_1(ranks),
            "wish": _wish_of_rank_1(ranks),
            "nan": _nan_on_rank_1(ranks),
            "other options": _other_options_on_rank_1(ranks),
            "other data": _other_data_on_rank_1(ranks),
            "together": _together(ranks),
            "run": _runs(ranks, folder / "run"),
        }
        if ranks.rank == 1:
            torch.save(seen, folder / "1.pt")
        seen["lost"] = _lost(ranks, folder / "lost")
        if ranks.first:
            torch.save(seen, folder / "0.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
