"""The page of the app: the drawer beside the explorer, and the run's address."""

import asyncio
import gc
import signal
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context
from importlib import import_module
from typing import Any

import jinja2
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.server.server import Server
from panel.io.state import set_curdoc
from panel.util import edit_readonly

from vaeviz.training import Run
from vaeviz.views.browser import OWN_LAYOUT
from vaeviz.views.connection import IdleMoments, come_back, send_at_once
from vaeviz.views.controls import ControlsView
from vaeviz.views.explorer import EXPLORABLE, Explorer
from vaeviz.views.runs import PRETRAINED_NAMES, default_run, open_pretrained, register_run, restore_run
from vaeviz.views.state import ExplorerState
from vaeviz.views.status import alert_of


def _theme(button: str) -> dict[str, Any]:
    """Return a theme with this color of the words on buttons that have no ground of their own."""
    bare = {"props": {"variant": "outlined", "color": "primary"}, "style": {"color": button}}
    chosen = "&.Mui-selected.MuiToggleButton-primary:not(.MuiToggleButtonGroup-grouped)"
    return {
        "palette": {"primary": {"main": BLUE}},
        "components": {
            "MuiToolbar": {"styleOverrides": {"root": {"minHeight": "48px !important", "height": "48px"}}},
            "MuiButton": {"styleOverrides": {"root": {"textTransform": "none", "variants": [bare]}}},
            "MuiToggleButton": {"styleOverrides": {"root": {chosen: {"color": button}}}},
            "MuiTab": {"styleOverrides": {"root": {"textTransform": "none"}}},
        },
    }


BLUE = "#2f6fb3"
THEME = {"light": _theme(BLUE), "dark": _theme("#84b6ea")}
"""On the dark ground, blue words are of a lighter blue: a contrast of 8.8, where the other's is 3.6."""


FIRST_PAUSE, SHORT_PAUSE, PAUSE = 0.05, 0.01, 0.02
"""Seconds before each part of a page that opens, in which its thread does what else there is to do: before the first,
while the browser asks for the scripts; as long as it has nothing to show yet; and when the mouse may be there."""

TEMPLATE = jinja2.Environment(autoescape=True).from_string("""
{% extends base %}
{% block preamble %}
{{- super() }}
{%- if widgets %}<link rel="modulepreload" href="{{ widgets }}">{% endif %}
{% endblock %}
{% block postamble %}
{%- if widgets %}
<script>
{
  const widgets = "{{ widgets }}", shim = window.importShim
  window.importShim = Object.assign((url, ...others) => url === widgets ? import(url) : shim(url, ...others), shim)
  importShim(widgets)
}
</script>
{% endif %}
<style>#loader:not(.error) { background: none; }</style>
{% endblock %}
""")
"""The browser reads the widgets' code while the first part is made, and not when that has come; and it reads it itself,
and has it not read by a script first, which looks for what older browsers can't import. It shows an empty page
meanwhile, and not a gray one."""

NEW = "new"
"""`?run=new` opens a new run."""


async def _warm_up() -> None:
    """Import, while the person looks at the page, what torch would import with the first optimizer: a second's work."""
    await asyncio.to_thread(import_module, "torch._dynamo")


