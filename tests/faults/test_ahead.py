"""A page is made before somebody asks for it; each is given to one person only, and none stays that nobody uses."""

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from bokeh.util.token import generate_session_id

from tests.browser.driver import wait_until
from tests.faults.server import PATIENCE, Server, explorer, session_in, visit

LONG, SHORT = 1000.0, 0.1
"""Seconds."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    quick = "--unused-session-lifetime", "200", "--check-unused-sessions", "100"
    with explorer(tmp_path_factory.mktemp("ahead"), *quick) as server:
        yield server


@pytest.fixture
def server(started: Server) -> Server:
    """A server to which nobody is connected, and that has a page for whoever comes next."""
    started.ask("set_ahead", pause=SHORT, connects=SHORT, life=LONG)
    if not started.ask("made_ahead"):
        fetch(started.address)
    wait_until(lambda: started.ask("sessions") == started.ask("prepared") != [], "one is made ahead", PATIENCE)
    started.ask("set_ahead", pause=LONG, connects=LONG, life=LONG)
    return started


def fetch(address: str) -> str:
    """Ask for a page, without connecting to it, and return the id of its session."""
    return session_in(urllib.request.urlopen(address, timeout=PATIENCE).read().decode())


def sessions_of_those_who_come(address: str, count: int = 1, headers: dict[str, str] | None = None) -> list[str]:
    """Let some come at once, and return the ids of their sessions, once they have seen that their pages are alive."""

    async def come() -> list[str]:
        async with AsyncExitStack() as stack:
            visits = (stack.enter_async_context(visit(address, headers)) for _ in range(count))
            visitors = await asyncio.gather(*visits)
            await asyncio.gather(*(visitor.read_messages(3) for visitor in visitors))
            return [session_in(visitor.page) for visitor in visitors]

    return asyncio.run(come())


def test_who_comes_first_gets_what_was_made_and_everybody_a_page_of_their_own(server: Server):
    (ahead,) = server.ask("made_ahead")
    came = sessions_of_those_who_come(server.address, 3)
    assert ahead in came
    assert len(set(came)) == 3
    assert server.ask("made_ahead") == []


def pulled(address: str) -> tuple[str, str]:
    """Return what a browser is sent of a page: its frame, and what is in it."""

    async def come() -> tuple[str, str]:
        async with visit(address) as visitor:
            return visitor.page, await visitor.pull()

    return asyncio.run(come())


def test_what_is_prepared_is_the_page_as_it_is(server: Server):
    prepared, fresh = server.ask("prepared_and_fresh")
    assert "latent" in prepared
    assert prepared == fresh
    frame, content = pulled(server.address)
    assert "panel-material-ui.bundle.js" in frame
    assert [root["id"] for root in json.loads(content)["doc"]["roots"]] == re.findall(r'data-root-id="(\w+)"', frame)


def test_a_page_that_changes_is_sent_as_it_is_then(server: Server):
    server.ask("rename_ahead", title="another title")
    assert server.ask("prepared") == []
    frame, content = pulled(server.address)
    assert "<title>another title</title>" in frame
    assert json.loads(content)["doc"]["title"] == "another title"


def test_a_page_that_was_made_ahead_gets_all_its_parts(server: Server):
    async def come() -> None:
        async with visit(server.address) as visitor:
            while "Take home" not in str(await visitor.read()):  # the last part
                pass

    asyncio.run(come())


@pytest.mark.parametrize("named", ["", "?run=mnist-2d"])
def test_the_next_one_is_made_later(server: Server, named: str):
    (ahead,) = server.ask("made_ahead")
    server.ask("set_ahead", pause=SHORT)
    assert sessions_of_those_who_come(server.address + named) == [ahead]
    (following,) = wait_until(lambda: server.ask("made_ahead"), "the next one is made", PATIENCE)
    assert following != ahead
    assert sessions_of_those_who_come(server.address + named) == [following]


def test_who_names_another_run_or_a_session_gets_that(server: Server):
    ahead = server.ask("made_ahead")
    own = generate_session_id()
    came = []
    for words, headers in (("?run=new", {}), ("?theme=dark", {}), ("", {"Bokeh-Session-Id": own})):
        came += sessions_of_those_who_come(server.address + words, headers=headers)
    assert came[-1] == own
    wait_until(lambda: not {*came} & {*server.ask("sessions")}, "they have gone", PATIENCE)
    assert server.ask("made_ahead") == ahead  # which is kept for as long as it takes
    assert sessions_of_those_who_come(server.address) == ahead


def test_nobody_but_the_server_itself_can_have_one_made(server: Server):
    (ahead,) = server.ask("made_ahead")
    assert sessions_of_those_who_come(server.address, headers={"Vaeviz-Warm-Up": "yes"}) == [ahead]
    assert server.ask("made_ahead") == []


def test_one_that_is_given_away_and_not_used_is_let_go_of(server: Server):
    server.ask("set_ahead", connects=SHORT)
    session = fetch(server.address)
    wait_until(lambda: session not in server.ask("sessions"), "it is let go of", PATIENCE)


def test_one_that_has_grown_old_is_let_go_of(server: Server):
    (ahead,) = server.ask("made_ahead")
    server.ask("set_ahead", life=0.0)
    assert sessions_of_those_who_come(server.address) != [ahead]
    wait_until(lambda: ahead not in server.ask("sessions"), "it is let go of", PATIENCE)
