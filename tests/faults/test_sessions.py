"""Many people come and go; nothing of them stays."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.driver import wait_until
from tests.faults.server import PATIENCE, Server, explorer, visit

SESSIONS = int(os.environ.get("VAEVIZ_TEST_SESSIONS", "50"))
AT_ONCE = 20

MOST_MB = 25.0
"""What so many sessions may leave behind, in MB."""


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


@pytest.mark.timeout(600)
def test_fifty_sessions_twenty_at_once_leave_nothing_behind(server: Server):
    empty = server.ask("census")
    address = f"{server.address}?run={server.ask('train')}"
    asyncio.run(all_at_once(address, AT_ONCE))  # what the first ones load for all, and what malloc keeps of a crowd
    before = quiet(server, empty["documents"])
    for begun in range(0, SESSIONS, AT_ONCE):
        asyncio.run(all_at_once(address, min(AT_ONCE, SESSIONS - begun)))
    after = quiet(server, empty["documents"])
    memory = after["memory"] - before["memory"]
    assert after | {"memory": 0} == before | {"memory": 0}
    assert (after["states"], after["explorers"]) == (0, 0)
    assert memory < MOST_MB