def _end_in_order() -> None:
    """Let Ctrl-C end the server between two callbacks, as SIGTERM does, and not in the midst of one.

    A KeyboardInterrupt comes wherever Python is, also where it is swallowed: in what is called when an object is let go
    of, say. Somebody else's way with it is left alone, and so is a server that does not run in the main thread.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_signal_handler(signal.SIGINT)  # a second one has its usual effect
        loop.stop()

    with suppress(ValueError, RuntimeError, NotImplementedError):
        Context().run(loop.add_signal_handler, signal.SIGINT, end)  # the context of a page would keep that page


def first_run(run_id: str | None = None) -> tuple[Run, str]:
    """Return the run that a page opens on, and what there is to say about it.

    Parameters
    ----------
    run_id : str, optional
        Of a run of this process, of a saved or of a pretrained one; or "new". Left out: the pretrained one.
    """
    if run_id == NEW:
        return register_run(default_run()), ""
    words = ""
    try:
        run = restore_run(run_id) if run_id else None
        if run is not None:
            return run, ""
        if run_id:
            words = f"There is no run {run_id} here (any more); this is another one."
    except (ValueError, OSError) as error:
        words = str(error)
    try:
        return open_pretrained(PRETRAINED_NAMES[0]), words
    except (ValueError, OSError) as error:
        return register_run(default_run()), words or str(error)


class _Idle(param.Parameterized):
    busy = param.Boolean(False)


_begun: list[bool] = []
"""Not empty once a page has been begun in this process."""


def freeze_what_is_imported() -> None:
    """Have Python's collector look no more through what lives now: only what pages make can become garbage.

    Else it stops every page and every training for half a second when it has looked for some. Once a page has been
    begun nothing is done: that page would stay for good.
    """
    if not _begun:
        gc.freeze()


def _page(**params) -> pmui.Page:
    _begun[:] = [True]
    page = pmui.Page(title="vaeviz", theme_config=THEME, template=TEMPLATE, **params)
    come_back()
    widgets = pmui.Page._render_esm(server=True)
    if "\n" not in widgets:  # its address, and not the code itself
        pn.state.curdoc.template_variables["widgets"] = widgets
    # Else each callback would walk through all models of the page to show that it is busy. It takes a reference to let
    # go of that to `pn.state.busy`: with a plain False its watcher would stay there, and hold the page forever.
    with edit_readonly(page):
        page.param.update(busy=_Idle().param.busy, busy_indicator=None)
    return page


def _open(page: pmui.Page, parts: Iterator[str]) -> None:
    """Fill a page part by part; tell what made that impossible, such as a model that fails.

    It is sent empty, and what is explored with is made while the browser reads the scripts. These are given out by the
    same thread, so it pauses between the parts. The others follow when the browser has drawn these and has nothing more
    to do: the mouse, which may be there already, is answered first.
    """
    document = pn.state.curdoc
    idle = IdleMoments(document)

    async def begin() -> None:  # the browser gets no document before its end
        with set_curdoc(document):
            await asyncio.sleep(FIRST_PAUSE)
            try:
                while next(parts) != EXPLORABLE:
                    await asyncio.sleep(SHORT_PAUSE)
            except Exception as error:
                page.main = [alert_of(f"This run can't be shown: {error}")]
                raise
            pn.state.onload(send_at_once)
            pn.state.onload(lambda: idle.then(go_on_soon))

    def go_on_soon() -> None:
        document.add_timeout_callback(go_on, int(1000 * PAUSE))

    def go_on() -> None:
        if next(parts, ""):
            go_on_soon()

    # Panel begins a task of the whole process with the first that is busy. Begun in this page's context, it would keep
    # the page as long as the process lives.
    Context().run(pn.state._schedule_busy_cleanup)
    document.add_next_tick_callback(begin)


def run_page(run: Run) -> pmui.Page:
    """Return the page of one run that is trained elsewhere: there is nothing to start or stop."""
    page = _page()

    def parts() -> Iterator[str]:
        explorer = Explorer(ExplorerState(run), embedded=False, staged=True)
        page.main = [explorer]
        yield from explorer.parts()

    _open(page, parts())
    return page


def explorer_page(run_id: str | None = None) -> pmui.Page:
    """Return the app's page for the run of that id, for a pretrained one, or for a "new" one.

    The address of the page then names its run (`?run=ID`): reloaded, or opened in a second tab, or after a restart of
    the server, it finds it again.
    """
    _end_in_order()
    drawer = pn.Column(sizing_mode="stretch_width", margin=0, css_classes=[OWN_LAYOUT])
    page = _page(sidebar=[drawer], sidebar_width=300, sidebar_resizable=False)
    location = pn.state.location

    def parts() -> Iterator[str]:
        run, words = first_run(run_id)
        state = ExplorerState(run)
        state.alert = words

        def name_run(*_) -> None:
            if location is not None:
                location.update_query(run=state.run.id)

        state.param.watch(name_run, "run")
        pn.state.onload(name_run)
        explorer = Explorer(state, embedded=False, staged=True)
        page.main = [explorer]
        for part in explorer.parts():
            yield part
            if part == "timeline":
                drawer.append(ControlsView(state))
                yield "drawer"
        pn.state.onload(_warm_up)

    _open(page, parts())
    return page


def run_server(run: Run, port: int, address: str) -> Server:
    """Return a server, not yet started, whose only page is that of a run; to be run by the calling thread.

    Raises
    ------
    OSError
        If the port can't be had.
    """
    pn.extension()
    return pn.io.server.get_server(
        {"/": lambda: run_page(run)}, port=port, address=address, start=False, show=False, verbose=False, title="vaeviz"
    )
