"""Watch a variational autoencoder learn, and walk around in what it has learned."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vaeviz.data import Dataset, load_dataset
from vaeviz.latent import decode, embed
from vaeviz.models import VAE, ConvVAE, DenseVAE, Elbo, Posterior
from vaeviz.training import Metrics, Run, Snapshot, TrainConfig, TrainingRun, evaluate, train

if TYPE_CHECKING:
    from vaeviz.views import (
        CursorView,
        Explorer,
        ExplorerState,
        InterpolationView,
        LatentView,
        LossView,
        ManifoldView,
        ReconstructionView,
    )

__version__ = "0.1.0"

_VIEWS = (
    "CursorView",
    "Explorer",
    "ExplorerState",
    "InterpolationView",
    "LatentView",
    "LossView",
    "ManifoldView",
    "ReconstructionView",
)

__all__ = [
    "VAE",
    "ConvVAE",
    "CursorView",
    "Dataset",
    "DenseVAE",
    "Elbo",
    "Explorer",
    "ExplorerState",
    "InterpolationView",
    "LatentView",
    "LossView",
    "ManifoldView",
    "Metrics",
    "Posterior",
    "ReconstructionView",
    "Run",
    "Snapshot",
    "TrainConfig",
    "TrainingRun",
    "decode",
    "embed",
    "evaluate",
    "load_dataset",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import the views when one is first used: training alone needs no Panel."""
    if name in _VIEWS:
        return getattr(import_module("vaeviz.views"), name)
    raise AttributeError(f"module 'vaeviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
