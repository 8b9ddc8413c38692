"""How long a person waits at the start: the import, the server, the first page and the second.

    python -m benchmarks.start

Each in processes of its own. A page is there when its planes are drawn and the mouse is answered; the browser draws in
software on the same cores as the server.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.record import Figure, tell, write
from tests.browser.driver import EXPLORER, Window, chromium, served


def seconds_of(code: str) -> float:
    """Return the seconds that a new Python takes for a line, less those of starting it."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    empty = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - empty - (empty - begun)


def opened(browser: Browser, address: str) -> float:
    """Return the seconds until a page is there."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    begun = time.perf_counter()
    Window(page).open(address)
    seconds = time.perf_counter() - begun
    page.close()
    return seconds


def summary(what: str, samples: list[float]) -> Figure:
    return Figure(what, statistics.median(samples), "s", spread=f"median of {len(samples)}; {min(samples):.1f} to "
                  f"{max(samples):.1f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="of each")
    parser.add_argument("--quick", action="store_true", help="one turn: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    turns = 1 if options.quick else options.turns
    imports = {"torch": [], "vaeviz": []}
    servers, first, second = [], [], []
    for _ in range(turns):
        for name, samples in imports.items():
            samples.append(seconds_of(f"import {name}"))
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for _ in range(turns):
            begun = time.perf_counter()
            with served(EXPLORER, Path(folder) / "log") as address:
                servers.append(time.perf_counter() - begun)
                first.append(opened(browser, address))
                second.append(opened(browser, address))
    figures = [
        *(summary(f"`import {name}`", samples) for name, samples in imports.items()),
        summary("`panel serve apps/explorer.py` → it listens", servers),
        summary("first page of a server → planes drawn", first),
        summary("second page → planes drawn", second),
    ]
    tell(figures)
    if options.json:
        write(figures, options.json)


if __name__ == "__main__":
    main()
