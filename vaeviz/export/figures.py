"""What a run looks like at a step, as matplotlib figures: each view of the explorer, for papers and slides."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.figure import Figure

from vaeviz.export.drawing import TERMS, draw_grid, draw_losses, draw_strip, number
from vaeviz.export.paper import Paper, Theme, blank, paper_of, place, write
from vaeviz.export.planes import Planes, plane_words
from vaeviz.export.rows import checked_codes, checked_rows
from vaeviz.latent import decode, manifold_codes, path, per_example_elbo
from vaeviz.training import Metrics, Run, Snapshot
from vaeviz.training.events import when

TILE = 60
"""Pixels of a tile's longer side."""

MOST_DIMENSIONS = 12
LEFT, TOP, BOTTOM, RIGHT = 110, 40, 44, 18


def planes_figure(run: Run, step: int | None = None, **options: Any) -> Figure:
    """Return the latent plane, the manifold, or both, at a step.

    Parameters
    ----------
    run : Run
    step : int, optional
        One of ``run.steps``; the newest snapshot if left out.
    **options
        Of `Planes`: what, limit, side, axes, coordinates, manifold_range, color_by, theme.

    Raises
    ------
    ValueError
        If there is no such step, or an option is not one that is allowed.
    """
    snapshot = run.snapshot(step)
    planes = Planes(run.dataset, snapshot.vae.latent_dim, **options)
    planes.show(snapshot)
    return planes.figure


def loss_figure(
    run: Run,
    *,
    term: Literal["loss", "reconstruction", "kl"] = "loss",
    log_steps: bool = False,
    theme: Theme = "light",
) -> Figure:
    """Return the loss, or one of its terms, over the steps, in nats per example.

    Raises
    ------
    ValueError
        If the run has no metrics yet, or there is no such term.
    """
    if term not in TERMS:
        raise ValueError(f"term={term!r}: must be 'loss', 'reconstruction' or 'kl'")
    rows, _ = run.metrics_since(0)
    if not rows:
        raise ValueError("the run has no metrics yet: train first, then draw its loss")
    paper = paper_of(theme)
    figure = blank(640, 380, paper)
    axes = place(figure, 64, TOP, 640 - 64 - RIGHT, 380 - TOP - 48, paper)
    draw_losses(axes, rows, term=term, log_steps=log_steps, paper=paper)
    _head(figure, rows[-1], run.dataset.name, 64, paper)
    return figure


def interpolation_figure(
    run: Run,
    ends: Float[np.ndarray, "2 L"],
    *,
    count: int = 14,
    kind: Literal["linear", "spherical"] = "linear",
    step: int | None = None,
    theme: Theme = "light",
) -> Figure:
    """Return the strip of images on the path from A to B.

    Parameters
    ----------
    run : Run
    ends : ndarray (2, L)
        The codes A and B.
    count : int
        Images, both ends included; at least 2.
    kind : {"linear", "spherical"}
    step : int, optional
        One of ``run.steps``; the newest snapshot if left out.
    theme : {"light", "dark"}

    Raises
    ------
    ValueError
        If the ends are not two codes of the model, count is below 2, or there is no such kind or step.
    """
    snapshot = run.snapshot(step)
    a, b = checked_codes(ends, snapshot.vae.latent_dim, least=2)[:2]
    images = decode(snapshot.vae, path(a, b, count, kind).astype(np.float32))
    labels = ["A", *(number(t, 2) for t in np.linspace(0, 1, count)[1:-1]), "B"]
    paper = paper_of(theme)
    figure, place_of = _grid_figure(images.shape[1:], 1, count, paper, left=RIGHT, bottom=48)
    axes = place(figure, *place_of, paper)
    draw_strip(axes, images, labels=labels, paper=paper)
    axes.set_xlabel(f"t, from A {plane_words(a)} to B {plane_words(b)}, {kind}")
    _head(figure, snapshot, run.dataset.name, RIGHT, paper)
    return figure


def reconstruction_figure(run: Run, rows: Sequence[int], *, step: int | None = None, theme: Theme = "light") -> Figure:
    """Return examples over their reconstructions over the absolute difference, with what each costs below.

    Parameters
    ----------
    run : Run
    rows : sequence of int
        Rows of the snapshot's examples, such as a selection; 24 at most look well.
    step : int, optional
        One of ``run.steps``; the newest snapshot if left out.
    theme : {"light", "dark"}

    Raises
    ------
    ValueError
        If there are no rows, one is not a row of the snapshot, or there is no such step.
    """
    snapshot = run.snapshot(step)
    chosen = checked_rows(rows, len(snapshot.ids))
    originals = _pixels(snapshot, chosen)
    again = decode(snapshot.vae, snapshot.mu[chosen])
    nats = per_example_elbo(snapshot.vae, snapshot.images[chosen]).reconstruction
    columns = [f"{name}\n{cost:.0f}" for name, cost in zip(_labels(run, snapshot, chosen), nats, strict=True)]
    paper = paper_of(theme)
    figure, place_of = _grid_figure(originals.shape[1:], 3, len(chosen), paper, bottom=62)
    axes = place(figure, *place_of, paper)
    stack = np.concatenate((originals, again, np.abs(originals - again)))
    draw_grid(axes, stack, rows=["original", "reconstruction", "difference"], columns=columns, paper=paper)
    axes.set_xlabel("label, and −log p(x | z) in nats")
    _head(figure, snapshot, run.dataset.name, LEFT, paper)
    return figure


