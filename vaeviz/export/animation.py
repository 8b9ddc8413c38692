"""Animations: how the planes evolved over the training, and walks through the latent space."""

import os
from collections.abc import Iterator, Sequence
from itertools import count as counting
from math import ceil
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy.typing import ArrayLike

from vaeviz.export.drawing import as_bytes
from vaeviz.export.files import checked_path, written_whole
from vaeviz.export.film import SUFFIXES, write_gif, write_mp4
from vaeviz.export.paper import DPI, Theme
from vaeviz.export.planes import ColorBy, Coordinates, Planes, What
from vaeviz.export.progress import Progress, reporter
from vaeviz.export.rows import checked_codes
from vaeviz.latent import decode
from vaeviz.models import VAE
from vaeviz.training import Run

HOLD = 2.0
"""Seconds for which the last frame stands longer."""

RATE = 10
"""Frames a second of a film whose pictures stand for a while, about."""

MOST_FPS = 50
"""A GIF tells time in hundredths of a second, and what is shorter than two of them players slow down."""


def export_animation(
    run: Run,
    path: str | os.PathLike[str],
    *,
    what: What = "both",
    seconds_per_step: float = 0.4,
    limit: float = 6.0,
    side: int = 20,
    axes: Sequence[int] = (0, 1),
    coordinates: Coordinates = "z",
    color_by: ColorBy = "label",
    theme: Theme = "light",
    progress: bool | Progress = True,
) -> Path:
    """Write how latent plane and manifold evolved, one frame a kept snapshot, as GIF or MP4.

    The snapshots are kept at steps 0, 1, 2, 3, 4, 6, 8, 11, … round(2^(k/2)): time is logarithmic. Nothing is made up
    between them, and the ranges stand still. The MP4 has twice the pixels of the GIF.

    Parameters
    ----------
    run : Run
        At least two of its snapshots are kept.
    path
        Ends in .gif or .mp4. A file that is there is replaced, once the new one is whole.
    what : {"scatter", "manifold", "both"}
    seconds_per_step : float
        For which each frame stands, from 0.02 to 60; the last one stands 2 seconds longer.
    limit : float
        z of the scatter runs from -limit to limit.
    side : int
        Tiles of the manifold, across and up, at the prior's percentiles.
    axes : (int, int)
        Latent dimensions across and up, counted from 0, where there are more than one.
    coordinates : {"z", "u"}
        Of the scatter: z, or u = Φ(z), the prior's percentiles, over the manifold.
    color_by : {"label", "KL", "σ"}
    theme : {"light", "dark"}
    progress : bool or callable
        True shows a bar on the terminal; a callable is given (done, total) and may raise to end the export.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    ValueError
        If the suffix is another one, fewer than two snapshots are kept, or an option is not one that is allowed.
    FileNotFoundError
        If the folder doesn't exist.

    Examples
    --------
    >>> vz.export_animation(run, "evolution.gif")  # doctest: +SKIP
    """
    target = checked_path(path, SUFFIXES)
    if not 1 / MOST_FPS <= seconds_per_step <= 60:
        raise ValueError(f"seconds_per_step={seconds_per_step}: must be from {1 / MOST_FPS} to 60")
    steps = list(run.steps)
    if len(steps) < 2:
        raise ValueError(f"the run has kept {len(steps)} of the 2 snapshots that an animation needs: train first")
    planes = Planes(
        run.dataset, run.snapshot(steps[0]).vae.latent_dim, what=what, limit=limit, side=side, axes=axes,
        coordinates=coordinates, color_by=color_by, theme=theme,
    )  # fmt: skip
    film = target.suffix.lower() == ".mp4"
    report = reporter(progress, target.name)

    def frames() -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        report(0, len(steps))
        for done, step in enumerate(steps, 1):
            planes.show(run.snapshot(step))
            yield planes.pixels(2 * DPI if film else DPI)
            report(done, len(steps))

    still = [1.0] * (len(steps) - 1) + [1 + HOLD / seconds_per_step]  # in steps
    with written_whole(target) as part:
        if film:
            times = max(1, round(RATE * seconds_per_step))
            write_mp4(part, frames(), [round(times * each) for each in still], times / seconds_per_step)
        else:
            few = {"grays": 24, "hues": 72} if run.dataset.image_shape[0] == 1 else {}
            write_gif(part, frames(), [seconds_per_step * each for each in still], **few)
    return target


def export_walk(
    vae: VAE,
    codes: ArrayLike,
    path: str | os.PathLike[str],
    *,
    fps: float = 20,
    pixels: int = 256,
    back: bool = True,
    progress: bool | Progress = True,
) -> Path:
    """Write what a VAE decodes along a path of codes, a morph or a walk, as GIF or MP4.

    Parameters
    ----------
    vae : VAE
        In eval mode, such as ``run.snapshot().vae``.
    codes : array (F, L)
        A frame for each, at least 2; `vaeviz.latent.path` makes them.
    path
        Ends in .gif or .mp4. A file that is there is replaced, once the new one is whole.
    fps : float
        Frames a second, above 0, at most 50.
    pixels : int
        The image is enlarged by the least whole number with which its longer side has so many.
    back : bool
        Whether the walk goes back again, so that it repeats without a jump; for codes that are no loop themselves.
    progress : bool or callable
        True shows a bar on the terminal; a callable is given (done, total) and may raise to end the export.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    ValueError
        If the suffix is another one, the codes are not (F, L) of finite numbers, or fps or pixels is out of range.
    FileNotFoundError
        If the folder doesn't exist.
    """
    target = checked_path(path, SUFFIXES)
    walk = checked_codes(codes, vae.latent_dim, least=2)
    if not 0 < fps <= MOST_FPS:
        raise ValueError(f"fps={fps}: must be above 0, and at most {MOST_FPS}")
    if not 1 <= pixels <= 4096:
        raise ValueError(f"pixels={pixels}: must be a whole number from 1 to 4096")
    report = reporter(progress, target.name)
    film = target.suffix.lower() == ".mp4"
    images = as_bytes(decode(vae, walk.astype(np.float32)))  # (F, C, H, W)
    if back:
        images = np.concatenate((images, images[-2:0:-1]))
    scale = ceil(pixels / max(images.shape[2:]))
    scale += film and scale % 2  # a film's sizes are even

    def frames() -> Iterator[UInt8[np.ndarray, "H W C"]]:
        report(0, len(images))
        for done, image in zip(counting(1), images, strict=False):
            yield image.transpose(1, 2, 0).repeat(scale, axis=0).repeat(scale, axis=1)
            report(done, len(images))

    with written_whole(target) as part:
        if film:
            write_mp4(part, frames(), [1] * len(images), fps)
        else:
            write_gif(part, frames(), [1 / fps] * len(images))
    return target
