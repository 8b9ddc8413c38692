"""How soon the eye sees what the hand does: mouse move -> decoded image, endpoint -> strip, n -> manifold.

    python -m benchmarks.touch

Real Chromium, real server, idle and while training on the same cores. A sample is the time from the browser's mouse
event until the frame with the newly decoded image has been painted.
"""

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from benchmarks.record import Figure, delays, tell, write
from tests.browser.driver import EXPLORER, Window, chromium, served

CLOCK_JS = """
window.touch = {samples: [], begun: null}
document.addEventListener("pointermove", () => { touch.begun = performance.now() }, true)
const source = probe.source("cursor", "decoded")
source.connect(source.properties.data.change, () => {
  const begun = touch.begun
  if (begun === null) { return }
  touch.begun = null
  requestAnimationFrame(() => setTimeout(() => touch.samples.push(performance.now() - begun), 0))
})
"""

STRIP_JS = """
window.strip = {samples: [], begun: null}
document.addEventListener("pointermove", () => { strip.begun ??= performance.now() }, true)
const strip_source = probe.source("interpolation", "strip")
strip_source.connect(strip_source.properties.data.change, () => {
  const begun = strip.begun
  if (begun === null) { return }
  strip.begun = null
  requestAnimationFrame(() => setTimeout(() => strip.samples.push(performance.now() - begun), 0))
})
"""
TILES_JS = """
window.tiles = {begun: null, sample: null}
document.addEventListener("click", () => { tiles.begun = performance.now(); tiles.sample = null }, true)
const tiles_source = probe.source("manifold", "tiles")
tiles_source.connect(tiles_source.properties.data.change, () => {
  const begun = tiles.begun
  requestAnimationFrame(() => setTimeout(() => { tiles.sample = performance.now() - begun }, 0))
})
"""


def moves(window: Window, count: int, plane: str) -> np.ndarray:
    """Return the milliseconds of so many mouse moves, one after the other, on a circle through a plane."""
    window.page.evaluate("touch.samples = []")
    for i in range(count):
        angle = 2 * math.pi * i / 37
        x, y = (1.5 * math.cos(angle), 1.5 * math.sin(angle)) if plane == "latent" else (
            0.5 + 0.3 * math.cos(angle), 0.5 + 0.3 * math.sin(angle))  # fmt: skip
        window.hover(plane, x, y)
        try:
            window.page.wait_for_function("(n) => touch.samples.length > n", arg=i, timeout=2000, polling=5)
        except PlaywrightTimeoutError:
            window.page.evaluate("touch.samples.push(2000)")
    return np.array(window.page.evaluate("touch.samples"))


def strips(window: Window, count: int) -> np.ndarray:
    """Return the milliseconds from so many moves of a dragged endpoint to the strip painted anew."""
    window.page.evaluate(STRIP_JS)
    window.hover("latent", -1.2, -0.8)
    window.page.mouse.down()
    for i in range(count):
        angle = 2 * math.pi * i / 23
        window.hover("latent", -1.2 + 0.6 * math.cos(angle), -0.8 + 0.6 * math.sin(angle))
        window.page.wait_for_function("(n) => strip.samples.length > n", arg=i, timeout=5000, polling=5)
    window.page.mouse.up()
    return np.array(window.page.evaluate("strip.samples"))


def manifolds(window: Window, side: int, count: int) -> np.ndarray:
    """Return the milliseconds from the click that chooses n until n × n tiles are painted; from another n each time."""
    window.page.evaluate(TILES_JS)
    samples = []
    for _ in range(count):
        choose(window, 10)
        samples.append(choose(window, side))
    return np.array(samples)


def choose(window: Window, side: int) -> float:
    window.page.locator(".MuiSelect-select:text-matches('^n = ')").click()
    window.page.get_by_role("menuitem", name=f"n = {side}", exact=True).click()
    window.page.wait_for_function("tiles.sample !== null", timeout=20_000, polling=5)
    return window.page.evaluate("tiles.sample")


def all_figures(window: Window, count: int, when: str, target: float) -> list[Figure]:
    return [
        *(delays(f"mouse move on {plane} plane → decoded image, {when}", moves(window, count, plane), target)
          for plane in ("latent", "manifold")),
        delays(f"endpoint dragged → strip, {when}", strips(window, count)),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=200, help="mouse moves for each figure")
    parser.add_argument("--quick", action="store_true", help="three moves for each figure: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    count, few = (3, 1) if options.quick else (options.moves, 8)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(EXPLORER, Path(folder) / "log") as address,
        chromium() as browser,
    ):
        window = Window(browser.new_page(viewport={"width": 1440, "height": 900})).open(address)
        window.page.evaluate(CLOCK_JS)
        moves(window, 3 if options.quick else 20, "latent")  # warm up
        figures = all_figures(window, count, "idle", 60)
        figures += [
            delays("n = 30 chosen → 30 × 30 tiles, idle", manifolds(window, 30, few)),
            delays("n = 100 chosen → 10,000 tiles, idle", manifolds(window, 100, few), 1000),
        ]
        choose(window, 20)
        window.fill("Epochs", "100000")
        window.click("Train")
        window.until_status("running")
        window.until(lambda: window.step() > 300, "the start, when many snapshots are kept, is over")
        figures += all_figures(window, count, "while training", 100)
        print(window.status())
        window.click("Stop")
    tell(figures)
    if options.json:
        write(figures, options.json)


if __name__ == "__main__":
    main()
