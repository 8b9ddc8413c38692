"""Have ready what a page waits for: `panel serve apps/explorer.py --setup apps/warm_up.py`.

The server listens as soon as without it: a thread imports the views and reads the pretrained run meanwhile. Then a page
is made that nobody has asked for yet, and what a browser will be sent of it. Who asks for one, and names no other run,
gets that; the next is made later.
"""

import asyncio
import gc
import http.client
import socket
import threading
from contextlib import suppress
from secrets import token_hex
from typing import ClassVar
from weakref import WeakKeyDictionary

from bokeh.core.serialization import Serialized
from bokeh.document.events import DocumentChangedEvent, DocumentPatchedEvent
from bokeh.server.contexts import ApplicationContext
from bokeh.server.session import ServerSession
from bokeh.server.urls import per_app_patterns
from bokeh.util.token import generate_jwt_token, generate_session_id
from panel.config import config
from panel.io.resources import Resources
from panel.io.server import DocHandler, server_html_page_for_session
from panel.io.state import set_curdoc
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop

OWN_REQUEST = "Vaeviz-Warm-Up"
KEY = token_hex()
"""The header, and what it says, with which this process asks itself for a page."""

PATIENCE = 60.0
"""Seconds that it then has to answer."""

NOBODY = "default_user"
"""What Bokeh calls the user where nobody signs in."""

BEGUN = 0.5
"""Seconds after which a page that is made has begun to: its document is locked then until it can be shown."""

OPENS_ON = "mnist-2d"
"""The run of a page that names none."""


class Ahead:
    """A page that nobody has asked for yet.

    Attributes
    ----------
    session
        Whose document it is.
    made_at
        When it was made, in the loop's seconds.
    html
        What is answered to who asks for it; None while that is not prepared.
    """

    def __init__(self, session: ServerSession, made_at: float) -> None:
        self.session = session
        self.made_at = made_at
        self.html: str | None = None
        self._is_given = False
        self._preparing = asyncio.Lock()

    async def prepare(self, resources: Resources) -> None:
        """Have ready what a browser is sent of the page: it takes as long as some parts of the page to make.

        Another thread does it, so that those who are connected don't notice. The document is locked meanwhile.
        """
        await self.session.with_document_locked(self._prepare, resources)  # which does nothing once it has ended

    async def give(self) -> str | None:
        """Give the page away; return what is prepared, once nobody is about to."""
        self._is_given = True
        async with self._preparing:
            return self.html

    async def _prepare(self, resources: Resources) -> None:
        document = self.session.document

        def write() -> tuple[str, Serialized]:
            with set_curdoc(document):
                html = server_html_page_for_session(
                    self.session, resources, document.title, template=document.template,
                    template_variables=document.template_variables,
                )  # fmt: skip
                return html, document.to_json()

        async with self._preparing:
            if self._is_given:
                return
            self.html, content = await asyncio.get_running_loop().run_in_executor(None, write)
            document.to_json = lambda: content
            callbacks, trigger = document.callbacks, document.callbacks.trigger_on_change

            def on_change(event: DocumentChangedEvent) -> None:
                if isinstance(event, DocumentPatchedEvent):
                    self.forget()
                trigger(event)

            callbacks.trigger_on_change = on_change  # which all events go through, also those that are kept for later

    def forget(self) -> None:
        """Let what was prepared be made when it is asked for: the page is another one now, or is in its browser."""
        self.html = None
        document = self.session.document
        vars(document).pop("to_json", None)
        vars(document.callbacks).pop("trigger_on_change", None)


