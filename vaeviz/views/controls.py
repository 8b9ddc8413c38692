"""The drawer: the buttons that drive a run, the fields of the next one, and the saved ones."""

import asyncio
import html
from collections.abc import Callable

import panel as pn

from vaeviz.data import Dataset
from vaeviz.training import Run, TrainingRun
from vaeviz.views.exchange import Exchange
from vaeviz.views.fields import FieldError, Fields, button
from vaeviz.views.folders import begin_autosaving
from vaeviz.views.runs import begin, check_room, folders_in_use, is_resumable, resume_folder
from vaeviz.views.saved_runs import SavedRunsView
from vaeviz.views.upload import UploadView
from vaeviz.views.view import View, text

NOTE_CSS = ":host { margin: 4px 12px; font-size: 12px; opacity: .75; } div { white-space: normal; }"
ENDED = ("ready", "finished", "stopped", "failed")


class ControlsView(View):
    """What to train and how, and Train, Pause, Resume, Stop, Reset; and what was saved.

    Nothing is changed in the present run by what stands in the fields: Reset, or Train once it has ended, begins a new
    one with them. A field that can't be taken is marked, with the reason, and the present run stays as it is. Resume
    goes on from a pause, or from the last save of a run that was stopped, failed or killed.

    Parameters
    ----------
    state : ExplorerState
        Its run is replaced by a new one.
    """

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self.exchange = Exchange(self.state)
        self.fields = Fields(self.state.run, UploadView(self.state))
        self.saved = SavedRunsView(self.state, self.exchange, self._resume_folder, self._at_hand)
        self._train = button("Train", self._on_train, color="primary", variant="contained", icon="play_arrow")
        self._pause = button("Pause", self._on_pause, color="primary", variant="contained", icon="pause")
        self._resume = button("Resume", self._on_resume, color="primary", variant="contained", icon="play_arrow")
        self._stop = button("Stop", self._on_stop, icon="stop")
        self._reset = button("Reset", self._on_reset, icon="replay")
        self._note = text(css=NOTE_CSS)
        buttons = (self._train, self._pause, self._resume, self._stop, self._reset)
        self._layout = pn.Column(
            pn.FlexBox(*buttons, margin=(8, 8, 0, 8)), self._note, self.fields.layout, self.saved,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self.fields.watch(self._on_edit)
        self.state.param.watch(self._on_run, "run")
        self.state.param.watch(self._update, "status")
        self.exchange.param.watch(self._update, "busy")
        self._on_edit()

    # What a person does

    def _on_edit(self) -> None:
        self.fields.check()
        self._update()

    async def _on_train(self, _) -> None:
        run = self.state.run
        # A run that has not begun is taken as it is if the fields still describe it.
        as_it_is = self.state.status == "ready" and not self.fields.edited

        def make() -> TrainingRun:
            check_room(besides=run)
            made = run if as_it_is else self.fields.make_run()
            if made.folder is not None:
                begin_autosaving(made.folder, folders_in_use())
            return made

        await self.exchange.put(make, "Loading …", stop=True, then=self._start, refuse=self._refuse)

    async def _on_pause(self, _) -> None:
        await self._ask(self.state.run.pause)

    async def _on_resume(self, _) -> None:
        if self.state.status == "paused":
            await self._ask(self.state.run.resume)
        else:
            await self._resume_folder(self.state.run.folder)

    async def _on_stop(self, _) -> None:
        await self._ask(self.state.run.stop)

    async def _on_reset(self, _) -> None:
        await self.exchange.put(self.fields.make_run, "Loading …", stop=True, refuse=self._refuse)

    def _at_hand(self) -> list[Dataset]:
        uploaded = self.fields.upload.dataset
        return [self.state.run.dataset, *([] if uploaded is None else [uploaded])]

    async def _resume_folder(self, folder) -> None:
        present: Run = self.state.run
        at_hand = self._at_hand()

        def make() -> TrainingRun:
            check_room(besides=present)
            return resume_folder(folder, present, at_hand)

        await self.exchange.put(make, "Opening …", stop=True, then=self._start)

    def _start(self) -> None:
        try:
            begin(self.state.run)
        except ValueError as error:  # somebody else was quicker
            self.exchange.refuse(error)
        self.state.look()

    async def _ask(self, wish: Callable[[], None]) -> None:
        """Ask the run for something that it does after its present step; the page does not wait for it."""
        await asyncio.to_thread(wish)
        self.state.schedule(self.state.look)

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, FieldError):
            self.fields.mark(error)
        self.exchange.refuse(error)

    # What follows from state

    def _on_run(self, *_) -> None:
        self.fields.show(self.state.run)
        self._on_edit()

    def _update(self, *_) -> None:
        status, busy = self.state.status, bool(self.exchange.busy)
        resumable = is_resumable(self.state.run)
        self._train.visible = status in ENDED
        self._pause.visible = status == "running"
        self._resume.visible = status == "paused" or resumable
        self._stop.visible = not resumable
        self._stop.disabled = status not in ("running", "paused")
        self._train.disabled = self._resume.disabled = self._reset.disabled = busy
        self._note.object = f"<div>{html.escape(self._words(status, resumable))}</div>"

    def _words(self, status: str, resumable: bool) -> str:
        if self.exchange.busy:
            return self.exchange.busy
        if not isinstance(self.state.run, TrainingRun) and not resumable:
            return "A trained model. Train begins a run of your own with the fields below."
        if resumable:
            return f"{status.capitalize()}. Resume goes on from its last save; Train begins a new run."
        if status in ("finished", "stopped", "failed"):
            return f"{status.capitalize()}. Train and Reset begin a new run with the fields below."
        if self.fields.edited:
            return "Changed fields take effect with " + ("Train." if status == "ready" else "Reset.")
        return "A new run, not yet begun." if status == "ready" else ""
