"""What the colours of the scatter tell: the class of each example, or what it costs and how sure the encoder is."""

from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from vaeviz.latent import per_example_elbo
from vaeviz.training import Run, Snapshot
from vaeviz.views.palette import NUMBERS, class_colors

ColorBy = Literal["label", "KL", "reconstruction", "σ"]

UNITS = {"KL": "nats", "reconstruction": "nats", "σ": ""}
SHARES = 1, 99
"""Percentiles of the values at the ends of the palette: a few outliers don't take all colours."""

SCALE_CSS = f"""
:host > div > div {{ display: flex; align-items: center; justify-content: center; gap: 6px; font-size: 12px; }}
i {{ width: 90px; height: 9px; border-radius: 3px; background: linear-gradient(to right, {", ".join(NUMBERS)}); }}
"""

_reconstructions: WeakKeyDictionary[Snapshot, Float[np.ndarray, " N"]] = WeakKeyDictionary()


class Coloring(NamedTuple):
    """A value of each example, and the colours from the lowest to the highest.

    Attributes
    ----------
    by
        What the values are.
    values : ndarray (N,)
        Class numbers; or nats; or standard deviations of the posterior, the mean of all dimensions, in z.
    colors
        The palette.
    limits
        The values at the palette's ends.
    """

    by: ColorBy
    values: Float[np.ndarray, " N"]
    colors: tuple[str, ...]
    limits: tuple[float, float]


def coloring(by: ColorBy, run: Run, snapshot: Snapshot) -> Coloring:
    """Return the colours of a snapshot's examples; those of the reconstruction take a pass through the VAE, once."""
    if by == "label":
        count = max(1, len(run.dataset.class_names))
        return Coloring(by, classes(run, snapshot).astype(float), tuple(class_colors(count)), (-0.5, count - 0.5))
    mu, logvar = snapshot.embedding
    if by == "KL":
        values = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(1)
    elif by == "σ":
        values = np.exp(0.5 * logvar).mean(1)
    else:
        values = _reconstruction(snapshot)
    low, high = np.percentile(values, SHARES)
    return Coloring(by, values.astype(float), NUMBERS, (float(low), float(max(high, low + 1e-6))))


def classes(run: Run, snapshot: Snapshot) -> np.ndarray:
    """Return the class number of each embedded example; 0 where there are no labels."""
    labels = run.dataset.labels
    return np.zeros(len(snapshot.ids), int) if labels is None else labels.numpy()[snapshot.ids]


def scale_markup(shown: Coloring) -> str:
    """Return what the palette's ends stand for, as a line of HTML: "KL ≤ 3.1 ▭ ≥ 12 nats"."""
    low, high = (_number(limit) for limit in shown.limits)
    what = f"from the {SHARES[0]}st to the {SHARES[1]}th percentile of the embedded examples"
    return f"<div title='{what}'>{shown.by} ≤ {low}<i></i>≥ {high} {UNITS[shown.by]}</div>"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}" if abs(value) < 10 else f"{value:.1f}"


def _reconstruction(snapshot: Snapshot) -> Float[np.ndarray, " N"]:
    """Return what each example's reconstruction costs; snapshots stay the same, so each is asked once."""
    if snapshot not in _reconstructions:
        _reconstructions[snapshot] = per_example_elbo(snapshot.vae, snapshot.images).reconstruction
    return _reconstructions[snapshot]
