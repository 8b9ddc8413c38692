"""How soon the eye sees what the hand does: mouse move -> decoded image, and loss row -> point on the screen.

    python -m benchmarks.touch

Real Chromium, real server, idle and while training on the same cores. A sample is the time from the browser's mouse
event until the frame with the newly decoded image has been painted.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

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


def report(name: str, samples: np.ndarray, target: float) -> dict:
    median, p95, worst = np.percentile(samples, (50, 95, 100))
    print(f"{name:44s} median {median:5.0f} ms   95 % {p95:5.0f} ms (target {target:.0f})   worst {worst:5.0f} ms")
    return {"name": name, "median_ms": median, "p95_ms": p95, "worst_ms": worst, "count": len(samples)}


def both_planes(window: Window, count: int, when: str, target: float) -> list[dict]:
    return [
        report(f"mouse on {plane} -> image, {when}", moves(window, count, plane), target)
        for plane in ("latent", "manifold")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=200, help="mouse moves for each figure")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    results = []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(EXPLORER, Path(folder) / "log") as address,
        chromium() as browser,
    ):
        window = Window(browser.new_page(viewport={"width": 1440, "height": 900})).open(address)
        window.page.evaluate(CLOCK_JS)
        moves(window, 20, "latent")  # warm up
        results += both_planes(window, options.moves, "idle", 60)
        window.fill("Epochs", "100000")
        window.click("Train")
        window.until(lambda: window.step() > 300, "the start, when many snapshots are kept, is over")
        results += both_planes(window, options.moves, "while training", 100)
        print(window.status())
        window.click("Stop")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
