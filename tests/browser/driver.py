"""A real Panel server and a real Chromium, driven as a person would: for the tests, the benchmarks and the pictures."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

ROOT = Path(__file__).parents[2]
EXPLORER, WARM_UP = (ROOT / "apps" / name for name in ("explorer.py", "warm_up.py"))
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --no-first-run"
)
DEADLINE = 45.0
RESTING_LOOKS, RESTING = 20, 0.02
"""A process rests when it has used so few seconds of a core between so many looks."""

# What the tests ask of Bokeh's models in the page.
PROBE_JS = """
window.probe = {
  models: () => [...Bokeh.documents[0].all_models],
  figure: (name) => probe.models().find((m) => m.type === "Figure" && m.name === name),
  source: (figure, name) => [...probe.figure(figure).renderers].map((r) => r.data_source).find((s) => s.name === name),
  column: (figure, name, column) => Array.from(probe.source(figure, name).data[column]),
  spot: (figure, which) => {
    const spots = probe.models().find((m) => m.name === `${figure} spots`).data
    const row = {cursor: 0, nearest: 1}[which]
    return isFinite(spots.x[row]) ? [spots.x[row], spots.y[row]] : null
  },
  seen: (figure, which) => {
    const view = Bokeh.index.find_one(probe.figure(figure))
    const element = view._spots.children[{cursor: 0, nearest: 1}[which]]
    if (element.style.display === "none") { return null }
    const box = element.getBoundingClientRect()
    return [box.left, box.top]
  },
  pixels: (figure, name) => {  // none of a page that was not turned to yet
    const image = probe.figure(figure) && probe.source(figure, name)?.data.image[0]
    return image === undefined ? [] : Array.from(image)
  },
  size: (figure, name) => probe.figure(figure) ? probe.source(figure, name)?.data.image[0].length ?? 0 : 0,
  at: (name, x, y) => {
    const view = Bokeh.index.find_one(probe.figure(name))
    const box = view.canvas_view.el.getBoundingClientRect()
    return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)]
  },
}
"""


def wait_until(condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> object:
    """Return the condition's first true value; raise a TimeoutError in words if there is none in time."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {deadline:.0f} s in vain until {what}")
        time.sleep(0.05)  # between two looks


def chromium_path() -> str | None:
    """Return where a Chromium is installed, or None to let playwright take its own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS.split())
        yield browser
        browser.close()


@contextmanager
def served(app: Path, log: Path, *options: str) -> Iterator[str]:
    """Serve an app on a free port, and yield its address."""
    with serving(["panel", "serve", str(app), "--port", "0", *options], log) as (address, _):
        yield address


@contextmanager
def serving(module: list[str], log: Path) -> Iterator[tuple[str, int]]:
    """Run a module, with its arguments, that serves something; yield the address that it prints, and its process."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        found = wait_until(
            lambda: re.search(r"running at: (http://\S+)", log.read_text()) or process.poll() is not None,
            f"{' '.join(module)} serves",
            240,
        )
        if not isinstance(found, re.Match):
            raise RuntimeError(log.read_text())
        yield found[1], process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for_rest(process_id: int) -> None:
    """Wait until a process has nothing more to do of what it began by itself."""
    process = psutil.Process(process_id)
    seen: list[float] = []

    def rests() -> bool:
        used = process.cpu_times()
        seen.append(used.user + used.system)
        return len(seen) > RESTING_LOOKS and seen[-1] - seen[-1 - RESTING_LOOKS] < RESTING

    wait_until(rests, "the server rests")


class Window:
    """A browser window on the explorer, as the tests use it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not re.match(r"(data|blob):|(http|ws)://localhost[:/]", request.url):
            self.strangers.append(request.url)

    def open(self, address: str) -> "Window":
        self.page.goto(address)
        return self.ready()

    def open_early(self, address: str) -> "Window":
        """Open a page and return when its planes are drawn, while the rest of it is still on its way."""
        self.page.goto(address)
        return self._idle()

    def reload(self) -> "Window":
        self.page.reload()
        return self.ready()

    def ready(self) -> "Window":
        """Wait for the whole of the page: its lower half comes last."""
        self._idle()
        self.page.wait_for_function(
            "probe.figure('interpolation') && Bokeh.index.find_one(probe.figure('interpolation'))?.has_finished()",
            timeout=60e3,
        )
        return self

    def _idle(self) -> "Window":
        self.page.wait_for_function(
            "window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle", timeout=60e3
        )
        self.page.evaluate(PROBE_JS)
        self.page.wait_for_function("probe.figure('latent') && Bokeh.index.find_one(probe.figure('latent'))")
        return self

    def address(self) -> str:
        """Return the address that the browser shows."""
        return self.page.evaluate("location.href")

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def choose(self, menu: Locator, option: str | re.Pattern[str], *, exact: bool = True) -> None:
        """Open a menu and choose from it; it lies over the page, and takes what the mouse does, until it has closed."""
        menu.click()
        item = self.page.get_by_role("menuitem", name=option, exact=exact).first
        item.click()
        item.wait_for(state="detached")

    def choose_instead(self, present: str, wanted: str) -> None:
        """Open the menu that shows the present choice, and choose another."""
        self.choose(self.page.locator(f".MuiSelect-select:text-is('{present}')").first, wanted)

    def sees(self, name: str) -> bool:
        return self.page.get_by_role("button", name=name, exact=True).is_visible()

    def fill(self, label: str, value: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Enter")

    def column(self, figure: str, source: str, column: str) -> list:
        return self.page.evaluate("([f, s, c]) => probe.column(f, s, c)", [figure, source, column])

    def spot(self, figure: str, which: str) -> list[float] | None:
        """Return where the mark of the cursor, or of the nearest example, stands in the figure's coordinates."""
        return self.page.evaluate("([f, w]) => probe.spot(f, w)", [figure, which])

    def seen(self, figure: str, which: str) -> list[float] | None:
        """Return where on the screen that mark is seen, in pixels of the window."""
        return self.page.evaluate("([f, w]) => probe.seen(f, w)", [figure, which])

    def pixels(self, figure: str, source: str) -> list:
        return self.page.evaluate("([f, s]) => probe.pixels(f, s)", [figure, source])

    def size(self, figure: str, source: str) -> int:
        """Return of how many pixels an image is: as a list, ten thousand tiles take a minute to come over."""
        return self.page.evaluate("([f, s]) => probe.size(f, s)", [figure, source])

    def place(self, figure: str, x: float, y: float) -> tuple[float, float]:
        return tuple(self.page.evaluate("([f, x, y]) => probe.at(f, x, y)", [figure, x, y]))

    def hover(self, figure: str, x: float, y: float) -> None:
        self.page.mouse.move(*self.place(figure, x, y))

    def drag(self, figure: str, *points: tuple[float, float]) -> None:
        """Press at the first point, go through the others in small steps, and let go at the last."""
        self.hover(figure, *points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.place(figure, *point), steps=8)
        self.page.mouse.up()

    def status(self) -> str:
        """Return the status line's text."""
        return self.page.locator(".vv-status").text_content()

    def step(self) -> int:
        match = wait_until(lambda: re.search(r"step ([\d,]+)", self.status()), "the status line tells the step")
        return int(match[1].replace(",", ""))

    def until(self, condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> object:
        return wait_until(condition, what, deadline)

    def until_status(self, status: str) -> None:
        wait_until(lambda: self.status().startswith(status), f"the run is {status}")
