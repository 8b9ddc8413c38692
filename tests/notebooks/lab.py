"""A real JupyterLab or Notebook 7, driven in a real Chromium: for the tests and the pictures."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, Request

from tests.browser.driver import ROOT, wait_until

OPTIONS = {
    "ServerApp.port": "0",
    "ServerApp.open_browser": "False",
    "ServerApp.allow_root": "True",
    "IdentityProvider.token": "",
    "ServerApp.password": "",
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
}

PROBE_JS = """
window.probe = {
  figures: (name) => Bokeh.documents.flatMap((d) => [...d.all_models])
    .filter((m) => m.type === "Figure" && m.name === name),
  source: (name, which, source) => [...probe.figures(name)[which].renderers].map((r) => r.data_source)
    .find((s) => s.name === source),
  column: (name, which, source, column) => Array.from(probe.source(name, which, source).data[column]),
  pixels: (name, which, source) => {
    const image = probe.source(name, which, source).data.image[0]
    return image === undefined ? [] : Array.from(image)
  },
  at: (name, which, x, y) => {
    const figure = probe.figures(name)[which]
    const view = Bokeh.index.find_one(figure)
    const box = view.canvas_view.el.getBoundingClientRect()
    return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)]
  },
  box: (name) => {
    const {left, top, width, height} = Bokeh.index.find_one(probe.figures(name)[0]).el.getBoundingClientRect()
    return {left, top, width, height}
  },
  spot: (name, which) => {
    const models = Bokeh.documents.flatMap((d) => [...d.all_models])
    const spots = models.filter((m) => m.name === `${name} spots`)[which].data
    return isFinite(spots.x[0]) ? [spots.x[0], spots.y[0]] : null
  },
}
"""


SETTINGS = {
    "notebook-extension/tracker": {"autoStartDefaultKernel": True},  # else it may ask for one while it has none yet
    "apputils-extension/notification": {"fetchNews": "false"},
}
"""What a person would have chosen once, by the name of the extension of JupyterLab."""

PLACES = {"jupyterlab": "lab/tree", "notebook": "notebooks"}
"""Where each of the two front ends opens a notebook."""


@contextmanager
def jupyter(folder: Path, log: Path, front_end: str = "jupyterlab") -> Iterator[str]:
    """Serve a front end on a folder, and yield the address under which it opens a notebook."""
    settings = folder / ".jupyter"
    environment = {"JUPYTER_CONFIG_DIR": str(settings), "IPYTHONDIR": str(settings), "JUPYTER_DATA_DIR": str(settings)}
    for name, chosen in SETTINGS.items():
        file = settings / "lab" / "user-settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(chosen))
    words = [f"--{name}={value}" for name, value in OPTIONS.items()]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", front_end, *words, f"--ServerApp.root_dir={folder}"], cwd=folder,
            stdout=out, stderr=subprocess.STDOUT, env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    try:
        found = wait_until(
            lambda: re.search(r"http://(?:localhost|127\.0\.0\.1):\d+", log.read_text()) or process.poll() is not None,
            f"{front_end} is served",
        )
        if not isinstance(found, re.Match):
            raise RuntimeError(log.read_text())
        yield f"{found[0].replace('127.0.0.1', 'localhost')}/{PLACES[front_end]}"
    finally:
        process.terminate()
        process.wait(timeout=30)


class Lab:
    """A browser page on one notebook of a front end that is served at an address, on a folder."""

    def __init__(self, page: Page, address: str, folder: Path) -> None:
        self.page = page
        self.address = address
        self.folder = folder
        self.errors: list[str] = []
        self.strangers: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._on_console)
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not re.match(r"(data|blob):|(http|ws)://localhost[:/]", request.url):
            self.strangers.append(request.url)

    def open(self, notebook: Path) -> "Lab":
        """Open a copy of a notebook."""
        shutil.copy(notebook, self.folder / notebook.name)
        self.page.goto(f"{self.address}/{notebook.name}?reset")
        self.page.locator(".jp-Notebook").wait_for(timeout=60e3)
        self.page.get_by_text("Python 3 (ipykernel)").first.wait_for(timeout=60e3)
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60e3)
        return self

    def run_all(self) -> None:
        """Run all cells, as the menu does."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    def scroll(self, share: float) -> None:
        """Scroll to so much of the way from the top, 0, to the bottom, 1."""
        self.page.evaluate(
            """(share) => {
              const panel = document.querySelector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer")
              panel.scrollTop = share * (panel.scrollHeight - panel.clientHeight)
            }""",
            share,
        )

    def wait_for_figures(self, name: str, count: int = 1) -> None:
        """Scroll up and down, since JupyterLab draws what it is scrolled to, until so many figures are there."""
        places = cycle((0.0, 0.3, 0.6, 1.0))

        def there() -> bool:
            self.scroll(next(places))
            self.page.wait_for_timeout(2500)
            if not self.page.evaluate("window.Bokeh !== undefined"):
                return False
            self.page.evaluate(PROBE_JS)
            return self.page.evaluate(
                "([n, c]) => probe.figures(n).length >= c && probe.figures(n).every((f) => Bokeh.index.find_one(f))",
                [name, count],
            )

        wait_until(there, f"{count} figures {name} are drawn", 150)

    def scroll_to(self, name: str, which: int = 0) -> None:
        """Scroll to a figure."""
        self.page.evaluate(
            "([n, w]) => Bokeh.index.find_one(probe.figures(n)[w]).el.scrollIntoView({block: 'center'})", [name, which]
        )

    def column(self, figure: str, which: int, source: str, column: str) -> list:
        return self.page.evaluate("(a) => probe.column(...a)", [figure, which, source, column])

    def pixels(self, figure: str, which: int, source: str) -> list:
        return self.page.evaluate("(a) => probe.pixels(...a)", [figure, which, source])

    def spot(self, figure: str, which: int) -> list | None:
        return self.page.evaluate("(a) => probe.spot(...a)", [figure, which])

    def hover(self, figure: str, which: int, x: float, y: float) -> None:
        self.page.mouse.move(*self.page.evaluate("(a) => probe.at(...a)", [figure, which, x, y]))