def traversal_figure(
    run: Run,
    *,
    base: Float[np.ndarray, " L"] | None = None,
    limit: float = 3.0,
    count: int = 11,
    step: int | None = None,
    theme: Theme = "light",
) -> Figure:
    """Return what changes along each latent dimension alone, those first that tell most of the examples.

    Parameters
    ----------
    run : Run
    base : ndarray (L,), optional
        The code that is walked away from; the prior's mean, 0, if left out.
    limit : float
        z runs from -limit to limit.
    count : int
        Images a dimension, at least 2.
    step : int, optional
        One of ``run.steps``; the newest snapshot if left out.
    theme : {"light", "dark"}

    Raises
    ------
    ValueError
        If base is no code of the model, limit is not above 0, count is below 2, or there is no such step.
    """
    snapshot = run.snapshot(step)
    latent_dim = snapshot.vae.latent_dim
    if base is not None:
        (base,) = checked_codes(np.asarray(base)[None], latent_dim, least=1)
    if count < 2:
        raise ValueError(f"count={count}: must be a whole number from 2")
    if not 0 < limit < np.inf:
        raise ValueError(f"limit={limit}: must be a finite number above 0")
    ticks = np.linspace(-limit, limit, count)
    mu, logvar = snapshot.embedding
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(0)  # (L,)
    shown = np.argsort(-kl, kind="stable")[:MOST_DIMENSIONS]
    codes = [manifold_codes(ticks, None, latent_dim=latent_dim, axes=(int(axis),), base=base) for axis in shown]
    images = decode(snapshot.vae, np.concatenate(codes).astype(np.float32))
    rows = [f"z{axis + 1}   KL {kl[axis]:.2f}" for axis in shown]
    paper = paper_of(theme)
    figure, place_of = _grid_figure(images.shape[1:], len(rows), count, paper, bottom=48)
    axes = place(figure, *place_of, paper)
    draw_grid(axes, images, rows=rows, columns=[number(round(z, 2)) for z in ticks], paper=paper)
    axes.set_xlabel("z of one dimension, the others " + ("0" if base is None else "as in the code chosen"))
    _head(figure, snapshot, run.dataset.name, LEFT, paper)
    return figure


def cursor_figure(
    run: Run, code: Float[np.ndarray, " L"], *, step: int | None = None, theme: Theme = "light"
) -> Figure:
    """Return what is decoded at a code, beside the nearest example and its reconstruction.

    Raises
    ------
    ValueError
        If it is no code of the model, or there is no such step.
    """
    snapshot = run.snapshot(step)
    (code,) = checked_codes(np.asarray(code)[None], snapshot.vae.latent_dim, least=1)
    row = int(np.argmin(((snapshot.mu - code) ** 2).sum(1)))
    here, again = decode(snapshot.vae, np.stack((code, snapshot.mu[row])).astype(np.float32))
    images = np.stack((here, _pixels(snapshot, np.array([row]))[0], again))
    (label,) = _labels(run, snapshot, np.array([row]))
    words = [f"decoded at\n{plane_words(code)}", f"nearest example\n{label}", "its\nreconstruction"]
    paper = paper_of(theme)
    figure, place_of = _grid_figure(images.shape[1:], 1, 3, paper, left=RIGHT, tile=150)
    axes = place(figure, *place_of, paper)
    draw_grid(axes, images, rows=[""], columns=words, paper=paper)
    _head(figure, snapshot, run.dataset.name, RIGHT, paper)
    return figure


def _grid_figure(
    image_shape: Sequence[int], rows: int, columns: int, paper: Paper, *, left: int = LEFT, bottom: int = BOTTOM,
    tile: int = TILE,
) -> tuple[Figure, tuple[float, float, float, float]]:  # fmt: skip
    """Return a figure that just holds so many tiles, and where they go in it."""
    _, height, width = image_shape
    scale = tile / max(height, width)
    across, down = columns * width * scale, rows * height * scale
    figure = blank(max(left + across + RIGHT, 320), TOP + down + bottom, paper)
    return figure, (left, TOP, across, down)


def _head(figure: Figure, shown: Snapshot | Metrics, name: str, left: float, paper: Paper) -> None:
    write(figure, when(shown.step, shown.epoch), left, 21, paper, fontsize=11)
    across = figure.get_size_inches()[0] * figure.dpi
    write(figure, name, across - RIGHT, 21, paper, ha="right", alpha=0.6)


def _pixels(snapshot: Snapshot, rows: np.ndarray) -> Float32[np.ndarray, "n C H W"]:
    images = snapshot.images[rows].numpy()
    pixels: np.ndarray = images / np.float32(255) if images.dtype == np.uint8 else images
    return pixels


def _labels(run: Run, snapshot: Snapshot, rows: np.ndarray) -> list[str]:
    """Return the class of each row's example, or its place in the dataset where there are none."""
    ids, labels = snapshot.ids[rows], run.dataset.labels
    if labels is None:
        return [f"#{each}" for each in ids]
    return [run.dataset.class_names[each] for each in labels.numpy()[ids]]
