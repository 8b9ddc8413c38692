"""The views: plots (pure functions), the state that they share, one Viewer a view, and the Explorer of all."""

from vaeviz.views.cursor import CursorView
from vaeviz.views.dimensions import DimensionsView
from vaeviz.views.explorer import Explorer
from vaeviz.views.interpolation import InterpolationView
from vaeviz.views.latent import LatentView
from vaeviz.views.locked import work_with_the_lock
from vaeviz.views.loss import LossView
from vaeviz.views.manifold import ManifoldView
from vaeviz.views.model import ModelView
from vaeviz.views.reconstructions import ReconstructionView
from vaeviz.views.state import ExplorerState
from vaeviz.views.status import StatusView
from vaeviz.views.timeline import TimelineView

work_with_the_lock()

__all__ = [
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
]
