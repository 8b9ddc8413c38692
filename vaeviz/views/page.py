"""The page of the app: the drawer beside the explorer, and the run's address."""

import asyncio
from importlib import import_module

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly

from vaeviz.views.controls import ControlsView, default_run
from vaeviz.views.explorer import Explorer
from vaeviz.views.runs import find_run, register_run
from vaeviz.views.state import ExplorerState

THEME = {
    "palette": {"primary": {"main": "#2f6fb3"}},
    "components": {
        "MuiToolbar": {"styleOverrides": {"root": {"minHeight": "48px !important", "height": "48px"}}},
        "MuiButton": {"styleOverrides": {"root": {"textTransform": "none"}}},
        "MuiTab": {"styleOverrides": {"root": {"textTransform": "none"}}},
    },
}


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


def explorer_page(run_id: str | None = None) -> pmui.Page:
    """Return the app's page for the run of that id, or for a new one.

    The address of the page then names its run (`?run=ID`): reloaded, or opened in a second tab, it finds it again.
    """
    run = find_run(run_id) if run_id else None
    state = ExplorerState(run or register_run(default_run()))
    if run_id and run is None:
        state.alert = f"There is no run {run_id} here (any more); this is a new one."
    explorer, controls = Explorer(state, embedded=False), ControlsView(state)
    page = pmui.Page(
        title="vaeviz",
        main=[explorer],
        sidebar=[controls],
        sidebar_width=300,
        sidebar_resizable=False,
        theme_config=THEME,
    )
    with edit_readonly(page):  # else each callback would walk through all models of the page to show that it is busy
        page.param.update(busy=False, busy_indicator=None)

    location = pn.state.location

    def _name_run(*_) -> None:
        if location is not None:
            location.update_query(run=state.run.id)

    state.param.watch(_name_run, "run")
    pn.state.onload(_name_run)
    pn.state.onload(_send_at_once)
    pn.state.onload(_warm_up)
    return page
