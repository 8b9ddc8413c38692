"""Views in the cells of a notebook: shown by themselves, kept up to date, and let go when their output goes."""

import asyncio
import base64
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import panel as pn
import param
from bokeh.document import Document
from bokeh.document.events import DocumentChangedEvent, DocumentPatchedEvent
from bokeh.models import ImportedStyleSheet, InlineStyleSheet, Model, UIElement
from panel.io.model import diff
from panel.io.notebook import push, replace_inline_css
from panel.models.esm import ReactiveESM
from panel.theme import Native
from panel_material_ui.base import BUNDLE_PATH, CDN_DIST, DIST_PATH
from panel_material_ui.theme import MuiDefaultTheme

PUSH_SECONDS = 0.02
"""Between two looks at whether something has changed that the browser does not know of."""

WIDGETS_CSS = (
    "data:text/css;base64,"
    + base64.b64encode(b"""
.material-icons { font-family: "Material Icons"; font-weight: normal; font-style: normal; line-height: 1;
  letter-spacing: normal; text-transform: none; display: inline-block; white-space: nowrap; word-wrap: normal;
  direction: ltr; font-feature-settings: "liga"; -webkit-font-smoothing: antialiased; }
""").decode()
)

PAPER_CSS = """
:host { --vv-surface: var(--jp-layout-color0, #fff); --vv-on-surface: var(--jp-ui-font-color1, #222); }
"""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def load_into_notebook() -> None:
    """Load Panel's scripts into the notebook, once, from this machine and not from a CDN."""
    if not pn.extension._loaded:
        pn.extension(inline=True)


@cache
def widgets_code() -> str:
    """Return the widgets' code in base64: Panel would send it with each, 1.5 MB a time, or have it from a CDN."""
    return base64.b64encode(BUNDLE_PATH.read_bytes()).decode()


@cache
def widgets_icons() -> str:
    """Return the font of the widgets' icons, in base64."""
    (font,) = DIST_PATH.glob("material-icons-[!o]*.woff2")
    return base64.b64encode(font.read_bytes()).decode()


class Greeting(pn.reactive.ReactiveHTML):
    """Says that the page has drawn it, again and again until it is heard; and brings the widgets' code to the page."""

    seen = param.Integer(0)
    has_widgets = param.Boolean(False)
    widgets = param.String("")
    icons = param.String("")
    heard = param.Boolean(False)

    _template = '<div id="greeting"></div>'
    # What the kernel has told need not be told back to it, which is what Panel's page does with all of it.
    _scripts: ClassVar = {
        "render": """
          const greet = () => {
            const page = model.document
            if (!page || data.heard) { return }
            if (!page.tells_news_only) {
              const tell = page.create_json_patch.bind(page)
              page.create_json_patch = (events) => tell(events.filter((e) => e.sync !== false && e.attr !== "children"))
              page.tells_news_only = true
            }
            data.has_widgets = window.vaeviz_has_widgets === true
            data.seen += 1
          }
          state.timer = setInterval(greet, 250)
        """,
        "icons": """
          const style = document.createElement("style")
          const font = `url(data:font/woff2;base64,${data.icons}) format("woff2")`
          style.textContent = `@font-face { font-family: "Material Icons"; src: ${font} }`
          document.head.appendChild(style)
        """,
        "widgets": """
          if (window.vaeviz_has_widgets !== undefined) { return }
          window.vaeviz_has_widgets = false
          const bytes = Uint8Array.from(atob(data.widgets), (letter) => letter.charCodeAt(0))
          const url = URL.createObjectURL(new Blob([bytes], {type: "text/javascript"}))
          const declare = () => {
            if (window.importShim?.addImportMap === undefined) { setTimeout(declare, 50); return }
            importShim.addImportMap({imports: {"CDN_DIST": url}})
            window.vaeviz_has_widgets = true
          }
          declare()
        """.replace("CDN_DIST", CDN_DIST),
        "heard": "clearInterval(state.timer)",  # and not when it is removed: JupyterLab takes out what is scrolled away
    }


