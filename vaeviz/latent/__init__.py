"""The geometry of the code: the prior's grid, embedding and decoding, and paths between points."""

from vaeviz.latent.coding import Embedding, ExampleElbo, decode, embed, one_thread, per_example_elbo
from vaeviz.latent.grid import (
    linear_ticks,
    manifold_codes,
    percentile_grid,
    plane_codes,
    prior_ticks,
    tile,
    to_u,
    to_z,
)
from vaeviz.latent.paths import linear_path, path, polyline, random_walk, resample, spherical_path
from vaeviz.latent.plane import Plane, axes_plane, principal_plane

__all__ = [
    "Embedding",
    "ExampleElbo",
    "Plane",
    "axes_plane",
    "decode",
    "embed",
    "linear_path",
    "linear_ticks",
    "manifold_codes",
    "one_thread",
    "path",
    "per_example_elbo",
    "percentile_grid",
    "plane_codes",
    "polyline",
    "principal_plane",
    "prior_ticks",
    "random_walk",
    "resample",
    "spherical_path",
    "tile",
    "to_u",
    "to_z",
]
