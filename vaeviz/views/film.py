"""The route as a film to take home: GIF or MP4, made beside the page and handed over by the browser."""

import asyncio
import io
import time
from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
import param

from vaeviz.cores import one_thread
from vaeviz.models import VAE
from vaeviz.private_folder import PrivateFolder
from vaeviz.training.aside import aside
from vaeviz.views.journey import Journey, plan_journey
from vaeviz.views.state import ExplorerState
from vaeviz.views.view import COMPACT, View

MOST_FRAMES = 1000
"""Frames of a route that can be saved: more would be a file of many megabytes."""

NARROW = COMPACT | {"&.MuiButton-root": {**COMPACT["&.MuiButton-root"], "minWidth": 0}}

TELL_SECONDS = 0.3
"""How often the progress is told."""


class FilmView(View):
    """Two buttons that save the state's route as GIF or MP4; meanwhile they tell how far it is.

    Parameters
    ----------
    state : ExplorerState or Run
    """

    fps = param.Number(20, bounds=(1, 50), doc="Frames a second.")
    busy = param.Boolean(False, doc="Whether a film is being made.")

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._task: asyncio.Task | None = None
        self._buttons = {
            suffix: pmui.Button(
                label=suffix.upper(), size="small", variant="outlined", margin=(0, 3), sx=NARROW, width=50,
                on_click=lambda _, suffix=suffix: self._on_save(suffix), description=f"Save the whole route as {what}",
            ) for suffix, what in (("gif", "an animated GIF"), ("mp4", "a film, MP4"))
        }  # fmt: skip
        self._download = pmui.FileDownload(auto=True, filename="", label="", visible=False)
        self._layout = pn.Row(*self._buttons.values(), self._download, margin=(1, 0, 0, 0), width=112)

    # What a person does

    def _on_save(self, suffix: str) -> None:
        if self.busy:
            return
        try:
            journey = checked_film(plan_journey(self.state))
        except ValueError as error:
            self.state.alert = str(error)
            return
        self.busy = True
        name = film_name(self.state, suffix)
        self._download.param.update(data=None, filename=name)  # the same film a second time is to come as well
        making = self._make(self.state.frame.snapshot.vae, journey, name, suffix)
        self._task = asyncio.get_running_loop().create_task(making)

    async def _make(self, vae: VAE, journey: Journey, name: str, suffix: str) -> None:
        last = -TELL_SECONDS

        def tell(done: int, total: int) -> None:
            nonlocal last
            if time.perf_counter() - last > TELL_SECONDS:
                last = time.perf_counter()
                self.state.schedule(lambda: self._tell(suffix, f"{100 * done // total} %"))

        try:
            film = await aside(make_film, vae, journey, name, self.fps, tell)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            reason = f"{name} can't be saved: {error}"
            self.state.schedule(lambda: self._end(suffix, None, reason))
        else:
            self.state.schedule(lambda: self._end(suffix, film))

    # What follows

    def _tell(self, suffix: str, words: str) -> None:
        if self.busy:
            self._buttons[suffix].label = words

    def _end(self, suffix: str, film: bytes | None, reason: str = "") -> None:
        self.busy = False
        self._buttons[suffix].label = suffix.upper()
        if film is None:
            self.state.alert = reason
        else:
            self._download.file = io.BytesIO(film)
            self._download.transfer(download=True)

    @param.depends("busy", watch=True)
    def _update_buttons(self) -> None:
        for button in self._buttons.values():
            button.disabled = self.busy


def checked_film(journey: Journey) -> Journey:
    """Return the journey, if it can be saved.

    Raises
    ------
    ValueError
        If it has no frames, or too many; in words for the person.
    """
    frames = len(journey.codes)
    if not frames:
        raise ValueError("no line is drawn yet: switch the pencil on, drag on a plane, then save")
    if frames > MOST_FRAMES:
        raise ValueError(f"the route has {frames:,} frames: at most {MOST_FRAMES:,} are saved; choose fewer of them")
    return journey


def film_name(state: ExplorerState, suffix: str) -> str:
    """Return what a film of the state's route is called, such as "morph-step-1024.gif"."""
    return f"{state.route.lower().replace(' ', '-')}-step-{state.frame.snapshot.step}.{suffix}"


def make_film(vae: VAE, journey: Journey, name: str, fps: float, tell: Callable[[int, int], object]) -> bytes:
    """Return the film's file as bytes; a route that is no loop goes back again."""
    from vaeviz.export import export_walk  # with matplotlib: not for every page

    with PrivateFolder("film") as folder, one_thread():
        written = export_walk(vae, journey.codes, folder / name, fps=fps, back=not journey.loop, progress=tell)
        return written.read_bytes()
