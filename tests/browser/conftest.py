"""A real Panel server and a real Chromium for the browser tests."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.driver import EXPLORER, Window, chromium, served


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def explorer_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the explorer, served once for all tests; nothing may fail in its server."""
    log = tmp_path_factory.mktemp("server") / "explorer.log"
    with served(EXPLORER, log) as address:
        yield address
    assert not re.findall(r".*(?:Exception in callback|Callback failed).*", log.read_text()), log.read_text()


@pytest.fixture
def new_window(browser: Browser) -> Iterator[Callable[[], Window]]:
    """Return a function that opens windows; each is checked for console errors and strange requests at the end."""
    windows: list[Window] = []

    def make(width: int = 1440, height: int = 900) -> Window:
        page = browser.new_context(viewport={"width": width, "height": height}).new_page()
        windows.append(Window(page))
        return windows[-1]

    yield make
    for window in windows:
        window.page.context.close()
    for window in windows:
        assert window.complaints == []
        assert window.strangers == []


@pytest.fixture
def window(new_window: Callable[[], Window], explorer_address: str) -> Iterator[Window]:
    """Return a window on a new run of the explorer; the run is stopped at the end."""
    window = new_window().open(f"{explorer_address}?run=new")
    yield window
    if window.status().startswith(("running", "paused")):
        window.click("Stop")
