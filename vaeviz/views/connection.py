"""The line between a page and its server: nothing waits on it, nothing piles up, and where it is cut the page says so.

Bokeh has no option for the first two, so this reaches for its private connections, and does nothing where they have
changed.
"""

from collections.abc import Callable, Iterator

import panel as pn
from bokeh.document import Document
from bokeh.models import CustomJS, Range1d
from tornado.websocket import WebSocketHandler

LOST_JS = """
if (window.vaevizLost) { return }
window.vaevizLost = true
const bar = document.createElement("div")
bar.setAttribute("role", "alert")
bar.className = "vv-lost"
bar.style.cssText = `position: fixed; z-index: 10000; top: 56px; left: 50%; transform: translateX(-50%);
  width: max-content; max-width: calc(100vw - 48px); box-sizing: border-box;
  display: flex; align-items: center; gap: 14px;
  padding: 10px 12px 10px 18px; border-radius: 8px; background: #b3261e; color: #fff;
  font: 14px/1.4 system-ui, sans-serif; box-shadow: 0 4px 18px rgb(0 0 0 / .4)`
const words = document.createElement("span")
words.textContent = "No connection to the server. A training goes on there; this page comes back when it answers."
const button = document.createElement("button")
button.textContent = "Reload"
button.style.cssText = `font: inherit; font-weight: 600; color: #b3261e; background: #fff; border: 0;
  border-radius: 5px; padding: 4px 12px; cursor: pointer`
button.addEventListener("click", () => location.reload())
bar.append(words, button)
document.body.append(bar)

const something = document.querySelector('script[src*="bokeh"]').src
const FIRST = 1000, LONGEST = 10000
let pause = FIRST, timer = null
const look = async () => {
  clearTimeout(timer)
  try {
    const answer = await fetch(something, {method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(5000)})
    if (answer.ok) { location.reload(); return }
  } catch {}
  pause = Math.min(2 * pause, LONGEST)
  timer = setTimeout(look, pause)
}
timer = setTimeout(look, pause)
const soon = () => { pause = FIRST; look() }
window.addEventListener("online", soon)
document.addEventListener("visibilitychange", () => { if (!document.hidden) { soon() } })
"""

PATIENCE = 2.0
"""Seconds to wait for an idle moment."""

# A tab that nobody sees has idle moments, too.
IDLE_JS = """
const answer = () => { cb_obj.name = `${cb_obj.tags[0]}` }
if (window.requestIdleCallback) { requestIdleCallback(answer) } else { setTimeout(answer, 50) }
"""


def come_back() -> None:
    """Let the page of this document come back after it has lost its connection: to the run that its address names.

    It is loaded anew, and not connected to its session again: the server soon lets go of that, and would then begin
    another one with the address that the page was first opened on, which may name no run yet.
    """
    document = pn.state.curdoc
    if document is not None:
        document.js_on_event("connection_lost", CustomJS(code=LOST_JS))


class IdleMoments:
    """Tells when a browser has nothing more to do with what it was sent: it has drawn it, and the mouse is answered.

    It has to be made before the page is sent.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._line = Range1d()  # a model without a view: the server writes tags, the browser the name
        self._line.js_on_change("tags", CustomJS(code=IDLE_JS))
        self._line.on_change("name", self._on_answer)
        self._asked = 0
        self._then: Callable[[], None] | None = None
        document.add_root(self._line)

    def then(self, call: Callable[[], None]) -> None:
        """Call something once: in the browser's next idle moment, or after `PATIENCE` if it tells of none."""
        self._then = call
        self._asked += 1
        asked = self._asked
        self._line.tags = [asked]
        self._document.add_timeout_callback(lambda: self._go(asked), int(1000 * PATIENCE))

    def _on_answer(self, attr: str, old: str | None, new: str) -> None:
        if new == f"{self._asked}":
            self._go(self._asked)

    def _go(self, asked: int) -> None:
        if asked == self._asked and self._then is not None:
            call, self._then = self._then, None
            call()


def send_at_once() -> None:
    """Let no message to the browser wait for the acknowledgement of the one before it (TCP_NODELAY).

    Bokeh sends each change as several small messages; with Nagle's algorithm, which Tornado leaves on, the last of them
    comes 40 ms late every now and then.
    """
    for socket in _sockets(pn.state.curdoc):
        socket.set_nodelay(True)


def is_behind(document: Document | None) -> bool:
    """Whether the browser has not taken yet what was sent: its line is slow, or the lid of its machine was closed.

    Then whoever has more to show waits, or all of it would be kept for it in the server's memory.
    """
    return any(
        socket.ws_connection is not None and socket.ws_connection.stream.writing() for socket in _sockets(document)
    )


def is_left(document: Document | None) -> bool:
    """Whether nobody is connected to a document any more; the server keeps it for a while."""
    return getattr(_session_of(document), "connection_count", 1) == 0


def _sockets(document: Document | None) -> Iterator[WebSocketHandler]:
    """Yield the sockets of all who are connected to a document; one, as a rule."""
    for connection in getattr(_session_of(document), "_subscribed_connections", ()):
        socket = getattr(connection, "_socket", None)
        if isinstance(socket, WebSocketHandler):
            yield socket


def _session_of(document: Document | None) -> object:
    """Return the server's session of a document; None where there is none, such as in a notebook."""
    return getattr(document and document.session_context, "session", None)
