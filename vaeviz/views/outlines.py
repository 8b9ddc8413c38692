"""What can be drawn around and behind the points of the latent plane: contours, posteriors, and where points came from.

All as points in z of the planes; the view brings them into its figure's coordinates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vaeviz.training import Run, Snapshot

MOST_ELLIPSES, MOST_TRAILS = 200, 60
"""Of a larger selection, so many are drawn, evenly chosen."""

ELLIPSE_POINTS = 33


class Trail(NamedTuple):
    """Where some examples lay at each kept step up to the one shown.

    Attributes
    ----------
    rows
        Which examples.
    codes : ndarray (S, R, L)
        Their posterior means, the earliest step first.
    """

    rows: tuple[int, ...]
    codes: Float[np.ndarray, "S R L"]


class TrailKeeper:
    """Works out trails, and keeps what it has found: with each new frame, only the newest step is added."""

    def __init__(self) -> None:
        self._of: tuple | None = None
        self._found: dict[int, Float[np.ndarray, "R L"]] = {}

    def trail(self, run: Run, snapshot: Snapshot, rows: Sequence[int]) -> Trail:
        """Return the trail of these rows up to a snapshot. Steps that were never shown are embedded: it takes time."""
        if self._of is None or self._of[0] is not run or self._of[1] != tuple(rows):
            self._of, self._found = (run, tuple(rows)), {}
        past = [step for step in run.steps if step < snapshot.step]
        for step in past:
            if step not in self._found:
                self._found[step] = run.snapshot(step).mu[list(rows)]
        codes = [*(self._found[step] for step in past), snapshot.mu[list(rows)]]
        return Trail(tuple(rows), np.stack(codes).astype(float))


def evenly(rows: Sequence[int], most: int) -> list[int]:
    """Return at most so many rows, evenly chosen."""
    if len(rows) <= most:
        return list(rows)
    return [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]
