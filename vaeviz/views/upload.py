"""Data that a person drops into the drawer: sent in pieces, checked as every file is, and then offered as a dataset."""

import asyncio
from pathlib import Path

import panel as pn
import param
from panel.custom import JSComponent

from vaeviz.data.bounded import in_words
from vaeviz.data.incoming import KINDS, Incoming, most_upload
from vaeviz.training.aside import aside
from vaeviz.views.exchange import TOLD
from vaeviz.views.view import View

CSS = """
label { display: grid; grid-template-columns: 1fr auto; gap: 2px 8px; align-items: center; padding: 7px 10px;
  border: 1px dashed color-mix(in srgb, currentColor 45%, transparent); border-radius: 6px; cursor: pointer;
  font-size: 13px; line-height: 1.35; box-sizing: border-box; width: 100%; overflow-wrap: anywhere;
  position: relative; }
label:hover, label.over { border-color: #3f90da; background: color-mix(in srgb, #3f90da 12%, transparent); }
label:focus-within { outline: 2px solid #3f90da; outline-offset: 1px; }
label.coming, label.reading { cursor: default; }
label.done { border-style: solid; border-color: #2e9e4f; }
label.refused { border-style: solid; border-color: #d32f2f; }
input { position: absolute; inset: 0; opacity: 0; width: 1px; height: 1px; }
.words, .hint, progress { grid-column: 1 / -1; }
.hint { font-size: 11px; opacity: .7; }
progress { appearance: none; width: 100%; height: 5px; border: 0; border-radius: 3px; overflow: hidden; grid-column: 1;
  background: color-mix(in srgb, currentColor 18%, transparent); }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: #3f90da; }
progress::-moz-progress-bar { background: #3f90da; }
button { font: inherit; font-size: 12px; color: inherit; background: none; cursor: pointer; padding: 1px 8px;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent); border-radius: 4px; }
label:not(.coming) progress, label:not(.coming) button, .coming .hint, .reading .hint { display: none; }
"""


class DropArea(JSComponent):
    """Where files are dropped or chosen; what its browser sends is handed on."""

    phase = param.Selector(default="idle", objects=["idle", "coming", "reading", "done", "refused"])
    words = param.String("")
    hint = param.String(KINDS)

    _esm = Path(__file__).with_name("upload.js")

    def ask_for(self, place: int) -> None:
        """Have the browser send the bytes from this place on."""
        self._send_msg({"from": place})


class UploadView(View):
    """Takes one dataset at a time from the person's own computer; nothing of it stays on the server's disk.

    Parameters
    ----------
    state : ExplorerState
        Where it is told why something was not taken.
    """

    dataset = param.Parameter(doc="The dataset that came last, or None.")

    def __init__(self, state, **params) -> None:
        super().__init__(state, **params)
        self._incoming: Incoming | None = None
        self._task: asyncio.Task | None = None
        self._ends_with_session = False
        self._told: str | None = None
        self._area = DropArea(stylesheets=[CSS], sizing_mode="stretch_width", margin=(5, 10))
        self._area.on_msg(lambda event: self._on_message(event.data))
        self._layout = self._area
        try:
            most = most_upload()
        except ValueError as error:
            self.state.alert, most = str(error), 0
        self._idle = f"Drop data here, or choose; up to {in_words(most)}"
        self._area.param.update(words=self._idle, visible=most > 0)

    # What the browser sends, which may be anything

    def _on_message(self, message: object) -> None:
        try:
            match message:
                case {"begin": [*files]}:
                    self._begin([(str(name), int(size)) for name, size in files])
                case {"piece": bytes(piece)} if self._incoming is not None and self._area.phase == "coming":
                    self._take(piece)
                case {"cancel": str(reason)} if self._area.phase == "coming":
                    self._end("refused" if reason else "idle", reason or self._idle)
        except TOLD as error:
            self._refuse(error)

    def _begin(self, files: list[tuple[str, int]]) -> None:
        if self._area.phase in ("coming", "reading"):
            return
        if self.state.alert == self._told:
            self.state.alert = ""
        self._incoming = Incoming(files)
        if not self._ends_with_session and pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._close())
            self._ends_with_session = True
        self._area.param.update(phase="coming", words=self._incoming.name)
        self._area.ask_for(0)

    def _take(self, piece: bytes) -> None:
        incoming = self._incoming
        incoming.write(piece)
        if incoming.received < incoming.total and piece:
            share = f"{incoming.received / incoming.total:.0%} of {in_words(incoming.total)}"
            self._area.words = f"{incoming.name} · {share}"
            self._area.ask_for(incoming.received)
        else:
            self._area.param.update(phase="reading", words=f"{incoming.name} · being read …")
            self._task = asyncio.get_running_loop().create_task(self._read(incoming))

    async def _read(self, incoming: Incoming) -> None:
        try:
            dataset = await aside(incoming.dataset)
        except TOLD as error:
            self.state.schedule(lambda error=error: self._refuse(error))
        else:
            self.state.schedule(lambda: self._offer(dataset))
        finally:
            incoming.close()

    # What comes of it

    def _offer(self, dataset) -> None:
        size = "×".join(map(str, dataset.image_shape))
        self._end("done", f"✓ {dataset.name} · {len(dataset):,} images of {size}")
        self.dataset = dataset

    def _refuse(self, error: Exception) -> None:
        words = str(error) or type(error).__name__
        self._end("refused", words)
        self.state.alert = self._told = words

    def _end(self, phase: str, words: str) -> None:
        self._close()
        self._area.param.update(phase=phase, words=words)

    def _close(self) -> None:
        if self._incoming is not None:
            self._incoming.close()
            self._incoming = None