class Cell(pn.Column):
    """A view's layout in the output of a cell.

    Panel sends, in a notebook, what its own panes and widgets change. The views also change Bokeh's models themselves,
    so what has gathered in the document is sent as soon as it is there.

    Messages to a page that has not drawn the view would be lost, and a notebook draws what is scrolled to: the cell is
    empty until the page says that it is there, and is filled then.

    Parameters
    ----------
    layout : pn.viewable.Viewable
    state : ExplorerState
    height : int
        In pixels.
    """

    def __init__(self, layout: pn.viewable.Viewable, state: Any, height: int, **params) -> None:
        self._greeting = Greeting(width=1, height=1, margin=0)
        super().__init__(
            self._greeting, height=height, design=Native, stylesheets=[PAPER_CSS],
            **{"margin": 0, "sizing_mode": "stretch_width", **params},
        )  # fmt: skip
        self._greeting.param.watch(self._fill, "seen")
        self._layout = layout
        self._state = state
        self._changes: Changes | None = None
        self._task: asyncio.Task | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def get_root(self, doc: Document | None = None, comm: Any = None, preprocess: bool = True) -> Model:
        """Return the root, and watch over its document as long as there is an output that shows it."""
        if comm is not None:
            self._changes = changes = Changes(doc, comm)
        root = super().get_root(doc, comm, preprocess)
        if comm is not None:
            self._loop = loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._send(changes, root.ref["id"]))
        return root

    def _on_msg(self, *args) -> None:
        in_loop(self._loop, super()._on_msg, *args)

    def _fill(self, _) -> None:
        if self._greeting.heard:
            return
        if not self._greeting.has_widgets:
            if not self._greeting.widgets:
                self._greeting.param.update(icons=widgets_icons(), widgets=widgets_code())
            return
        if self._changes is not None:
            self._changes.forget()
        self._greeting.heard = True
        with pn.config.set(respect_explicit_sizing=True):
            self.append(self._layout)
        self._state.watch_run(self)

    def _get_objects(self, *args, **kwargs) -> tuple[list[Model], list[Model]]:
        with pn.config.set(inline=False):  # the widgets' code is named by its address then, and not put into each
            models, old = super()._get_objects(*args, **kwargs)
        for model in models:
            lighten(model)
        return models, old

    def _render_model(self, doc: Document | None = None, comm: Any = None) -> Model:
        root = super()._render_model(doc, comm)
        root.document.theme = MuiDefaultTheme().bokeh_theme  # the plots look as in the app
        return root

    def _preprocess(self, root: Model, *args, **kwargs) -> None:
        super()._preprocess(root, *args, **kwargs)
        if self._changes is not None:
            lighten(root)

    def end(self) -> None:
        """Let go of what the page no longer shows."""
        for ref in [ref for ref, (view, *_) in pn.state._views.items() if view is self]:
            _, root, _, _ = pn.state._views.pop(ref)
            self._cleanup(root)

    async def _send(self, changes: "Changes", ref: str) -> None:
        while ref in pn.state._views:
            if self._greeting.heard:
                changes.send()
            await asyncio.sleep(PUSH_SECONDS)
        self._state.unwatch_run(self)


class WidgetCell(Cell):
    """A view's layout inside of an ipywidget, which sends all changes of its document by itself."""

    def get_root(self, doc: Document | None = None, comm: Any = None, preprocess: bool = True) -> Model:
        """Return a root that is empty until the page says that it has drawn it."""
        self._greeting.heard = False
        self.objects = [self._greeting]
        root = super().get_root(doc, comm, preprocess)
        lighten(root)
        return root

    def _cleanup(self, root: Model | None = None) -> None:
        super()._cleanup(root)
        self._state.unwatch_run(self)


def in_loop(loop: asyncio.AbstractEventLoop | None, action: Callable[..., object], *args: Any) -> None:
    """Do this in that loop: at once where it runs here, else when it is free.

    A kernel takes in the page's messages in a thread of their own, a subshell, where the front end asks for one. Two
    threads must not change, or send, one document.
    """
    if loop is None or loop is _running_loop():
        action(*args)
    else:
        loop.call_soon_threadsafe(action, *args)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def widget_in_loop(widget: Any) -> Any:
    """Let an ipywidget take in its messages in the loop that runs here, and return it."""
    loop, take_in = _running_loop(), widget._handle_msg
    widget.comm.on_msg(lambda message: in_loop(loop, take_in, message))
    return widget


_shown: dict[str, tuple[str, list[Cell]]] = {}
"""What stands in the output of each cell, by the cell's id, with the id of the run that put it there."""


def stand_in_cell(cell: Cell) -> None:
    """Take note of a cell's output; what the same cell had put out when it ran before is let go."""
    from IPython import get_ipython

    parent = get_ipython().get_parent()
    place, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id", "")
    if place is None:  # a front end that does not say
        return
    before, cells = _shown.get(place, ("", []))
    if before != run:
        for each in cells:
            each.end()
        cells = []
    _shown[place] = run, [*cells, cell]


class Changes:
    """What has changed in a document and its page does not know of.

    Panel lets a document hold its events, sends those of its own changes at once, and drops what is held when it takes
    in a message from the page, since the changes that the message tells of are among them.
    """

    def __init__(self, doc: Document, comm: Any) -> None:
        self._doc, self._comm = doc, comm
        self._dropped: list[DocumentPatchedEvent] = []
        doc.callbacks.on_change(self._on_dropped)

    def _on_dropped(self, event: DocumentChangedEvent) -> None:
        if isinstance(event, DocumentPatchedEvent) and event.setter != self._comm.id:
            self._dropped.append(event)

    def forget(self) -> None:
        """Take it that the page knows all: it was sent whole."""
        self._dropped.clear()
        self._doc.callbacks._held_events.clear()

    def send(self) -> None:
        """Send them, in their order."""
        if self._dropped:
            events, self._dropped = self._dropped, []
            push(self._doc, self._comm, msg=diff(self._doc, events=events))
        if self._doc.callbacks._held_events:
            push(self._doc, self._comm)


def lighten(root: Model) -> None:
    """Send each style sheet once instead of with each model."""
    for widget in root.select({"type": ReactiveESM}):
        if widget.esm == CDN_DIST:
            widget.css_bundle = WIDGETS_CSS
    share_style_sheets(root)


def share_style_sheets(root: Model) -> None:
    """Put the text of style sheets in the place of their addresses, one model for each address."""
    shared: dict[str, ImportedStyleSheet | InlineStyleSheet] = {}
    for model in root.select({"type": UIElement}):
        sheets = [
            shared.setdefault(sheet.url, replace_inline_css(sheet)) if isinstance(sheet, ImportedStyleSheet) else sheet
            for sheet in model.stylesheets
        ]
        if sheets != model.stylesheets:
            model.stylesheets = sheets
