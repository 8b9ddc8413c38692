"""The page of the app: the drawer beside the explorer, and the run's address."""

import asyncio
from importlib import import_module

import panel as pn
import panel_material_ui as pmui
import param
from bokeh.server.server import Server
from panel.util import edit_readonly

from vaeviz.training import Run
from vaeviz.views.connection import come_back
from vaeviz.views.controls import ControlsView
from vaeviz.views.explorer import Explorer
from vaeviz.views.runs import PRETRAINED_NAMES, default_run, open_pretrained, register_run, restore_run
from vaeviz.views.state import ExplorerState

THEME = {
    "palette": {"primary": {"main": "#2f6fb3"}},
    "components": {
        "MuiToolbar": {"styleOverrides": {"root": {"minHeight": "48px !important", "height": "48px"}}},
        "MuiButton": {"styleOverrides": {"root": {"textTransform": "none"}}},
        "MuiTab": {"styleOverrides": {"root": {"textTransform": "none"}}},
    },
}


NEW = "new"
"""`?run=new` opens a new run."""


async def _warm_up() -> None:
    """Import, while the person looks at the page, what torch would import with the first optimizer: a second's work."""
    await asyncio.to_thread(import_module, "torch._dynamo")


def _send_at_once() -> None:
    """Let no message to the browser wait for the acknowledgement of the one before it (TCP_NODELAY).

    Bokeh sends each change as several small messages; with Nagle's algorithm, which Tornado leaves on, the last of them
    comes 40 ms late every now and then. Bokeh has no option for it, so this reaches for its private connections, and
    does nothing where they have changed.
    """
    session = getattr(pn.state.curdoc.session_context, "session", None)
    for connection in getattr(session, "_subscribed_connections", ()):
        socket = getattr(connection, "_socket", None)
        if socket is not None:
            socket.set_nodelay(True)


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


def run_page(run: Run) -> pmui.Page:
    """Return the page of one run that is trained elsewhere: there is nothing to start or stop."""
    return _page(Explorer(ExplorerState(run), embedded=False))


def run_server(run: Run, port: int, address: str) -> Server:
    """Return a server, not yet started, whose only page is that of a run; to be run by the calling thread.

    Raises
    ------
    OSError
        If the port can't be had.
    """

    def page() -> pmui.Page:
        pn.state.onload(_send_at_once)
        return run_page(run)

    pn.extension()
    return pn.io.server.get_server(
        {"/": page}, port=port, address=address, start=False, show=False, verbose=False, title="vaeviz"
    )


class _Idle(param.Parameterized):
    busy = param.Boolean(False)


def _page(explorer: Explorer, **params) -> pmui.Page:
    page = pmui.Page(title="vaeviz", main=[explorer], theme_config=THEME, **params)
    come_back()
    # Else each callback would walk through all models of the page to show that it is busy. It takes a reference to let
    # go of that to `pn.state.busy`: with a plain False its watcher would stay there, and hold the page forever.
    with edit_readonly(page):
        page.param.update(busy=_Idle().param.busy, busy_indicator=None)
    return page


def explorer_page(run_id: str | None = None) -> pmui.Page:
    """Return the app's page for the run of that id, for a pretrained one, or for a "new" one.

    The address of the page then names its run (`?run=ID`): reloaded, or opened in a second tab, or after a restart of
    the server, it finds it again.
    """
    run, words = first_run(run_id)
    state = ExplorerState(run)
    state.alert = words
    explorer, controls = Explorer(state, embedded=False), ControlsView(state)
    page = _page(explorer, sidebar=[controls], sidebar_width=300, sidebar_resizable=False)
    location = pn.state.location

    def _name_run(*_) -> None:
        if location is not None:
            location.update_query(run=state.run.id)

    state.param.watch(_name_run, "run")
    pn.state.onload(_name_run)
    pn.state.onload(_send_at_once)
    pn.state.onload(_warm_up)
    return page
