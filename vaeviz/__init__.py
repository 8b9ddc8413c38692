"""Watch a variational autoencoder learn, and walk around in what it has learned."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import vaeviz.openmp  # noqa: F401  # first of all
from vaeviz.data import Dataset, load_dataset
from vaeviz.latent import decode, embed
from vaeviz.models import VAE, ConvVAE, DenseVAE, Elbo, Posterior
from vaeviz.monitor import Monitor, MonitorWarning, watch
from vaeviz.training import (
    FollowedRun,
    Metrics,
    Run,
    SavedRun,
    Snapshot,
    TrainConfig,
    TrainingRun,
    evaluate,
    follow_run,
    load_pretrained,
    load_run,
    resume_run,
    train,
)

if TYPE_CHECKING:
    from vaeviz.export import examples_csv, examples_npz, export_animation, export_walk, metrics_csv, save_figure
    from vaeviz.views import (
        CursorView,
        DimensionsView,
        Explorer,
        ExplorerState,
        InterpolationView,
        LatentView,
        LossView,
        ManifoldView,
        ModelView,
        ReconstructionView,
        StatusView,
        TimelineView,
    )

__version__ = "0.1.0"

_VIEWS = (
    "CursorView",
    "DimensionsView",
    "Explorer",
    "ExplorerState",
    "InterpolationView",
    "LatentView",
    "LossView",
    "ManifoldView",
    "ModelView",
    "ReconstructionView",
    "StatusView",
    "TimelineView",
)

_EXPORT = ("examples_csv", "examples_npz", "export_animation", "export_walk", "metrics_csv", "save_figure")

__all__ = [
    "VAE",
    "ConvVAE",
    "CursorView",
    "Dataset",
    "DenseVAE",
    "DimensionsView",
    "Elbo",
    "Explorer",
    "ExplorerState",
    "FollowedRun",
    "InterpolationView",
    "LatentView",
    "LossView",
    "ManifoldView",
    "Metrics",
    "ModelView",
    "Monitor",
    "MonitorWarning",
    "Posterior",
    "ReconstructionView",
    "Run",
    "SavedRun",
    "Snapshot",
    "StatusView",
    "TimelineView",
    "TrainConfig",
    "TrainingRun",
    "decode",
    "embed",
    "evaluate",
    "examples_csv",
    "examples_npz",
    "export_animation",
    "export_walk",
    "follow_run",
    "load_dataset",
    "load_pretrained",
    "load_run",
    "metrics_csv",
    "resume_run",
    "save_figure",
    "train",
    "watch",
]


def _show_progress(run: TrainingRun) -> None:
    """Show, in a notebook, one line that tells how a run goes; elsewhere nothing."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None:
        ipython.display.display(import_module("vaeviz.views").StatusView(run))


TrainingRun.on_start = _show_progress


def __getattr__(name: str) -> Any:
    """Import the views and exports when one is first used: training alone needs no Panel and no matplotlib."""
    if name in _VIEWS:
        return getattr(import_module("vaeviz.views"), name)
    if name in _EXPORT:
        return getattr(import_module("vaeviz.export"), name)
    raise AttributeError(f"module 'vaeviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
