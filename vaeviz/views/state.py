"""What all views of one explorer share, and the clock that keeps it up to date."""

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from weakref import WeakSet

import numpy as np
import panel as pn
import param
from bokeh.document import Document
from jaxtyping import Float
from numpy.typing import ArrayLike
from panel.io.state import set_curdoc

from vaeviz.cores import one_thread
from vaeviz.latent import Plane
from vaeviz.openmp import release_threads
from vaeviz.training import Run, Snapshot
from vaeviz.training.memory import is_out_of_memory
from vaeviz.views.cloud import Cloud
from vaeviz.views.connection import is_behind, is_left
from vaeviz.views.frame import Frame, Wish, base_of, make_frame
from vaeviz.views.together import together

PERIOD_MS = 250
"""Milliseconds between two looks at the run: each has curves drawn longer and words written anew."""

LOOKING_SHARE, LONGEST_REST = 0.05, 1.0
"""Share of a core that these looks may take in this process, in all pages that watch a training, and the most seconds
that are left out for it between two of them."""

MEAN_OF_LOOKS = 8
"""Over about so many looks their cost is averaged."""

WATCHING_SHARE = 0.08
"""Share of the wall time that showing new snapshots may take in this process, in all pages that watch a training."""

SHORTEST_REFRESH, LONGEST_REFRESH, LONGEST_OF_MANY = 0.3, 4.0, 10.0
"""Seconds between two snapshots on the screen: at least, at most, and at most where several pages watch."""

HAND_RESTS, HAND_WAITS = 0.5, 6.0
"""While the hand moves, the picture stands still, so that it is under the hand at once: a new snapshot comes when the
hand has rested for so many seconds, or after so many all the same."""


AHEAD_SECONDS = 1.5
"""While the run trains, at most one kept snapshot in so many seconds is embedded ahead of its turn in the timeline."""


