"""The way one goes through the latent space: the codes of its frames, for each kind of route."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vaeviz.data import Dataset
from vaeviz.latent import path, polyline, random_walk, resample
from vaeviz.training import Snapshot
from vaeviz.views.state import ExplorerState

LINE_FRAMES = 101
"""Frames from A to B, and along a line drawn by hand: a hundredth of the way each."""

MOST_STOPS = 50
"""Examples that a morph goes through, at most."""

STOPS = 10
"""Examples that a morph goes through where there are no classes to choose one of each."""

LEG_POINTS = 12
"""Points from one stop to the next as a line on a plane: it may be bent there."""


class Journey(NamedTuple):
    """The frames of a route; t goes from 0 to 1 along them.

    Attributes
    ----------
    codes : ndarray (F, L)
        Float64; without frames where no line has been drawn yet.
    loop : bool
        Whether the first frame follows the last one: t = 1 is then t = 0 again.
    """

    codes: Float[np.ndarray, "F L"]
    loop: bool

    @property
    def spaces(self) -> int:
        """How many steps of one frame there are from t = 0 to t = 1."""
        return len(self.codes) if self.loop else max(1, len(self.codes) - 1)

    def frame_at(self, t: float) -> int:
        """Return the number of the frame nearest to t."""
        frame = round(t * self.spaces)
        return frame % self.spaces if self.loop else frame

    def along(self, count: int) -> Float[np.ndarray, "count L"]:
        """Return the codes of so many frames, evenly along the way."""
        ts = np.arange(count) / count if self.loop else np.linspace(0, 1, count)
        return self.codes[[self.frame_at(t) for t in ts]]


def plan_journey(state: ExplorerState) -> Journey:
    """Return the frames of the state's route, through the codes that its examples have in the frame on the screen."""
    if state.route == "morph":
        return Journey(polyline(_stops(state), state.frames_per_leg, kind=state.path_kind, loop=True), loop=True)
    if state.route == "walk":
        return Journey(random_walk(state.latent_dim, state.walk_frames, seed=state.walk_seed), loop=False)
    if state.route == "drawn":
        return Journey(_drawn(state), loop=False)
    return Journey(path(*state.endpoints, LINE_FRAMES, state.path_kind), loop=False)


def route_line(state: ExplorerState) -> Float[np.ndarray, "P L"]:
    """Return the route as a line to be drawn on a plane: from stop to stop, whatever the number of its frames."""
    if state.route == "morph":
        stops = _stops(state)
        return polyline(np.vstack((stops, stops[:1])), LEG_POINTS, kind=state.path_kind)
    return plan_journey(state).codes


def stop_rows(state: ExplorerState) -> list[int]:
    """Return the rows of the examples that the morph goes through: those chosen, or else typical ones."""
    return state.morph_rows or typical_rows(state.run.dataset, state.frame.snapshot)


def typical_rows(dataset: Dataset, snapshot: Snapshot) -> list[int]:
    """Return the row of one embedded example of each class, the one whose code is nearest to the class's mean code.

    Where there are fewer than two classes, rows at even distances.
    """
    mu = snapshot.mu
    if dataset.labels is not None:
        classes = dataset.labels.numpy()[snapshot.ids]
        members = [np.flatnonzero(classes == number) for number in np.unique(classes)]
        if len(members) >= 2:
            return [int(rows[((mu[rows] - mu[rows].mean(0)) ** 2).sum(1).argmin()]) for rows in members[:MOST_STOPS]]
    return np.linspace(0, len(mu) - 1, STOPS).round().astype(int).tolist()


def checked_stops(rows: list[int]) -> list[int]:
    """Return the rows as stops of a morph.

    Raises
    ------
    ValueError
        If there are fewer than 2, or more than a morph can take; in words for the person.
    """
    if not 2 <= len(rows) <= MOST_STOPS:
        what = "no example is" if not rows else "1 example is" if len(rows) == 1 else f"{len(rows):,} examples are"
        raise ValueError(f"{what} selected: a morph goes through 2 to {MOST_STOPS}, in the order of the selection")
    return list(rows)


def example_row(words: str, count: int) -> int:
    """Return the row that a person wrote, such as "12" or "#1,234".

    Raises
    ------
    ValueError
        If it is not a whole number from 0 to count - 1; in words for the person.
    """
    digits = words.strip().removeprefix("#").replace(",", "")
    if digits.isascii() and digits.isdigit() and len(digits) < 12 and int(digits) < count:
        return int(digits)
    raise ValueError(f"example {words.strip()!r}: must be a whole number from 0 to {count - 1:,}, or empty")


def _stops(state: ExplorerState) -> Float[np.ndarray, "S L"]:
    return state.frame.snapshot.mu[stop_rows(state)].astype(float)


def _drawn(state: ExplorerState) -> Float[np.ndarray, "F L"]:
    if len(state.drawn) < 2:
        return np.zeros((0, state.latent_dim))
    return state.lift(resample(state.drawn, LINE_FRAMES))
