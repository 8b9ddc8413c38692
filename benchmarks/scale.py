"""How large it may be: points in the latent plane, rows of the log, images to train on.

    python -m benchmarks.scale                              # 10^4, 10^5 and 10^6
    python -m benchmarks.scale --only points --points 1e7   # needs 14 GB of memory
    python -m benchmarks.scale --quick                      # little of each: does it work?

Real Chromium, real server (`benchmarks.large`), nothing else to do. Times are from the hand to the painted picture, of
a pan or zoom until a picture of just that part of the plane is painted. Memory is the server's, less the images'.
"""

import argparse
import math
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import torch
from playwright.sync_api import Browser

from benchmarks.record import Figure, delays, tell, write
from benchmarks.touch import CLOCK_JS, moves
from tests.browser.driver import Window, chromium, serving
from vaeviz import Dataset, DenseVAE, TrainConfig, TrainingRun
from vaeviz.views.latent import MOST_POINTS

IMAGE_BYTES = 28 * 28

# A sample is taken when a picture of what is now seen has been painted; where the points themselves are in the browser,
# when they have been.
PLANE_JS = """
window.plane = {samples: [], begun: null}
const source = probe.source("latent", "raster")
const painted = () => {
  const begun = plane.begun
  plane.begun = null
  requestAnimationFrame(() => setTimeout(() => plane.samples.push(performance.now() - begun), 0))
}
const fits = () => {
  const {x_range: {start, end}} = probe.figure("latent"), {x, dw} = source.data, room = (end - start) / 50
  return Math.abs(x[0] - start) < room && Math.abs(x[0] + dw[0] - end) < room
}
for (const type of ["wheel", "pointermove"]) {
  document.addEventListener(type, () => {
    plane.begun = performance.now()
    if (!shaded) { painted() }
  }, true)
}
plane.fits = () => !shaded || fits()
source.connect(source.properties.data.change, () => { if (plane.begun !== null && fits()) { painted() } })
"""
AWAY = -2.0, 2.0
"""A point that is far from A and B, near which no tool is active."""


def whole(window: Window) -> None:
    """Show the whole plane."""
    window.page.evaluate("Bokeh.index.find_one(probe.figure('latent')).reset()")
    window.page.wait_for_function("plane.fits()")


def sampled(window: Window, count: int, act) -> np.ndarray:
    """Return the milliseconds of so many acts of the hand, one after the other."""
    window.page.evaluate("plane.samples = []")
    for i in range(count):
        act(i)
        window.page.wait_for_function("(n) => plane.samples.length > n", arg=i, timeout=20_000, polling=5)
    return np.array(window.page.evaluate("plane.samples"))