class AheadHandler(DocHandler):
    """Give a page out that was made ahead, if there is one; else make it now, as every page is without this."""

    pause: ClassVar[float] = 15.0
    """Seconds after which the next page is made: the one that was just asked for is whole by then."""

    connects: ClassVar[float] = 30.0
    """Seconds that a browser has to show a page that it was given."""

    life: ClassVar[float] = 24 * 3600.0
    """Seconds for which a page is kept that nobody asks for."""

    asked: ClassVar[bool] = False
    """Whether somebody has asked for a page."""

    _ahead: ClassVar[WeakKeyDictionary[ApplicationContext, Ahead]] = WeakKeyDictionary()
    _making: ClassVar[asyncio.Lock] = asyncio.Lock()
    _held: ClassVar[set[ServerSession]] = set()
    """Sessions that the server may not let go of yet, although nobody is connected."""

    _taken: Ahead | None = None
    """The page that this request is answered with."""

    async def get(self, *args: str, **kwargs: str) -> None:
        """Answer with a page."""
        self._taken = self._take()
        html = None if self._taken is None else await self._taken.give()
        if html is None:
            await super().get(*args, **kwargs)
            return
        self.set_header("Cache-Control", "no-store")  # each is for one person
        self.set_header("Content-Type", "text/html")
        self.write(html)

    async def get_session(self) -> ServerSession:
        """Return the session of the page that is asked for."""
        if self._asks_itself():
            return await self._make_ahead()
        return await super().get_session() if self._taken is None else self._taken.session

    def _take(self) -> Ahead | None:
        """Return the page that was made ahead, if there is one, and this request may have it; then it is given away."""
        if self._asks_itself():
            return None
        AheadHandler.asked = True
        if self.current_user != NOBODY or config.authorize_callback:
            return None  # people sign in here: a page belongs to one of them from its beginning
        loop = IOLoop.current()
        loop.call_later(self.pause, self._make_ahead)
        ahead = self._ahead.pop(self.application_context, None) if self._asks_for_what_all_get() else None
        if ahead is None:
            return None
        if loop.time() - ahead.made_at > self.life:
            self._release(ahead)
            return None
        loop.call_later(self.connects, self._release, ahead)
        ahead.session.document.on_event("document_ready", lambda _: self._release(ahead))
        return ahead

    @classmethod
    def _release(cls, ahead: Ahead) -> None:
        """Leave a session to the server, which lets go of it once nobody is connected."""
        if ahead.session in cls._held:
            cls._held.remove(ahead.session)
            ahead.forget()
            ahead.session.unblock_expiration()

    def _asks_itself(self) -> bool:
        """Whether it is this process that asks, to have a page made."""
        return self.request.headers.get(OWN_REQUEST) == KEY

    def _asks_for_what_all_get(self) -> bool:
        """Whether this request names no other run, no session and nothing else."""
        names_no_session = "Bokeh-Session-Id" not in self.request.headers
        return names_no_session and self.request.arguments in ({}, {"run": [OPENS_ON.encode()]})

    async def _make_ahead(self) -> ServerSession:
        """Make a page for whoever comes next, unless there is one; nothing in it is of whoever came before."""
        context, server, loop = self.application_context, self.application, IOLoop.current()
        async with self._making:
            if context not in self._ahead:
                keys = {"secret_key": server.secret_key, "signed": server.sign_sessions}
                session_id = generate_session_id(**keys)
                nobody = {"headers": {}, "cookies": {}, "arguments": {}}
                token = generate_jwt_token(session_id, **keys, expiration=int(2 * self.life), extra_payload=nobody)
                request = HTTPServerRequest("GET", self.request.path)
                session = await context.create_session_if_needed(session_id, request, token)
                session.block_expiration()
                self._held.add(session)
                ahead = self._ahead[context] = Ahead(session, loop.time())
                loop.call_later(BEGUN, ahead.prepare, Resources.from_bokeh(server.resources()))
            return self._ahead[context].session


def warm_up(loop: IOLoop) -> None:
    """Import the views, open what a page opens on, and have the first page made, if nobody was quicker."""
    gc.disable()  # nothing that is imported is garbage
    try:
        from vaeviz.views import page
    finally:
        gc.enable()
    page.freeze_what_is_imported()
    page.first_run()
    if not AheadHandler.asked:
        with suppress(OSError, http.client.HTTPException):  # an address of another kind, say: pages come as they did
            _ask_for_a_page(*_address_of(loop))


def _address_of(loop: IOLoop) -> tuple[str, int]:
    """Return the host and the port on which this process listens."""
    for item, _ in list(loop.handlers.values()):
        if isinstance(item, socket.socket) and item.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            host, port = item.getsockname()[:2]
            return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port
    raise OSError("this process doesn't listen")


def _ask_for_a_page(host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    connection.request("GET", "/explorer", headers={OWN_REQUEST: KEY})
    connection.getresponse().read()
    connection.close()


per_app_patterns[:] = [(route, AheadHandler if kind is DocHandler else kind) for route, kind in per_app_patterns]
threading.Thread(target=warm_up, args=[IOLoop.current()], name="warm-up", daemon=True).start()
