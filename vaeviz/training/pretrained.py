"""The trained models that come with the package: somebody explores at once, before training anything.

A folder holds ``model.json`` (architecture, configuration, figures, curves) and ``step-N.safetensors`` for every step
that is kept: the last in float16, those before it in 8 bits a weight with one scale a row, which is enough to look at.
``scripts/train_pretrained.py`` writes it.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from vaeviz.data import Dataset, load_dataset
from vaeviz.models import VAE
from vaeviz.models.build import build_on_meta
from vaeviz.training.config import TrainConfig
from vaeviz.training.events import Metrics, Snapshot, Status
from vaeviz.training.files import SUFFIX, Entry, damaged, get_tensors
from vaeviz.training.history import Kept, MetricsLog, SnapshotStore
from vaeviz.training.snapshots import SnapshotTaker

FORMAT = 1
FOLDER = Path(__file__).parents[1] / "pretrained"
MANIFEST = "model.json"
LARGEST_MANIFEST = 2**20
SCALE = ".scale"
"""What the name of the scales of an 8-bit weight ends with."""

PRETRAINED_NAMES: tuple[str, ...] = ("mnist-2d", "mnist-50d")
"""The names that `load_pretrained` knows; the app opens on the first."""


class PretrainedRun:
    """What `load_pretrained` gives: a `Run` that has come to its end.

    Parameters
    ----------
    name : str
        Which it is; also its `id`.
    dataset : Dataset
        What its snapshots embed.
    folder : Path
        Where it lies.

    Attributes
    ----------
    model : VAE
        With the last weights, on the CPU, in eval mode.
    config : TrainConfig
        How it was trained, on the whole of MNIST.
    step, epoch, total_steps
        How long it was trained.
    figures : dict
        What was measured when it was trained: minus the ELBO of MNIST's 10,000 test images, and its terms, in nats an
        image, and more.
    """

    status: Status = "finished"
    error: str | None = None

    def __init__(self, name: str, dataset: Dataset, folder: Path) -> None:
        path = folder / MANIFEST
        values = _read(path)
        try:
            template = build_on_meta(values["model"]["kind"], values["model"]["config"])
            kept = [_kept(folder, each, template) for each in values["snapshots"]]
            self.config = TrainConfig(**values["config"])
            self.figures: dict[str, Any] = values["figures"]
            self._log = _log(values["metrics"])
            self.step, self.epoch = kept[-1].step, kept[-1].epoch
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise damaged(path, f"it does not tell of a trained model ({error!r})") from None
        shape = tuple(values["model"]["config"]["image_shape"])
        if dataset.image_shape != shape:
            raise ValueError(
                f"{name!r} is a model of images of shape {shape} (C, H, W), but those of {dataset.name} are"
                f" {dataset.image_shape}: give a dataset of that shape"
            )
        self.id, self.dataset, self.total_steps = name, dataset, self.step
        self.model = template.eval()
        self.model.load_state_dict(kept[-1].read(), assign=True)
        taker = SnapshotTaker(self.model, dataset, self.config)
        self._store = SnapshotStore(taker)
        for each in kept:
            self._store.saved(each)
        self._store.add(taker.take(self.model, self.step, self.epoch), keep=True)

    def __repr__(self) -> str:
        return f"PretrainedRun({self.id!r}: {self.model.describe()} on {self.dataset.name}, step {self.step:,})"

    @property
    def steps(self) -> list[int]:
        """Steps of the kept snapshots, ascending."""
        return self._store.steps

    def metrics_since(self, cursor: int) -> tuple[list[Metrics], int]:
        """Return the rows of metrics from the cursor on, and the cursor for the next call (begin with 0)."""
        return self._log.since(cursor)

    def metrics_table(self, cursor: int, most: int) -> tuple[Float64[np.ndarray, "R 7"], int]:
        """Return at most so many rows from the cursor on as numbers, and the cursor for the next call."""
        return self._log.table(cursor, most)

    def snapshot(self, step: int | None = None) -> Snapshot:
        """Return the newest snapshot, or that of a kept step.

        Raises
        ------
        ValueError
            If the step is not one of `steps`, or its file is damaged.
        """
        newest = self._store.newest
        assert newest is not None
        return newest if step is None else self._store.get(step)


def load_pretrained(name: str, dataset: Dataset | None = None) -> PretrainedRun:
    """Load a model that was trained on the whole of MNIST and comes with the package.

    Parameters
    ----------
    name : str
        "mnist-2d" (500-500-2) or "mnist-50d" (500-500-50).
    dataset : Dataset, optional
        What to embed, of images of 1 × 28 × 28; by default "mnist-5k", which needs no download. Its digits are among
        those that the model was trained on, whatever their split: how well a model does on images that it has not
        seen stands in `figures`.

    Raises
    ------
    ValueError
        If there is no such model, if the dataset's images are of another shape, or if a file is damaged.
    FileNotFoundError
        If a file is missing.
    """
    if name not in PRETRAINED_NAMES:
        raise ValueError(f"there is no pretrained model {name!r}: give one of {', '.join(PRETRAINED_NAMES)}")
    return PretrainedRun(name, load_dataset("mnist-5k") if dataset is None else dataset, FOLDER / name)


def packed(weights: Mapping[str, Tensor], *, eight_bits: bool) -> dict[str, Tensor]:
    """Return weights as they are kept: float16, or, where they are matrices and it is asked for, int8 with scales."""
    tensors: dict[str, Tensor] = {}
    for name, value in weights.items():
        if eight_bits and value.ndim == 2:
            scale = value.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127  # (rows, 1)
            tensors |= {name: (value / scale).round().to(torch.int8), name + SCALE: scale}
        else:
            tensors[name] = value.half()
    return tensors


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return kept weights as the float32 that they stand for."""
    return {
        name: value.float() * tensors[name + SCALE] if value.dtype == torch.int8 else value.float()
        for name, value in tensors.items()
        if not name.endswith(SCALE)
    }


def file_name(step: int) -> str:
    """Return the name of the file that holds the weights of a step."""
    return f"step-{step}{SUFFIX}"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: install vaeviz again")
    if path.stat().st_size > LARGEST_MANIFEST:
        raise damaged(path, f"it has more than {LARGEST_MANIFEST:,} bytes")
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise damaged(path, f"it is not the JSON that was written ({error})") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise damaged(path, f"it is not of format {FORMAT}")
    return values


def _kept(folder: Path, record: Mapping[str, Any], template: VAE) -> Kept:
    step = int(record["step"])
    entry = Entry(file_name(step), int(record["size"]), str(record["blake2b"]))
    shapes = {name: value.shape for name, value in template.state_dict().items()}
    return Kept(step, float(record["epoch"]), partial(_weights, folder, entry, shapes))


def _weights(folder: Path, entry: Entry, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """Read the weights of a step, which must be those of the model."""
    tensors = get_tensors(folder, entry)
    try:
        weights = unpacked(tensors)
    except (KeyError, RuntimeError) as error:
        raise damaged(folder / entry.file, f"a weight does not fit its scales ({error})") from None
    types = {value.dtype for name, value in tensors.items() if not name.endswith(SCALE)}
    if {name: value.shape for name, value in weights.items()} != shapes or not types <= {torch.float16, torch.int8}:
        raise damaged(folder / entry.file, "its weights are not those of the model")
    return weights


def _log(rows: Sequence[Sequence[Any]]) -> MetricsLog:
    log = MetricsLog()
    for row in rows:
        log.append(Metrics(*row))
    if not np.isfinite(log.values()).all():
        raise ValueError("its metrics are not finite")
    return log
