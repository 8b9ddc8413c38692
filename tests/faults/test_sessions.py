"""Many people come and go; nothing of them stays."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.driver import wait_until
from tests.faults.server import PATIENCE, Server, explorer, visit

SESSIONS = int(os.environ.get("VAEVIZ_TEST_SESSIONS", "30"))
"""In all; `make soak` has 100."""
CROWD, GROUP = 20, 10
"""Who come at once: first, and after that."""

MOST_MB = 40.0
"""By how much the memory of the process may grow after the first crowd, in MB; the timeline of the run included."""

MOST_BLOCKS = 0.01
"""By what share the number of live pieces of memory may grow."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with explorer(tmp_path, "--unused-session-lifetime", "5000", "--check-unused-sessions", "200") as server:
        yield server


async def come_and_go(address: str) -> None:
    async with visit(address) as visitor:
        await visitor.read_messages(3)  # the run is watched


async def all_at_once(address: str, count: int) -> None:
    await asyncio.gather(*(come_and_go(address) for _ in range(count)))


def quiet(server: Server, documents: float) -> dict[str, float]:
    """Return what the server holds when it has let go of all sessions."""
    seen = {}

    def gone() -> bool:
        seen.update(server.ask("census"))
        return seen["documents"] <= documents

    wait_until(gone, f"no more than {documents:.0f} documents are left; {seen}", PATIENCE)
    return seen


@pytest.mark.timeout(900)
def test_many_sessions_twenty_of_them_at_once_leave_nothing_behind(server: Server):
    empty = server.ask("census")
    address = f"{server.address}?run={server.ask('train')}"
    asyncio.run(all_at_once(address, CROWD))  # with them comes what the first ones load for all
    before = after = quiet(server, empty["documents"])
    for _ in range(CROWD, SESSIONS, GROUP):
        asyncio.run(all_at_once(address, GROUP))
        after = quiet(server, empty["documents"])
    assert (after["states"], after["explorers"]) == (0, 0)
    assert (after["threads"], after["files"]) == (before["threads"], before["files"])
    assert after["blocks"] < before["blocks"] * (1 + MOST_BLOCKS), (before, after)
    assert after["memory"] < before["memory"] + MOST_MB, (before, after)
