"""Training: the configuration, the loop (a generator), the run (its thread) and what it remembers."""

from vaeviz.training.config import TrainConfig
from vaeviz.training.device import available_devices, resolve_device
from vaeviz.training.evaluation import TrainingDivergedError, evaluate
from vaeviz.training.events import Metrics, Progress, Snapshot, Split, Status, kept_steps
from vaeviz.training.follow import FollowedRun, follow_run
from vaeviz.training.history import MetricsLog, SnapshotStore
from vaeviz.training.loop import train
from vaeviz.training.parallel import LostRankError, Ranks, join_ranks
from vaeviz.training.pretrained import load_pretrained
from vaeviz.training.protocol import Run
from vaeviz.training.resumed import resume_run
from vaeviz.training.run import TrainingRun
from vaeviz.training.saved import SavedRun, load_run
from vaeviz.training.snapshots import SnapshotTaker
from vaeviz.training.state import TrainState

__all__ = [
    "FollowedRun",
    "LostRankError",
    "Metrics",
    "MetricsLog",
    "Progress",
    "Ranks",
    "Run",
    "SavedRun",
    "Snapshot",
    "SnapshotStore",
    "SnapshotTaker",
    "Split",
    "Status",
    "TrainConfig",
    "TrainState",
    "TrainingDivergedError",
    "TrainingRun",
    "available_devices",
    "evaluate",
    "follow_run",
    "join_ranks",
    "kept_steps",
    "load_pretrained",
    "load_run",
    "resolve_device",
    "resume_run",
    "train",
]
