"""What one save of a run holds, and how it is told in JSON and read again without trusting it."""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from vaeviz.models import VAE
from vaeviz.models.build import kind_of
from vaeviz.training.config import TrainConfig
from vaeviz.training.events import Status
from vaeviz.training.files import SUFFIX, Entry, damaged
from vaeviz.training.fingerprint import SPLIT_NAMES, Fingerprint
from vaeviz.training.history import COLUMNS, SPLITS, Kept
from vaeviz.training.state import ADAM, MOMENTS, SAMPLER, SHUFFLER, SUMS, WEIGHTS, TrainState

FORMAT = 1
LARGEST_MANIFEST = 16 * 2**20
LARGEST_WHOLE = 2**53
METRICS = "metrics"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What is known of a model beside its weights."""

    kind: str | None
    """The name of its class, if that can be built from `config` alone."""

    config: Mapping[str, Any] | None
    words: str
    frozen: tuple[str, ...]
    """Parameters that are not trained."""

    @classmethod
    def of(cls, model: VAE) -> "Architecture":
        """Describe a model."""
        kind = kind_of(model)
        return cls(
            kind=kind,
            config=None if kind is None else model.config,  # type: ignore[arg-type]  # the kinds have one
            words=model.describe(),
            frozen=tuple(name for name, parameter in model.named_parameters() if not parameter.requires_grad),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """A run as it is saved."""

    id: str
    status: Status
    epoch: float
    total_steps: int
    architecture: Architecture
    config: TrainConfig
    dataset: Fingerprint
    splits: Mapping[str, Tensor]
    state: TrainState
    metrics: Float64[np.ndarray, "R 7"]
    snapshots: Sequence[Kept]


class Manifest:
    """The one small file that names all others of a save; replacing it is what makes a save.

    Parameters
    ----------
    path : Path
        For messages.
    values : dict
        As JSON has them.
    """

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self._path = path
        self._values = values

    @classmethod
    def of(
        cls, path: Path, saved: Checkpoint, state: Entry, splits: Entry, snapshots: Mapping[int, Entry]
    ) -> "Manifest":
        """Describe a save whose files are written."""
        return cls(
            path,
            {
                "format": FORMAT,
                "vaeviz": version("vaeviz"),
                "id": saved.id,
                "status": saved.status,
                "step": saved.state.step,
                "epoch": saved.epoch,
                "total_steps": saved.total_steps,
                "examples": saved.state.examples,
                "since": saved.state.since,
                "seconds": saved.state.seconds,
                "device": saved.state.device,
                "model": vars(saved.architecture),
                "config": saved.config.as_dict(),
                "dataset": vars(saved.dataset),
                "splits": splits._asdict(),
                "state": state._asdict(),
                "snapshots": [
                    {"step": kept.step, "epoch": kept.epoch, **snapshots[kept.step]._asdict()}
                    for kept in saved.snapshots
                ],
            },
        )

    @classmethod
    def parse(cls, path: Path, body: bytes) -> "Manifest":
        """Read JSON, and see that it is of this version.

        Raises
        ------
        ValueError
        """
        try:
            values = json.loads(body, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise damaged(path, f"it is not the JSON that was written ({error})") from None
        if not isinstance(values, dict) or "format" not in values:
            raise damaged(path, "it does not tell of a run")
        if values["format"] != FORMAT:
            writer = values.get("vaeviz")
            raise ValueError(
                f"{path} was written by another version of vaeviz ({str(writer)[:40]}, format"
                f" {str(values['format'])[:40]}), but this one reads format {FORMAT}: load it with that version"
            )
        return cls(path, values)

    def body(self) -> bytes:
        """Return the JSON."""
        return json.dumps(self._values, indent=1, allow_nan=False).encode()

    @property
    def state(self) -> Entry:
        """The file of weights, optimizer, random streams and metrics."""
        return self._entry(self._record("state"), r"state-\d{1,19}")

    @property
    def splits(self) -> Entry:
        """The file of indices of the splits."""
        return self._entry(self._record("splits"), "splits")

    @property
    def snapshots(self) -> list[tuple[int, float, Entry]]:
        """Step, epoch and file of the kept snapshots."""
        records = self._get("snapshots", lambda v: isinstance(v, list) and all(isinstance(each, dict) for each in v))
        found = [
            (
                self._get("step", _whole, record),
                float(self._get("epoch", _real, record)),
                self._entry(record, r"snapshots/\d{1,19}"),
            )
            for record in records
        ]
        steps = [step for step, _, _ in found]
        if steps != sorted(set(steps)) or (steps and steps[-1] > self._get("step", _whole)):
            raise damaged(self._path, "its snapshots are not in order")
        return found

    def checkpoint(
        self, tensors: Mapping[str, Tensor], splits: Mapping[str, Tensor], snapshots: Sequence[Kept]
    ) -> Checkpoint:
        """Return the save that consists of this and of what the files hold, all of it checked.

        Raises
        ------
        ValueError
        """
        if set(splits) != set(SPLIT_NAMES) or any(ids.dtype != torch.int64 or ids.ndim != 1 for ids in splits.values()):
            raise damaged(self._path, "its splits are not whole")
        config, state = self._config(), self._state(tensors)
        total = config.total_steps(len(splits["train"]))
        if state.step > total:
            raise damaged(self._path, f"step {state.step:,} is beyond the last, {total:,}")
        return Checkpoint(
            id=self._get("id", lambda v: _text(v) and re.fullmatch(r"[\w-]{1,64}", v)),
            status=self._get("status", lambda v: v in get_args(Status)),
            epoch=float(self._get("epoch", _real)),
            total_steps=total,
            architecture=self._architecture(),
            config=config,
            dataset=self._fingerprint(),
            splits=splits,
            state=state,
            metrics=self._metrics(tensors),
            snapshots=snapshots,
        )

    def _config(self) -> TrainConfig:
        try:
            return TrainConfig(**self._record("config"))
        except (TypeError, ValueError) as error:
            raise damaged(self._path, f"its config is not a TrainConfig ({error})") from None

    def _architecture(self) -> Architecture:
        record = self._record("model")
        return Architecture(
            kind=self._get("kind", lambda v: v is None or _text(v), record),
            config=self._get("config", lambda v: v is None or isinstance(v, dict), record),
            words=self._get("words", _text, record),
            frozen=tuple(self._get("frozen", _texts, record)),
        )

    def _fingerprint(self) -> Fingerprint:
        record = self._record("dataset")
        return Fingerprint(
            name=self._get("name", _text, record),
            source=self._get("source", lambda v: v is None or _text(v), record),
            image_shape=tuple(self._get("image_shape", lambda v: isinstance(v, list) and all(map(_whole, v)), record)),
            count=self._get("count", _whole, record),
            class_names=tuple(self._get("class_names", _texts, record)),
            blake2b=self._get("blake2b", _text, record),
        )

    def _state(self, tensors: Mapping[str, Tensor]) -> TrainState:
        state = TrainState(
            step=self._get("step", _whole),
            examples=self._get("examples", _whole),
            since=self._get("since", _whole),
            seconds=float(self._get("seconds", _real)),
            device=self._get("device", _text),
            tensors={name: value for name, value in tensors.items() if name != METRICS},
        )
        problem = check_state(state)
        if problem is not None:
            raise damaged(self._path.parent, problem)
        return state

    def _metrics(self, tensors: Mapping[str, Tensor]) -> Float64[np.ndarray, "R 7"]:
        rows = tensors.get(METRICS, torch.empty(0))
        good = rows.dtype == torch.float64 and rows.ndim == 2 and rows.shape[1] == COLUMNS
        if not good or not bool(torch.isfinite(rows).all()):
            raise damaged(self._path.parent, "its metrics are not rows of finite numbers")
        step, _, split, *_ = rows.T
        if not bool(((step >= 0) & (step <= LARGEST_WHOLE) & (split >= 0) & (split < len(SPLITS))).all()):
            raise damaged(self._path.parent, "its metrics have steps or splits that there are not")
        return rows.numpy()

    def _entry(self, record: Mapping[str, Any], stem: str) -> Entry:
        """Return a file of the folder: its name must be one that is written here, and so leads nowhere else."""
        name = re.compile(rf"{stem}-[0-9a-f]{{16}}{re.escape(SUFFIX)}", re.ASCII)
        return Entry(
            file=self._get("file", lambda v: _text(v) and name.fullmatch(v), record),
            size=self._get("size", _whole, record),
            blake2b=self._get("blake2b", _text, record),
        )

    def _record(self, name: str) -> dict[str, Any]:
        record: dict[str, Any] = self._get(name, lambda v: isinstance(v, dict))
        return record

    def _get(self, name: str, good: Callable[[Any], object], record: Mapping[str, Any] | None = None) -> Any:
        value = (self._values if record is None else record).get(name)
        if not good(value):
            raise damaged(self._path, f"{name} is {repr(value)[:60]}")
        return value


def check_state(state: TrainState) -> str | None:
    """Return in words what a state lacks to go on from; None if nothing."""
    tensors, names = dict(state.tensors), set(state.weights)
    for name, value in state.weights.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            return f"the weight {name} is not finite"
        tensors.pop(f"{WEIGHTS}{name}")
    if state.step == 0:
        return "it has more than weights at step 0" if tensors else None
    for name in names:
        moments = [tensors.pop(f"{MOMENTS}{key}.{name}", None) for key in ADAM]
        shapes = [None if moment is None else moment.shape for moment in moments]
        if shapes not in ([None] * 3, [torch.Size(), *[state.weights[name].shape] * 2]):
            return f"the optimizer's state of {name} does not fit the weights"
    if set(tensors) != {SHUFFLER, SAMPLER, SUMS}:
        return "the state of its optimizer or random streams is not whole"
    if tensors[SUMS].dtype != torch.float64 or tensors[SUMS].shape != (3,) or state.since > state.examples:
        return "its running sums are not whole"
    try:
        torch.Generator().set_state(tensors[SHUFFLER])
        if state.device == "cpu":
            torch.Generator().set_state(tensors[SAMPLER])
    except (RuntimeError, TypeError):
        return "its random streams are not states of torch's generator"
    return None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_WHOLE


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def _text(value: object) -> bool:
    return isinstance(value, str)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))