def zooms(window: Window, count: int) -> np.ndarray:
    samples = []
    for _ in range(count // 8):
        whole(window)
        window.hover("latent", 0.0, 0.5)
        samples.append(sampled(window, 8, lambda i: window.page.mouse.wheel(0, -200 if i < 5 else 200)))
    return np.concatenate(samples)


def pans(window: Window, count: int) -> np.ndarray:
    whole(window)
    activate(window, "PanTool")
    x, y = window.place("latent", *AWAY)
    window.page.mouse.move(x, y)
    window.page.mouse.down()
    window.page.mouse.move(x + 12, y)  # now it is a drag
    samples = sampled(
        window, count, lambda i: window.page.mouse.move(x + 12 + 40 * math.sin(i + 1), y + 40 * math.cos(i + 1))
    )
    window.page.mouse.up()
    whole(window)
    return samples


def activate(window: Window, tool: str) -> None:
    window.hover("latent", *AWAY)
    window.page.evaluate(
        "(t) => { probe.figure('latent').toolbar.tools.find((m) => m.type === t).active = true }", tool
    )


def lasso(window: Window) -> tuple[float, str]:
    """Return the seconds until the examples within a lasso are told and reconstructed, and what is told."""
    activate(window, "LassoSelectTool")
    corners = [(-0.5, 0.3), (0.9, 0.3), (0.9, 1.9), (-0.5, 1.9), (-0.5, 0.3)]
    window.hover("latent", *corners[0])
    window.page.mouse.down()
    for corner in corners[1:]:
        window.page.mouse.move(*window.place("latent", *corner), steps=8)
    start = time.perf_counter()
    window.page.mouse.up()
    told = window.page.locator("text=/of [0-9,]+ selected$/").first
    told.wait_for(timeout=20_000)
    return time.perf_counter() - start, told.text_content()


def opened(browser: Browser, address: str, ready: str) -> tuple[Window, float]:
    """Open a page; return it, and the seconds until this is true in it."""
    start = time.perf_counter()
    window = Window(browser.new_page(viewport={"width": 1440, "height": 900})).open(address)
    window.page.wait_for_function(ready, timeout=120_000, polling=20)
    return window, time.perf_counter() - start


def points(browser: Browser, count: int, acts: int, log: Path) -> list[Figure]:
    """Measure the latent plane of so many points."""
    shaded = count > MOST_POINTS
    name, column = ("raster", "image") if shaded else ("examples", "horizontal")
    ready = f"(probe.source('latent', '{name}')?.data.{column} ?? []).length > 0"
    with serving(["benchmarks.large", str(count)], log) as (address, process):
        window, first = opened(browser, address, ready)
        window.page.close()
        window, second = opened(browser, address, ready)
        window.page.evaluate(f"window.shaded = {str(shaded).lower()};" + PLANE_JS)
        zooms(window, 8)  # warm up
        zoomed, panned = zooms(window, acts), pans(window, acts)
        window.page.evaluate(CLOCK_JS)
        hovered = moves(window, acts, "latent")
        selected, told = lasso(window)
        memory = psutil.Process(process).memory_info().rss - count * IMAGE_BYTES
        window.page.close()
    what = f"{count:,} points"
    zoom, hover, wait, room = (200, 60, 1, 1024) if count <= 10**6 else (None,) * 4  # beyond it must be possible
    return [
        Figure(f"{what}: second page → points painted", second, "s", spread=f"first page {first:.1f}"),
        delays(f"{what}: zoom → painted anew", zoomed, zoom),
        delays(f"{what}: pan → painted anew", panned, zoom),
        delays(f"{what}: mouse move → decoded image", hovered, hover),
        Figure(f"{what}: lasso → examples told", selected, "s", wait, spread=told),
        Figure(f"{what}: server's memory, less images", memory / 2**20, "MB", room),
    ]


def history(browser: Browser, sizes: tuple[int, int], pages: int, log: Path) -> list[Figure]:
    """Measure the pages of a run with few rows in its log and of one with many, opened so many times."""
    ready = "probe.column('loss', 'train', 'step').length > 0"
    medians, worst = [], []
    for rows in sizes:
        with serving(["benchmarks.large", "1000", "--rows", str(rows)], log) as (address, _):
            seconds = []
            for _ in range(1 + pages):  # the first page of a server has more to do than to show a log
                window, taken = opened(browser, address, ready)
                seconds.append(taken)
                sent = sum(len(window.column("loss", split, "step")) for split in ("train", "validation"))
                window.page.close()
            medians.append(float(np.median(seconds[1:])))
            worst.append(max(seconds[1:]))
    few, many = sizes
    spread = f"median of {pages}: {medians[1]:.1f} and {medians[0]:.1f}; worst {worst[1]:.1f} and {worst[0]:.1f}"
    return [
        Figure(f"{many:,} rows: page, longer than with {few}", medians[1] - medians[0], "s", 3, spread=spread),
        Figure(f"{many:,} rows: sent to the browser", sent, "rows"),
    ]


def training(images: int, steps: int) -> list[Figure]:
    """Train on so many images; in a process of its own, for its memory."""
    pixels = torch.randint(0, 256, (images, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    order = torch.arange(images)
    held_out = min(images // 10, 1000)  # the same work for the validation, however many there are
    dataset = Dataset(
        name="noise", images=pixels, train=order[2 * held_out :], validation=order[:held_out],
        test=order[held_out : 2 * held_out],
    )  # fmt: skip
    start = time.perf_counter()
    run = TrainingRun(DenseVAE(dataset.image_shape), dataset, TrainConfig(steps=steps))
    made = time.perf_counter() - start
    run.start()
    run.wait()
    speed = steps * run.config.batch_size / run.metrics_since(0)[0][-1].seconds
    used = psutil.Process().memory_info().rss - pixels.nbytes
    return [
        Figure(f"{images:,} images: trained on", speed, "examples/s", spread=f"the run was made in {made:.2f} s"),
        Figure(f"{images:,} images: memory, less the images", used / 2**20, "MB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="little of each, to see that it works")
    parser.add_argument("--points", type=float, nargs="+", default=(1e4, 1e5, 1e6), help="points in the latent plane")
    parser.add_argument("--only", choices=["points", "rows", "images"], help="one of the three")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    quick, parts = options.quick, (options.only,) if options.only else ("points", "rows", "images")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        log = Path(folder) / "log"
        if "points" in parts:
            for count in (60_000,) if quick else map(int, options.points):
                figures += points(browser, count, 8 if quick else 48, log)  # as many zooms in as out
        if "rows" in parts:
            figures += history(browser, (10, 10**4 if quick else 10**6), 1 if quick else 3, log)
    if "images" in parts:
        for count in (1000,) if quick else (10**4, 10**5, 10**6):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                figures += pool.submit(training, count, 10 if quick else 300).result()
    tell(figures)
    if options.json:
        write(figures, options.json)


if __name__ == "__main__":
    main()
