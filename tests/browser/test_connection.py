"""A page that loses its server: the network is gone for long enough that its session is, or the server itself is."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.driver import Window
from tests.browser.wire import Wire
from tests.faults.server import PATIENCE, explorer

pytestmark = pytest.mark.browser

BRIEF = ("--allow-websocket-origin", "*", "--unused-session-lifetime", "4000", "--check-unused-sessions", "200")
NETWORK = re.compile(r"Failed to load resource: net::|WebSocket connection to .* failed|not connected so cannot send")


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    """A window that may complain of the network, and of nothing else."""
    window = Window(browser.new_context(viewport={"width": 1440, "height": 900}).new_page())
    yield window
    window.page.context.close()
    assert [words for words in window.complaints if not NETWORK.search(words)] == []
    assert window.strangers == []


def port_of(address: str) -> int:
    return int(re.search(r":(\d+)/", address)[1])


def is_lost(window: Window) -> bool:
    return window.page.locator(".vv-lost").is_visible()


@pytest.mark.parametrize("begin", ["new", "id"])
def test_after_a_long_cut_in_which_its_session_has_ended_the_page_comes_back_to_its_run(
    window: Window, tmp_path: Path, begin: str
):
    with explorer(tmp_path, *BRIEF) as server:
        wire = Wire(port_of(server.address))
        run = server.ask("train") if begin == "id" else "new"
        window.open(f"http://localhost:{wire.port}/explorer?run={run}")
        if begin == "new":
            window.click("Train")
            window.until(lambda: not window.address().endswith("run=new"), "the address names the run")
        window.until(lambda: window.step() > 10, "some steps are done")
        address, run = window.address(), re.search(r"run=([\w-]+)", window.address())[1]

        wire.cut()
        window.until(lambda: is_lost(window), "the page says that it is cut off")
        window.until(lambda: server.ask("sessions") == server.ask("made_ahead"), "its session has ended", PATIENCE)
        step = server.ask("step", run_id=run)
        window.until(lambda: server.ask("step", run_id=run) > step, "training goes on")
        assert is_lost(window)

        wire.mend()
        window.until(lambda: not is_lost(window), "the page is loaded again by itself")
        window.ready()
        assert window.address() == address
        window.until_status("running")
        seen = window.step()
        assert seen >= step
        window.until(lambda: window.step() > seen, "the figures move again")
        length = len(window.column("loss", "train", "x"))
        window.until(lambda: len(window.column("loss", "train", "x")) > length, "the curve goes on")
        server.ask("stop", run_id=run)
        wire.close()


def test_a_click_loads_the_page_again_at_once(window: Window, tmp_path: Path):
    with explorer(tmp_path, *BRIEF) as server:
        wire = Wire(port_of(server.address))
        window.open(f"http://localhost:{wire.port}/explorer")
        wire.cut()
        window.page.locator(".vv-lost").wait_for()
        wire.mend()
        window.page.locator(".vv-lost").get_by_role("button", name="Reload").click()
        window.ready()
        assert window.status().startswith("finished")
        wire.close()


def test_a_server_that_was_started_again_is_found_again_with_the_run(window: Window, tmp_path: Path):
    with explorer(tmp_path, *BRIEF) as server:
        port = port_of(server.address)
        window.open(f"{server.address}?run=new")
        window.click("Train")
        window.until(lambda: window.step() > 10, "some steps are done")
        address = window.address()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(PATIENCE)
    window.until(lambda: is_lost(window), "the page says that it is cut off")
    with explorer(tmp_path, "--port", str(port), *BRIEF):
        window.until(lambda: not is_lost(window), "the page is loaded again by itself", PATIENCE)
        window.ready()
        assert window.address() == address
        window.until_status("stopped")
        assert window.step() > 10
        window.until(lambda: window.sees("Resume"), "it can be resumed")


def test_a_page_that_is_left_or_loaded_again_says_nothing_of_it(window: Window, tmp_path: Path):
    with explorer(tmp_path, *BRIEF) as server:
        window.open(server.address)
        window.page.evaluate("new MutationObserver(() => { if (document.querySelector('.vv-lost')) {"
                             " sessionStorage.lost = 1 } }).observe(document.body, {childList: true})")  # fmt: skip
        window.reload()
        assert window.page.evaluate("sessionStorage.lost") is None
        window.page.goto("about:blank")
