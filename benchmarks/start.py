"""How long a person waits at the start: the import, the server, the first page and the second.

    python -m benchmarks.start

Each in processes of its own. A page explores from the first moment at which a move of the mouse over the latent plane
changes the decoded image, counted from the navigation to the frame in which that is painted; it is whole when the last
of its parts is there, the lower page. Servers are started as `make app` does it. The first page is asked for when its
server has come to rest, some seconds after it began to listen: it has made that page by then. Of another server it is
asked for as soon as that listens, and a second one as soon as the first is whole. The browser has cached nothing, and
draws in software on the same cores as the server.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.record import Figure, tell, write
from tests.browser.driver import EXPLORER, WARM_UP, Window, chromium, serving, wait_for_rest

EXPLORES = 2.0
"""Seconds that it may take until a page explores."""

# Looks, while a page opens, for another image than the first one, and waits for the frame that shows it.
WATCH_JS = """
let source, first
const look = () => {
  source ??= window.Bokeh?.documents?.[0] && [...Bokeh.documents[0].all_models].find((m) => m.name === "decoded")
  const image = source?.data.image?.[0]
  first ??= image
  if (image === first) { requestAnimationFrame(look); return }
  requestAnimationFrame(() => setTimeout(() => { window.explores_at = performance.now() / 1000 }))
}
requestAnimationFrame(look)
"""

LATENT = (520, 640), (200, 340)
"""Pixels, across and down, in the midst of the latent plane of a window of 1440 × 900."""


def seconds_of(code: str) -> float:
    """Return the seconds that a new Python takes for a line, less those of starting it."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    empty = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - empty - (empty - begun)


def to_and_fro() -> Iterator[tuple[int, int]]:
    """Go from one corner of the latent plane's midst to the other and back, without end."""
    (left, right), (top, bottom) = LATENT
    steps = 12
    there = [(left + (right - left) * i // steps, top + (bottom - top) * i // steps) for i in range(steps + 1)]
    yield from cycle(there + there[-2:0:-1])


def opened(browser: Browser, address: str) -> tuple[float, float]:
    """Return the seconds until a page explores, and until it is whole."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(WATCH_JS)
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    for place in to_and_fro():
        page.mouse.move(*place)
        if page.evaluate("window.explores_at"):
            break
        time.sleep(0.02)  # a hand's moves
    explores = page.evaluate("explores_at")
    Window(page).ready()
    whole = time.perf_counter() - begun
    page.close()
    return explores, whole


def summary(what: str, samples: list[float], target: float | None = None) -> Figure:
    spread = f"median of {len(samples)}; {min(samples):.1f} to {max(samples):.1f}"
    return Figure(what, statistics.median(samples), "s", target, spread=spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="of each")
    parser.add_argument("--quick", action="store_true", help="one turn: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    turns = 1 if options.quick else options.turns
    imports = {"torch": [], "vaeviz": []}
    listens, rested, first, second = [], [], [], []
    serve = ["panel", "serve", str(EXPLORER), "--port", "0", "--setup", str(WARM_UP)]
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for _ in range(turns):
            for name, samples in imports.items():
                samples.append(seconds_of(f"import {name}"))
            begun = time.perf_counter()
            with serving(serve, Path(folder) / "log") as (address, _):
                listens.append(time.perf_counter() - begun)
                first.append(opened(browser, address))
                second.append(opened(browser, address))
            with serving(serve, Path(folder) / "log") as (address, server):
                wait_for_rest(server)
                rested.append(opened(browser, address))
    pages = {
        "first page of a server that rests": rested,
        "first page of a server that just began to listen": first,
        "a page right after another": second,
    }
    figures = [
        *(summary(f"`import {name}`", samples) for name, samples in imports.items()),
        summary("`make app` → it listens", listens),
    ]
    for page, samples in pages.items():
        explores, whole = zip(*samples, strict=True)
        figures += [summary(f"{page} → explores", explores, EXPLORES), summary(f"{page} → whole", whole)]
    explores = [seconds for seconds, _ in rested]
    for beside, others in (
        ("one made when it is asked for", [seconds for seconds, _ in second]), ("`import torch`", imports["torch"]),
    ):  # fmt: skip
        ratios = [ahead / other for ahead, other in zip(explores, others, strict=True)]
        spread = f"median of {turns}; {min(ratios):.2f} to {max(ratios):.2f}"
        what = f"a page that was made ahead → explores, beside {beside}"
        figures.append(Figure(what, statistics.median(ratios), "×", spread=spread))
    tell(figures)
    if options.json:
        write(figures, options.json)


if __name__ == "__main__":
    main()
