"""Training: the configuration, the loop (a generator), the run (its thread) and what it remembers."""

from vaeviz.training.config import TrainConfig
from vaeviz.training.device import available_devices, resolve_device
from vaeviz.training.evaluation import TrainingDivergedError, evaluate
from vaeviz.training.events import Metrics, Progress, Snapshot, Split, kept_steps
from vaeviz.training.history import MetricsLog, SnapshotStore
from vaeviz.training.loop import train
from vaeviz.training.run import Run, Status, TrainingRun
from vaeviz.training.snapshots import SnapshotTaker

__all__ = [
    "Metrics",
    "MetricsLog",
    "Progress",
    "Run",
    "Snapshot",
    "SnapshotStore",
    "SnapshotTaker",
    "Split",
    "Status",
    "TrainConfig",
    "TrainingDivergedError",
    "TrainingRun",
    "available_devices",
    "evaluate",
    "kept_steps",
    "resolve_device",
    "train",
]
