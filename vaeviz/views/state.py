"""What all views of one explorer share, and the clock that keeps it up to date."""

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import panel as pn
import param
from jaxtyping import Float, UInt8

from vaeviz.latent import decode, linear_ticks, manifold_codes, one_thread, prior_ticks
from vaeviz.training import Run, Snapshot
from vaeviz.views.pictures import mosaic
from vaeviz.views.planes import Coordinates

PERIOD_MS = 360
"""Milliseconds between two looks at the run: each has curves drawn longer and words written anew."""

WATCHING_SHARE = 0.12
"""Share of the wall time that showing new snapshots may take on this document's server."""

SHORTEST_REFRESH, LONGEST_REFRESH = 0.3, 3.0
"""Seconds between two snapshots on the screen, at least and at most."""

HAND_RESTS, HAND_WAITS = 0.5, 6.0
"""While the hand moves, the picture stands still, so that it is under the hand at once: a new snapshot comes when the
hand has rested for so many seconds, or after so many all the same."""


class Frame(NamedTuple):
    """A snapshot and the manifold decoded with it: what is on the screen."""

    snapshot: Snapshot
    manifold: UInt8[np.ndarray, "R S C"]
    coordinates: Coordinates
    limit: float
    axes: tuple[int, ...]


class ExplorerState(param.Parameterized):
    """One person's view of a run: what they look at, point at and have chosen. Views of one state are linked.

    Parameters
    ----------
    run : Run
        What is explored. Setting another run begins anew.
    """

    run = param.Parameter(doc="The run that is explored: anything with the protocol `vaeviz.Run`.")
    frame = param.Parameter(doc="What is on the screen: a Frame.")
    status = param.String("", doc="The run's status as last seen.")
    tick = param.Integer(0, doc="Counts the looks at the run.")
    views_share = param.Number(0.0, doc="Share of the time that showing new snapshots takes.")
    alert = param.String("", doc="A sentence for the person, or nothing.")

    axes = param.Tuple((0, 1), length=2, doc="The latent axes across and up, counted from 0.")
    coordinates = param.Selector(default="z", objects=["z", "u"], doc="Coordinates of the latent plane.")
    manifold_range = param.Selector(default="u", objects=["u", "z"], doc="Percentiles of the prior, or linear z.")
    manifold_side = param.Integer(20, bounds=(2, 100), doc="Tiles along each side of the manifold, n.")
    manifold_limit = param.Number(4.0, bounds=(0.1, 20), doc="The linear manifold covers [-limit, limit].")

    cursor = param.Array(doc="The code that is pointed at, (L,).")
    cursor_plane = param.String("", doc="The view in which it is pointed at.")
    endpoints = param.Array(doc="The codes A and B, (2, L).")
    endpoints_plane = param.String("", doc="The view in which they are being dragged.")
    path_kind = param.Selector(default="linear", objects=["linear", "spherical"], doc="The path from A to B.")
    path_at = param.Number(0.5, bounds=(0, 1), doc="Where on the path from A (0) to B (1) one looks, t.")
    selection = param.List([], doc="Rows (into the snapshot's ids) of the selected examples, in order.")

    def __init__(self, run: Run, **params) -> None:
        super().__init__(run=run, **params)
        self._refreshing = False
        self._unshowable: Snapshot | None = None
        self._stale = False
        self._shown_at = -np.inf
        self._touched_at = -np.inf
        self._cost = 0.0
        self._callback = None
        self._task: asyncio.Task | None = None
        self._begin_anew()

    # The clock

    def watch_run(self) -> None:
        """Look at the run again and again, as long as this document lives."""
        if self._callback is None:
            self._callback = pn.state.add_periodic_callback(self._look_again, period=PERIOD_MS, start=True)

    def unwatch_run(self) -> None:
        """Look no more."""
        if self._callback is not None:
            self._callback.stop()
            self._callback = None

    async def _look_again(self) -> None:
        if pn.state.loaded:
            self.look()

    def look(self) -> None:
        """Look at the run: its status and metrics at once; its newest snapshot when it is due."""
        if self.status != self.run.status:
            self.status = self.run.status
            if self.run.error is not None:
                self.alert = f"Training failed. {self.run.error}"
        with pn.io.hold():
            self.tick += 1
        moved = self.run.snapshot() not in (self.frame.snapshot, self._unshowable)
        now = time.perf_counter()
        pause = min(max(SHORTEST_REFRESH, self._cost / WATCHING_SHARE), LONGEST_REFRESH)
        resting = now - self._shown_at < (HAND_WAITS if now - self._touched_at < HAND_RESTS else pause)
        if self._refreshing or not (self._stale or (moved and not (resting and self.status == "running"))):
            return
        self._refreshing, self._stale = True, False
        # In a task of its own: the callback itself holds the document's lock, and the mouse must not wait for it.
        self._task = asyncio.get_running_loop().create_task(self._refresh())

    async def _refresh(self) -> None:
        run, snapshot, start = self.run, self.run.snapshot(), time.perf_counter()
        try:
            frame = await asyncio.to_thread(self._make_frame_beside_training, snapshot)
        except Exception as error:  # a model of the person's own may fail where ours would not: tell it, and go on
            reason = f"The snapshot of step {snapshot.step:,} can't be shown: {error}"
            self.schedule(lambda: self._give_up(snapshot, reason))
        else:
            self.schedule(lambda: self._show(run, frame, time.perf_counter() - start))

    def _show(self, run: Run, frame: Frame, seconds: float) -> None:
        self._refreshing = False
        if run is not self.run:
            return
        start = time.perf_counter()
        with pn.io.hold():
            self.frame = frame
        now = time.perf_counter()
        self._cost = seconds + now - start
        self.views_share = min(1.0, self._cost / max(now - self._shown_at, self._cost))
        self._shown_at = now

    def schedule(self, action: Callable[[], None]) -> None:
        """Do this soon, while the document may be changed: what goes on after an `await` may not change it itself."""
        pn.state.execute(action, schedule=True)

    def _give_up(self, snapshot: Snapshot, reason: str) -> None:
        self._refreshing, self._unshowable = False, snapshot
        self.alert = reason

    # What follows from what a person does

    @param.depends("run", watch=True)
    def _begin_anew(self) -> None:
        latent_dim = self.run.snapshot().vae.latent_dim
        with param.parameterized.batch_call_watchers(self):
            self.param.update(
                axes=(0, min(1, latent_dim - 1)),
                selection=[],
                cursor=np.zeros(latent_dim),
                cursor_plane="",
                endpoints=self._default_endpoints(latent_dim),
                endpoints_plane="",
                alert="",
                status=self.run.status,
                views_share=0.0,
            )
            self.frame = self._make_frame(self.run.snapshot())
        self._shown_at = -np.inf

    @param.depends("manifold_range", "manifold_side", "manifold_limit", watch=True)
    def _refresh_soon(self) -> None:
        if self._callback is None:
            self.frame = self._make_frame(self.frame.snapshot)
        else:
            self._stale = True

    @param.depends("axes", watch=True)
    def _turn_axes(self) -> None:
        if len(set(self.axes)) < min(2, self.latent_dim):
            first = self.axes[0]
            self.axes = (first, (first + 1) % self.latent_dim)
            return
        if self.frame is not None:
            self.frame = self._make_frame(self.frame.snapshot)

    @param.depends("selection", watch=True)
    def _hold_base(self) -> None:
        if self.latent_dim > 2:
            self._refresh_soon()

    def _default_endpoints(self, latent_dim: int) -> Float[np.ndarray, "2 L"]:
        ends = np.zeros((2, latent_dim))
        ends[:, 0] = -1.2, 1.2
        if latent_dim > 1:
            ends[:, 1] = -0.8, 0.8
        return ends

    def _make_frame_beside_training(self, snapshot: Snapshot) -> Frame:
        with one_thread() if self.run.status == "running" else nullcontext():
            return self._make_frame(snapshot)

    def _make_frame(self, snapshot: Snapshot) -> Frame:
        """Embed the examples and decode the manifold; nothing of the document is touched, so any thread may."""
        axes, side = self.plane_axes, self.manifold_side
        inverse_cdf = self.manifold_range == "u"
        ticks = prior_ticks(side) if inverse_cdf else linear_ticks(side, self.manifold_limit)
        latent_dim = snapshot.vae.latent_dim
        flat = latent_dim == 1
        codes = manifold_codes(
            ticks, None if flat else ticks, latent_dim=latent_dim, axes=axes, base=self.base(snapshot)
        )
        picture = mosaic(decode(snapshot.vae, codes.astype(np.float32)), 1 if flat else side, side)
        return Frame(snapshot, picture, self.manifold_range, self.manifold_limit, axes)

    # Geometry

    @property
    def latent_dim(self) -> int:
        """Dimensions of the code, L."""
        return self.run.snapshot().vae.latent_dim if self.frame is None else self.frame.snapshot.vae.latent_dim

    @property
    def plane_axes(self) -> tuple[int, ...]:
        """The axes that the planes show: two, or one if the code has no more."""
        return self.axes if self.run.snapshot().vae.latent_dim > 1 else (0,)

    def base(self, snapshot: Snapshot | None = None) -> Float[np.ndarray, " L"]:
        """Return the code that holds the other axes: the first selected example's, or 0."""
        snapshot = snapshot or self.frame.snapshot
        if self.selection and self.selection[0] < len(snapshot.mu):
            return snapshot.mu[self.selection[0]].astype(float)
        return np.zeros(snapshot.vae.latent_dim)

    def code_at(self, x: float, y: float) -> Float[np.ndarray, " L"]:
        """Return the code at a point (in z) of the planes."""
        code = self.base()
        code[list(self.plane_axes)] = (x, y)[: len(self.plane_axes)]
        return code

    def in_plane(self, codes: Float[np.ndarray, "N L"]) -> Float[np.ndarray, "N 2"]:
        """Return where codes lie in the planes, in z; with one latent dimension they lie on the line 0."""
        points = np.zeros((len(codes), 2))
        points[:, : len(self.plane_axes)] = codes[:, list(self.plane_axes)]
        return points

    def nearest_row(self, code: Float[np.ndarray, " L"]) -> int:
        """Return the row of the embedded example whose posterior mean lies nearest in the planes."""
        axes = list(self.plane_axes)
        return int(np.argmin(((self.frame.snapshot.mu[:, axes] - code[axes]) ** 2).sum(1)))

    def point_at(self, code: Float[np.ndarray, " L"], plane: str = "") -> None:
        """Point at a code, in the view of that name."""
        self._touched_at = time.perf_counter()
        with pn.io.hold():  # all marks and images in one message
            self.param.update(cursor=code, cursor_plane=plane)

    def place_endpoint(self, which: int, code: Float[np.ndarray, " L"], plane: str = "") -> None:
        """Put endpoint A (0) or B (1) at a code; the view of that name draws it itself."""
        endpoints = self.endpoints.copy()
        endpoints[which] = code
        self._touched_at = time.perf_counter()
        with pn.io.hold():
            self.param.update(endpoints=endpoints, endpoints_plane=plane)

    # Words

    def label_of(self, row: int) -> str:
        """Return the class name of an embedded example, or its number."""
        dataset, example = self.run.dataset, int(self.frame.snapshot.ids[row])
        if dataset.labels is None:
            return f"example {example}"
        return dataset.class_names[int(dataset.labels[example])]
