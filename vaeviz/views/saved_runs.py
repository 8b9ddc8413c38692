"""The drawer's list of saved runs: open one, go on with it, save the present one."""

import asyncio
import html
from collections.abc import Awaitable, Callable
from pathlib import Path

import panel as pn

from vaeviz.data import Dataset
from vaeviz.training import TrainingRun
from vaeviz.views.exchange import Exchange
from vaeviz.views.fields import button, entry, section, select
from vaeviz.views.folders import SavedRow, keep_for_good, named_folder, new_folder, saved_rows
from vaeviz.views.runs import PRETRAINED_NAMES, find_run, is_training, open_folder, open_pretrained
from vaeviz.views.sharing import is_shared
from vaeviz.views.view import View, text

ANOTHER = "another folder …"
DETAIL_CSS = ":host { margin: 0 12px; font-size: 12px; opacity: .75; } div { white-space: normal; }"


class SavedRunsView(View):
    """The runs that were saved, and what can be done with them.

    Parameters
    ----------
    state : ExplorerState
    exchange : Exchange
        By which a run is opened.
    resume : callable
        What goes on with the run of a folder.
    at_hand : callable
        Returns the data that this page has: those of a run may be nowhere else.
    """

    def __init__(
        self,
        state,
        exchange: Exchange,
        resume: Callable[[Path], Awaitable[None]],
        at_hand: Callable[[], list[Dataset]],
        **params,
    ) -> None:
        super().__init__(state, **params)
        self.exchange = exchange
        self._go_on = resume
        self._at_hand = at_hand
        self._rows: dict[str, SavedRow] = {}
        self._seen: tuple[object, ...] = ()
        self._task: asyncio.Task | None = None
        self.choice = select("Saved run", [ANOTHER], ANOTHER)
        self.elsewhere = entry("Folder of a run, on the server")
        self.label = entry("Name (optional)")
        self._detail = text(css=DETAIL_CSS)
        self._open = button("Open", self._on_open, icon="folder_open")
        self._resume = button("Open and resume", self._on_resume, icon="play_arrow")
        self._save = button("Save", self._on_save, icon="save", margin=(4, 10, 4, 0))
        self._layout = pn.Column(
            section("Saved runs"), self.choice, self.elsewhere, self._detail,
            pn.Row(self._open, self._resume, margin=(0, 6)),
            pn.Row(self.label, self._save, margin=0, stylesheets=[":host { align-items: center; }"]),
            sizing_mode="stretch_width", margin=(0, 0, 8, 0),
        )  # fmt: skip
        for field in (self.choice, self.elsewhere, self.label):
            field.param.watch(self._update, "value")
        self.state.param.watch(self._look, ["tick", "status", "run"])
        self.exchange.param.watch(self._update, "busy")
        self.label.visible = not is_shared()  # a name that is taken would tell of somebody else's run
        self.show(_rows())
        self._look()

    # What a person does

    async def _on_open(self, _) -> None:
        key = self.choice.value
        if key in PRETRAINED_NAMES:
            await self.exchange.put(lambda: open_pretrained(key), "Opening …")
        elif folder := self._folder():
            at_hand = self._at_hand()
            await self.exchange.put(lambda: open_folder(folder, at_hand), "Opening …")

    async def _on_resume(self, _) -> None:
        if folder := self._folder():
            await self._go_on(folder)

    async def _on_save(self, _) -> None:
        run, name = self.state.run, "" if is_shared() else self.label.value.strip()

        def save() -> Path:
            folder = named_folder(name) if name else run.folder or new_folder(run.dataset.name, run.model.describe())
            if isinstance(run, TrainingRun):
                run.save(folder)
            keep_for_good(folder)
            return folder

        await self.exchange.do(save, "Saving …", then=self._saved)

    def _saved(self, folder: Path) -> None:
        self.label.value = ""
        self.show(_rows())
        if str(folder) in self._rows:
            self.choice.value = str(folder)
        self._update()

    def _folder(self) -> Path | None:
        key = self.choice.value
        if key in self._rows:
            return Path(key)
        if key != ANOTHER or is_shared():  # asked by a browser of somebody's own making
            return None
        return Path(self.elsewhere.value.strip()).expanduser() if self.elsewhere.value.strip() else None

    # What follows from state and disk

    def _look(self, *_) -> None:
        """Read the list again if the present run was saved or another one is there."""
        run = self.state.run
        seen = run.id, self.state.status, getattr(run, "saved_at_step", None)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.show(_rows())
        else:
            self._task = loop.create_task(self._read_again())

    async def _read_again(self) -> None:
        rows = await asyncio.to_thread(_rows)
        self.state.schedule(lambda: self.show(rows))

    def show(self, rows: list[SavedRow]) -> None:
        """Show these runs, the pretrained ones, and a way to any other folder."""
        self._rows = {str(row.folder): row for row in rows}
        options = {row.folder.name: key for key, row in self._rows.items()}
        options |= {f"pretrained {name}": name for name in PRETRAINED_NAMES}
        options |= {} if is_shared() else {ANOTHER: ANOTHER}
        if options != self.choice.options:
            chosen = self.choice.value
            stays = chosen in options.values() and (chosen != ANOTHER or self.elsewhere.value)
            self.choice.param.update(options=options, value=chosen if stays else next(iter(options.values())))
        self._update()

    def _update(self, *_) -> None:
        key, run, busy = self.choice.value, self.state.run, bool(self.exchange.busy)
        row = self._rows.get(key)
        self.elsewhere.visible = key == ANOTHER
        somewhere = key in PRETRAINED_NAMES or self._folder() is not None
        live = row is not None and is_training(row.id)
        self._open.disabled = busy or not somewhere
        self._resume.disabled = (
            busy or key in PRETRAINED_NAMES or not somewhere or (row is not None and (live or row.ended))
        )
        saves = isinstance(run, TrainingRun)
        self._save.disabled = busy or run.status == "failed" or not (saves or getattr(run, "folder", None))
        self.label.disabled = not saves
        words = row.words(find_run(row.id).status if live else None) if row else ""
        if key in PRETRAINED_NAMES:
            words = "Trained on the whole of MNIST; comes with vaeviz."
        self._detail.param.update(object=f"<div>{html.escape(words)}</div>", visible=bool(words))


def _rows() -> list[SavedRow]:
    """Return the runs that are listed: on a server that strangers share, none; each is found by its address alone."""
    return [] if is_shared() else saved_rows()