_watching: WeakSet["ExplorerState"] = WeakSet()
"""Those whose clock goes, or went until their session has ended."""


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

    live = param.Boolean(True, doc="Whether the newest snapshot is shown, or that of the step `at`.")
    at = param.Integer(0, doc="The kept step that is shown while not live.")
    kept = param.List([], doc="Steps of the kept snapshots as last seen: the timeline.")

    plane_kind = param.Selector(default="axes", objects=["axes", "PCA"], doc="What the planes show: two axes, or PCA.")
    axes = param.Tuple((0, 1), length=2, doc="The latent axes across and up, counted from 0.")
    color_by = param.Selector(
        default="label", objects=["label", "KL", "reconstruction", "σ"], doc="What the scatter's colours tell."
    )
    coordinates = param.Selector(default="z", objects=["z", "u"], doc="Coordinates of the latent plane.")
    manifold_range = param.Selector(default="u", objects=["u", "z"], doc="Percentiles of the prior, or linear z.")
    manifold_side = param.Integer(20, bounds=(2, 100), doc="Tiles along each side of the manifold, n.")
    manifold_limit = param.Number(4.0, bounds=(0.1, 20), doc="The linear manifold covers [-limit, limit].")

    cursor = param.Array(doc="The code that is pointed at, (L,).")
    cursor_plane = param.String("", doc="The view in which it is pointed at.")
    endpoints = param.Array(doc="The codes A and B, (2, L).")
    endpoints_plane = param.String("", doc="The view in which they are being dragged.")
    endpoint_rows = param.Tuple((None, None), length=2, doc="Rows of the examples that A and B follow through time.")
    route = param.Selector(default="A to B", objects=["A to B", "morph", "walk", "drawn"], doc="Which way one goes.")
    morph_rows = param.List([], doc="Rows of the examples that the morph goes through; none: one of each class.")
    frames_per_leg = param.Integer(10, bounds=(1, 100), doc="Frames from one example of the morph to the next.")
    walk_seed = param.Integer(0, bounds=(0, None), doc="Seed of the random walk under the prior.")
    walk_frames = param.Integer(200, bounds=(2, 2000), doc="Frames of the random walk.")
    drawn = param.Array(doc="The line drawn by hand on a plane, in z of the plane, (P, 2).")
    drawing = param.Boolean(False, doc="Whether a drag on a plane draws that line.")
    path_kind = param.Selector(default="linear", objects=["linear", "spherical"], doc="The path from A to B.")
    path_at = param.Number(0.5, bounds=(0, 1), doc="Where on the route, from 0 to 1, one looks, t.")
    selection = param.List([], doc="Rows (into the snapshot's ids) of the selected examples, in order.")

    def __init__(self, run: Run, **params) -> None:
        super().__init__(run=run, **params)
        self._refreshing = False
        self._unshowable: Snapshot | None = None
        self._told: str | None = None
        self._stale = False
        self._shown_at = -np.inf
        self._touched_at = -np.inf
        self._cost = 0.0
        self._looked_at = -np.inf
        self._look_cost = 0.0
        self._callback = None
        self._document: Document | None = None
        self._is_served = False
        self._watchers: list[object] = []
        self._task: asyncio.Task | None = None
        self._preparations: dict[str, Callable[[Run, Snapshot], Any]] = {}
        self._ahead: set[int] = set()
        self._nearest: tuple[tuple[Cloud, bytes], int] | None = None
        self._ahead_at = -np.inf
        self._begin_anew()

    # The clock

    def watch_run(self, watcher: object = None) -> None:
        """Look at the run again and again, as long as this document, or one of those that watch, lives."""
        if watcher is not None:
            self._watchers.append(watcher)
        if self._callback is None:
            self._document = pn.state.curdoc
            self._is_served = self._document is not None and self._document.session_context is not None
            clock = pn.state.add_periodic_callback(self._look_again, period=PERIOD_MS, start=False)
            self._callback = clock
            _watching.add(self)
            # One that is started before tries again without a pause until the page is loaded: of a visitor who never
            # comes back for it, such as a look whether the server answers, that would be all that the server does.
            pn.state.onload(lambda: clock.start() if self._callback is clock else None)

    def unwatch_run(self, watcher: object = None) -> None:
        """Look no more, unless somebody else still watches."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)
        if self._callback is not None and not self._watchers:
            self._callback.stop()
            self._callback = None
            _watching.discard(self)

    async def _look_again(self) -> None:
        now = time.perf_counter()
        rest = min(self._watchers_of_training * self._look_cost / LOOKING_SHARE, LONGEST_REST)
        if self.is_behind or (self.status == "running" and now - self._looked_at < rest):
            return
        self._looked_at, start = now, time.thread_time()
        self.look()
        self._look_cost += (time.thread_time() - start - self._look_cost) / MEAN_OF_LOOKS

    @property
    def is_behind(self) -> bool:
        """Whether the browser has not taken yet what it was sent, or is gone: nothing new is shown, no film goes on."""
        return is_behind(self._document) or is_left(self._document)

    @property
    def _has_ended(self) -> bool:
        return self._is_served and self._document.session_context is None

    @property
    def _watches_training(self) -> bool:
        return self.status == "running" and not self._has_ended and not is_left(self._document)

    @property
    def _watchers_of_training(self) -> int:
        """How many pages of this process watch a training: all share what watching may cost."""
        return max(1, sum(state._watches_training for state in list(_watching)))

    def look(self) -> None:
        """Look at the run: its status and metrics at once; its newest snapshot when it is due."""
        release_threads()  # what the page has computed since keeps none from the training
        if self.status != self.run.status:
            self.status = self.run.status
        error = self.run.error
        if error != self._told:
            self._told = error
            if error is not None:
                self.alert = f"Training failed. {error}" if self.run.status == "failed" else error
        with together():
            self.tick += 1
        steps = self.run.steps
        if steps != self.kept:
            self.kept = steps
        self._refresh_when_due()

    def _refresh_when_due(self) -> None:
        now = time.perf_counter()
        if self.live:
            moved = self.run.snapshot() not in (self.frame.snapshot, self._unshowable)
            resting = now - self._shown_at < (HAND_WAITS if now - self._touched_at < HAND_RESTS else self._pause)
            due = moved and not (resting and self.status == "running")
        else:
            due = self.at != self.frame.snapshot.step
        if self._refreshing:
            return
        if self._stale or due:
            self._refreshing, self._stale = True, False
            # In a task of its own: the callback itself holds the document's lock, and the mouse must not wait for it.
            self._task = asyncio.get_running_loop().create_task(self._refresh())
        elif self.status != "running" or now - max(self._ahead_at, self._touched_at) > AHEAD_SECONDS:
            self._embed_ahead()

    @property
    def _pause(self) -> float:
        """Seconds from one snapshot on the screen to the next."""
        alone = min(self._cost / WATCHING_SHARE, LONGEST_REFRESH)
        return min(max(SHORTEST_REFRESH, self._watchers_of_training * alone), LONGEST_OF_MANY)

    def _refresh_at_once(self) -> None:
        """Begin with a frame that is due now, where there is a loop to do it in; else the next look does."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self._refresh_when_due()

    async def _refresh(self) -> None:
        run, at, start = self.run, None if self.live else self.at, time.perf_counter()
        newest = run.snapshot()
        try:
            frame = await asyncio.to_thread(self._make_frame_beside_training, at)
        except Exception as error:  # a model of the person's own may fail where ours would not: tell it, and go on
            why = "there is not enough memory" if is_out_of_memory(error) else error
            reason = f"The snapshot of step {newest.step if at is None else at:,} can't be shown: {why}"
            self.schedule(lambda: self._give_up(newest, reason))
        else:
            self.schedule(lambda: self._show(run, frame, time.perf_counter() - start))

    def _show(self, run: Run, frame: Frame, seconds: float) -> None:
        self._refreshing = False
        if run is not self.run:
            return
        start = time.perf_counter()
        with together():
            self._take_frame(frame)
        now = time.perf_counter()
        self._cost = seconds + now - start
        self.views_share = min(1.0, self._cost / max(now - self._shown_at, self._cost))
        self._shown_at = now
        if not self.live and self.at != frame.snapshot.step:  # the timeline was turned on meanwhile
            self._refresh_when_due()

    def _take_frame(self, frame: Frame) -> None:
        """Show a frame; endpoints that follow an example go where it has gone."""
        rows = self.endpoint_rows
        with param.parameterized.batch_call_watchers(self):
            self.frame = frame
            if rows != (None, None):
                codes = [
                    frame.snapshot.mu[row].astype(float) if row is not None else code
                    for row, code in zip(rows, self.endpoints, strict=True)
                ]
                self.param.update(endpoints=np.stack(codes), endpoints_plane="")

    def _embed_ahead(self) -> None:
        """Embed, beside all else, the examples of the next kept snapshot that waits for it."""
        waiting = [step for step in self.kept if step not in self._ahead]
        if not waiting:
            return
        self._ahead.add(waiting[-1])
        self._ahead_at = time.perf_counter()
        run, step = self.run, waiting[-1]

        def embed_beside_training() -> None:
            with one_thread():
                _ = run.snapshot(step).embedding

        self._ahead_task = asyncio.get_running_loop().create_task(asyncio.to_thread(embed_beside_training))

    def prepare(self, name: str, work: Callable[[Run, Snapshot], Any]) -> None:
        """Have something worked out for each frame, in a worker thread: it is then `frame.prepared[name]`.

        The work must touch nothing of the page; it returns None where it is not needed at present.
        """
        self._preparations[name] = work

    def refresh(self) -> None:
        """Make the frame anew soon: what a view wants prepared has changed."""
        self._refresh_soon()

    def schedule(self, action: Callable[[], None]) -> None:
        """Do this soon, while the document may be changed: what goes on after an `await` may not change it itself.

        All that it changes is sent together. Where the session has ended meanwhile, it is not done.
        """
        if self._document is None:  # in a notebook, where there is no lock
            action()
            return
        if self._has_ended:
            return

        def act() -> None:
            with together():
                action()

        with set_curdoc(self._document):  # a task begun by a task no longer knows whose it is
            pn.state.execute(act, schedule=True)

    def _give_up(self, snapshot: Snapshot, reason: str) -> None:
        self._refreshing, self._unshowable = False, snapshot
        self.alert = reason

    # Time

    def go_to(self, step: int) -> None:
        """Turn every view back to the kept step nearest to this one (in logarithmic time)."""
        steps = self.run.steps
        self.kept = steps
        self.at = min(steps, key=lambda kept: abs(np.log2(kept + 1) - np.log2(max(step, 0) + 1)))
        self.live = False

    def go_live(self) -> None:
        """Show the newest snapshot again, and each one that follows."""
        self.live = True

    @param.depends("live", "at", watch=True)
    def _turn(self) -> None:
        if self._callback is None:
            self._take_frame(self._make_frame(None if self.live else self.at))
        else:
            self._shown_at = -np.inf
            self._refresh_at_once()

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
                endpoint_rows=(None, None),
                morph_rows=[],
                drawn=np.zeros((0, 2)),
                live=True,
                kept=self.run.steps,
                plane_kind="axes",
                alert="",
                status=self.run.status,
                views_share=0.0,
            )
            self.frame = self._make_frame()
        self._shown_at = -np.inf
        self._told = None
        self._ahead.clear()

    @param.depends("manifold_range", "manifold_side", "manifold_limit", "color_by", watch=True)
    def _refresh_soon(self) -> None:
        if self._callback is None:
            self._take_frame(self._make_frame(None if self.live else self.at))
        else:
            self._stale = True
            self._refresh_at_once()

    @param.depends("axes", "plane_kind", watch=True)
    def _turn_plane(self) -> None:
        if len(set(self.axes)) < min(2, self.latent_dim):
            first = self.axes[0]
            self.axes = (first, (first + 1) % self.latent_dim)
            return
        if self.frame is not None:
            self._refresh_soon()

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

    def _make_frame_beside_training(self, at: int | None) -> Frame:
        try:
            with one_thread() if self.run.status == "running" else nullcontext():
                return self._make_frame(at)
        finally:
            release_threads()

    def _make_frame(self, at: int | None = None) -> Frame:
        """Return the frame of a kept step, or of the newest. Nothing of the document is touched: any thread may."""
        previous = None if self.frame is None else self.frame.plane
        wish = Wish(
            plane_kind=self.plane_kind, axes=self.axes, previous=previous, selection=tuple(self.selection),
            coordinates=self.manifold_range, limit=self.manifold_limit, side=self.manifold_side,
        )  # fmt: skip
        return make_frame(self.run, at, wish, self._preparations)

    # Geometry

    @property
    def latent_dim(self) -> int:
        """Dimensions of the code, L."""
        return self.run.snapshot().vae.latent_dim if self.frame is None else self.frame.snapshot.vae.latent_dim

    @property
    def plane(self) -> Plane:
        """The directions that are across and up in the planes: two, or one if the code has no more."""
        return self.frame.plane

    def base(self, snapshot: Snapshot | None = None) -> Float[np.ndarray, " L"]:
        """Return the code that holds the other dimensions: the first selected example's, or 0."""
        return base_of(snapshot or self.frame.snapshot, self.selection)

    def code_at(self, x: float, y: float) -> Float[np.ndarray, " L"]:
        """Return the code at a point (in z) of the planes."""
        (code,) = self.lift([(x, y)])
        return code

    def lift(self, points: ArrayLike) -> Float[np.ndarray, "N L"]:
        """Return the codes at points (in z) of the planes, (N, 2)."""
        return self.plane.lift(np.asarray(points, float)[:, : len(self.plane.basis)], self.base())

    def in_plane(self, codes: Float[np.ndarray, "N L"]) -> Float[np.ndarray, "N 2"]:
        """Return where codes lie in the planes, in z; with one latent dimension they lie on the line 0."""
        points = np.zeros((len(codes), 2))
        points[:, : len(self.plane.basis)] = self.plane.project(codes)
        return points

    def nearest_row(self, code: Float[np.ndarray, " L"]) -> int:
        """Return the row of the embedded example whose posterior mean lies nearest in the planes."""
        asked = self.frame.cloud, code.tobytes()
        if self._nearest is None or self._nearest[0] != asked:  # each view that follows the mouse asks for the same
            (point,) = self.in_plane(code[None])
            self._nearest = asked, self.frame.cloud.nearest(point)
        return self._nearest[1]

    def point_at(self, code: Float[np.ndarray, " L"], plane: str = "") -> None:
        """Point at a code, in the view of that name."""
        self._touched_at = time.perf_counter()
        with together():  # all marks and images in one message
            self.param.update(cursor=code, cursor_plane=plane)

    def place_endpoint(
        self, which: int, code: Float[np.ndarray, " L"], plane: str = "", row: int | None = None
    ) -> None:
        """Put endpoint A (0) or B (1) at a code, or at an example's, which it then follows through time.

        The view named by `plane` draws it itself.
        """
        endpoints, rows = self.endpoints.copy(), list(self.endpoint_rows)
        endpoints[which], rows[which] = code, row
        self._touched_at = time.perf_counter()
        with together():
            self.param.update(endpoints=endpoints, endpoints_plane=plane, endpoint_rows=tuple(rows))

    def follow_example(self, which: int, row: int) -> None:
        """Put endpoint A (0) or B (1) at the code of an example.

        Raises
        ------
        ValueError
            If there is no such row.
        """
        count = len(self.frame.snapshot.ids)
        if not 0 <= row < count:
            raise ValueError(f"example {row}: must be a whole number from 0 to {count - 1:,}")
        self.place_endpoint(which, self.frame.snapshot.mu[row].astype(float), row=row)

    # Words

    def axis_name(self, which: int) -> str:
        """Return the name of the plane's direction across (0) or up (1), such as "z3" or "PC1"."""
        axes = self.plane.axes
        return f"PC{which + 1}" if axes is None else f"z{axes[which] + 1}"

    def label_of(self, row: int) -> str:
        """Return the class name of an embedded example, or its number."""
        dataset, example = self.run.dataset, int(self.frame.snapshot.ids[row])
        if dataset.labels is None:
            return f"example {example}"
        return dataset.class_names[int(dataset.labels[example])]
