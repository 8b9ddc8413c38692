"""Many people come and go; nothing of them stays."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.browser.driver import wait_until
from tests.faults.server import PATIENCE, Server, explorer, visit

CROWD, SESSIONS = (int(word) for word in os.environ.get("VAEVIZ_TEST_SESSIONS", "8 16").split())
"""How many come at once, and how many in all after the first of them; `make soak` has 20 and 100."""

MOST_MB = 100.0
"""By how much the memory of the process may grow in all, in MB; the timeline of the run included. What was let go of
doesn't all go back to the system: where more happens at the same moment than ever, its memory reaches a new height."""

MOST_HELD_MB = 20.0
"""By how much that may grow which is not let go of, in MB; what the training adds meanwhile included."""

NO_BUFFERS = {"MKL_DISABLE_FAST_MM": "1"}
"""MKL keeps some 12 MB for each thread that has multiplied; how many of a pool have done so is chance, not a leak."""

MOST_BLOCKS = 0.01
"""By what share the number of live pieces of memory may grow."""

MOST_UNSENT = 150_000
"""So many bytes may come to those that wait for browsers which take none, such as Bokeh's own signs of life."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    options = "--unused-session-lifetime", "5000", "--check-unused-sessions", "200"
    with explorer(tmp_path, *options, environment=NO_BUFFERS) as server:
        yield server


async def all_at_once(address: str, count: int, server: Server | None = None) -> dict[str, float]:
    """Let so many come, watch the run, and go; return what the server, if asked, held while all were there."""
    async with AsyncExitStack() as stack:
        visitors = await asyncio.gather(*(stack.enter_async_context(visit(address)) for _ in range(count)))
        await asyncio.gather(*(visitor.read_messages(3) for visitor in visitors))
        return {} if server is None else server.ask("census")


def quiet(server: Server, documents: float) -> dict[str, float]:
    """Return what the server holds when it has let go of all sessions."""
    seen = {}

    def gone() -> bool:
        seen.update(server.ask("census"))
        return seen["documents"] <= documents

    wait_until(gone, f"no more than {documents:.0f} documents are left; {seen}", PATIENCE)
    return seen


@pytest.mark.timeout(900)
def test_many_sessions_at_once_and_after_one_another_leave_nothing_behind(server: Server):
    wait_until(lambda: server.ask("frozen"), "what is imported is frozen; what pages make must not be")
    wait_until(lambda: server.ask("made_ahead"), "the page of whoever comes next is made", PATIENCE)
    empty = server.ask("census")
    address = f"{server.address}?run={server.ask('train')}"
    seen = asyncio.run(all_at_once(address, CROWD, server))  # with them comes what the first ones load for all
    first = quiet(server, empty["documents"])
    asyncio.run(all_at_once(address, CROWD))  # and with the second ones, what is kept for the next ones
    before = quiet(server, empty["documents"])
    for _ in range(CROWD, SESSIONS, CROWD):
        asyncio.run(all_at_once(address, CROWD))
        after = quiet(server, empty["documents"])
    assert seen["explorers"] == CROWD + 1
    assert (after["states"], after["explorers"]) == (1, 1)  # of the page that was made ahead
    assert (after["threads"], after["files"]) == (first["threads"], first["files"])
    assert after["blocks"] < first["blocks"] * (1 + MOST_BLOCKS), (first, after)
    assert after["held"] < before["held"] + MOST_HELD_MB, (before, after)
    assert after["memory"] < before["memory"] + MOST_MB, (before, after)


def test_for_those_who_no_longer_listen_nothing_is_kept(server: Server):
    address = f"{server.address}?run={server.ask('train')}"

    async def watch() -> None:
        async with AsyncExitStack() as stack:
            visitors = [await stack.enter_async_context(visit(address)) for _ in range(3)]
            listener, *sleepers = visitors
            for sleeper in sleepers:
                await sleeper.read_messages(3)  # and no more: the lids are closed
            while not server.ask("is_whole"):
                await listener.read_messages(1)
            while server.ask("behind") < len(sleepers):
                await listener.read_messages(1)
            server.ask("play")
            after = server.ask("unsent")
            for _ in range(3):  # what was in the making comes still
                before = after
                await listener.read_messages(80)
                after = server.ask("unsent")
                if after < before + MOST_UNSENT:
                    break
            assert after < before + MOST_UNSENT
            for sleeper in sleepers:  # they wake up, and see how it goes
                await sleeper.read_messages(20)
            while server.ask("behind"):
                await asyncio.gather(*(visitor.read_messages(1) for visitor in visitors))

    asyncio.run(watch())
