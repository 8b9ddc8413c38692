"""Take it home: figures as PNG and SVG, animations as GIF and MP4, examples and metrics as arrays and tables."""

from vaeviz.export.animation import export_animation, export_walk
from vaeviz.export.figures import (
    cursor_figure,
    interpolation_figure,
    loss_figure,
    planes_figure,
    reconstruction_figure,
    traversal_figure,
)
from vaeviz.export.picture import save_figure, to_bytes
from vaeviz.export.tables import examples_csv, examples_npz, metrics_csv

__all__ = [
    "cursor_figure",
    "examples_csv",
    "examples_npz",
    "export_animation",
    "export_walk",
    "interpolation_figure",
    "loss_figure",
    "metrics_csv",
    "planes_figure",
    "reconstruction_figure",
    "save_figure",
    "to_bytes",
    "traversal_figure",
]
