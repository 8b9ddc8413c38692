"""The geometry of the code: the prior's grid, embedding and decoding, and paths between points."""

from vaeviz.latent.coding import Embedding, ExampleElbo, decode, embed, per_example_elbo
from vaeviz.latent.density import density_contours, posterior_ellipses
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
from vaeviz.latent.traversals import active_units, kl_per_dimension, order_by_kl, traversal_codes, traversal_ticks

__all__ = [
    "Embedding",
    "ExampleElbo",
    "Plane",
    "active_units",
    "axes_plane",
    "decode",
    "density_contours",
    "embed",
    "kl_per_dimension",
    "linear_path",
    "linear_ticks",
    "manifold_codes",
    "order_by_kl",
    "path",
    "per_example_elbo",
    "percentile_grid",
    "plane_codes",
    "polyline",
    "posterior_ellipses",
    "principal_plane",
    "prior_ticks",
    "random_walk",
    "resample",
    "spherical_path",
    "tile",
    "to_u",
    "to_z",
    "traversal_codes",
    "traversal_ticks",
]
