"""A real server of the explorer in a process of its own, and visitors who need no browser."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bokeh.util.token import get_session_id
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.browser.driver import EXPLORER, ROOT, wait_until

CENSUS = Path(__file__).parent / "census.py"
PATIENCE = 200.0
"""Seconds to wait for what must come on a slow machine."""


@dataclass
class Server:
    """`panel serve apps/explorer.py`, with a register of what it holds.

    Attributes
    ----------
    process
        The server.
    address
        Of the explorer.
    log
        What it has written.
    """

    process: subprocess.Popen
    address: str
    log: Path

    def ask(self, question: str, **arguments: object) -> Any:
        """Return the answer of one of the functions of `tests.faults.census`, called in the server's process."""
        self.process.stdin.write(json.dumps([question, arguments]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.log.read_text()
        told = json.loads(answer)
        assert "error" not in told, told["error"]
        return told["answer"]


@contextmanager
def explorer(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serve the explorer on a free port; it is ended, if it still runs, at the end."""
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "panel", "serve", str(EXPLORER), "--port", "0", "--setup", str(CENSUS), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True, cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environment or {}),
        )  # fmt: skip
    try:
        found = wait_until(
            lambda: re.search(r"running at: (http://\S+)", log.read_text()) or process.poll() is not None,
            "the explorer is served",
        )
        assert isinstance(found, re.Match), log.read_text()
        yield Server(process, found[1], log)
    finally:
        process.kill()
        process.communicate()


def token_in(page: str) -> str:
    """Return the token with which a page connects to its session."""
    found = re.search(r'"token":"([^"]+)"', page)
    assert found, page[:500]
    return found[1]


def session_in(page: str) -> str:
    """Return the id of a page's session."""
    return get_session_id(token_in(page))


@asynccontextmanager
async def visit(address: str, headers: Mapping[str, str] | None = None) -> Iterator["Visitor"]:
    """Open the page as a browser does: fetch it, connect to its session, tell that it is shown."""
    client = AsyncHTTPClient(force_instance=True, max_clients=1)
    page = await client.fetch(address, connect_timeout=PATIENCE, request_timeout=PATIENCE, headers=dict(headers or {}))
    client.close()
    token = token_in(page.body.decode())
    there = address.split("?")[0].replace("http", "ws", 1) + "/ws"
    request = HTTPRequest(there, connect_timeout=PATIENCE, request_timeout=PATIENCE, headers=dict(headers or {}))
    socket = await websocket_connect(request, subprotocols=["bokeh", token])
    visitor = Visitor(socket, page.body.decode())
    try:
        for _ in range(3):  # the server's greeting: header, metadata, content
            await visitor.read()
        await visitor.tell("document_ready")
        yield visitor
    finally:
        socket.close()
        while await socket.read_message() is not None:  # what was still on its way, and then the end
            pass


@dataclass
class Visitor:
    """Somebody connected to a session of his own."""

    socket: WebSocketClientConnection
    page: str

    async def tell(self, event: str, **values: object) -> None:
        """Send an event of the document."""
        entries = [[name, value] for name, value in values.items()]
        told = {"type": "event", "name": event, "values": {"type": "map", "entries": entries}}
        patch = {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": told}]}
        for part in ({"msgid": "1", "msgtype": "PATCH-DOC"}, {}, patch):
            await self.socket.write_message(json.dumps(part))

    async def pull(self) -> str:
        """Ask for the page as it is, as a browser does first, and return what is answered."""
        for part in ({"msgid": "2", "msgtype": "PULL-DOC-REQ"}, {}, {}):
            await self.socket.write_message(json.dumps(part))
        while '"PULL-DOC-REPLY"' not in str(await self.read()):
            pass
        await self.read()  # the metadata
        return str(await self.read())

    async def read(self) -> str | bytes:
        """Return the next part of a message."""
        part = await asyncio.wait_for(self.socket.read_message(), PATIENCE)
        assert part is not None, "the server has closed the session"
        return part

    async def read_messages(self, count: int) -> None:
        """Read so many changes of the page."""
        for _ in range(count):
            while '"PATCH-DOC"' not in str(await self.read()):
                pass
