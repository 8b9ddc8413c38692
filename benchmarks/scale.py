"""How large it may be: points in the latent plane, rows of the log, images to train on.

    python -m benchmarks.scale                              # 10^4, 10^5 and 10^6
    python -m benchmarks.scale --only points --points 1e7   # needs 14 GB of memory
    python -m benchmarks.scale --quick                      # little of each: does it work?

Real Chromium, real server (`benchmarks.large`), nothing else to do. Times are from the hand to the painted picture, of
a pan or zoom until a picture of just that part of the plane is painted. Memory is the server's, less the images'.
"""

import argparse
import json
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


def points(browser: Browser, count: int, acts: int, log: Path) -> dict:
    """Measure the latent plane of so many points."""
    shaded = count > MOST_POINTS
    shown = f"probe.source('latent', '{'raster' if shaded else 'examples'}').data.{'image' if shaded else 'x'}"
    ready = f"(({shown.replace('.x', '.horizontal')}) ?? []).length > 0"
    with serving(["benchmarks.large", str(count)], log) as (address, process):
        window, first = opened(browser, address, ready)
        window.page.close()
        window, second = opened(browser, address, ready)
        window.page.evaluate(f"window.shaded = {str(shaded).lower()};" + PLANE_JS)
        zooms(window, 8)  # warm up
        figures = {"points": count, "first_page_s": first, "second_page_s": second}
        figures |= spread("zoom", zooms(window, acts)) | spread("pan", pans(window, acts))
        window.page.evaluate(CLOCK_JS)
        figures |= spread("hover", moves(window, acts, "latent"))
        seconds, told = lasso(window)
        memory = psutil.Process(process).memory_info().rss - count * IMAGE_BYTES
        window.page.close()
        return figures | {"lasso_s": seconds, "lasso": told, "memory_MB": memory / 2**20}


def spread(name: str, samples: np.ndarray) -> dict:
    median, p95, worst = np.percentile(samples, (50, 95, 100))
    return {f"{name}_median_ms": median, f"{name}_p95_ms": p95, f"{name}_worst_ms": worst}


def history(browser: Browser, rows: int, pages: int, log: Path) -> dict:
    """Measure the page of a run with so many rows in its log, opened so many times."""
    ready = "probe.column('loss', 'train', 'step').length > 0"
    with serving(["benchmarks.large", "1000", "--rows", str(rows)], log) as (address, process):
        seconds = []
        for _ in range(1 + pages):
            window, taken = opened(browser, address, ready)
            seconds.append(taken)
            sent = sum(len(window.column("loss", split, "step")) for split in ("train", "validation"))
            window.page.close()
        memory = psutil.Process(process).memory_info().rss
    # The first page of a server has more to do than to show a log.
    return {"rows": rows, "page_s": float(np.median(seconds[1:])), "worst_page_s": max(seconds[1:]),
            "rows_in_browser": sent, "memory_MB": memory / 2**20}  # fmt: skip


def training(images: int, steps: int) -> dict:
    """Train on so many images; in a process of its own, for its memory."""
    pixels = torch.randint(0, 256, (images, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    order = torch.arange(images)
    held_out = max(1, min(images // 10, 1000))  # the same work for the validation, however many there are
    dataset = Dataset(
        name="noise", images=pixels, train=order[2 * held_out :], validation=order[:held_out],
        test=order[held_out : 2 * held_out],
    )  # fmt: skip
    start = time.perf_counter()
    run = TrainingRun(DenseVAE(dataset.image_shape), dataset, TrainConfig(steps=steps))
    made = time.perf_counter() - start
    run.start()
    run.wait()
    seconds = run.metrics_since(0)[0][-1].seconds
    used = psutil.Process().memory_info().rss - pixels.nbytes
    return {
        "images": images, "made_s": made, "examples_per_s": steps * run.config.batch_size / seconds,
        "memory_MB": used / 2**20,
    }  # fmt: skip


def table(results: list[dict]) -> None:
    """Print figures of the same kind, one a line."""
    columns = list(results[0])
    print("  ".join(f"{column:>15s}" for column in columns))
    for figures in results:
        print("  ".join(f"{value:>15,}" if isinstance(value, int) else f"{value:>15,.1f}" if isinstance(value, float)
                        else f"{value:>15s}" for value in figures.values()))  # fmt: skip
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="little of each, to see that it works")
    parser.add_argument("--points", type=float, nargs="+", default=(1e4, 1e5, 1e6), help="points in the latent plane")
    parser.add_argument("--only", choices=["points", "rows", "images"], help="one of the three tables")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    sizes = (60_000,) if options.quick else map(int, options.points)
    acts = 8 if options.quick else 64  # as many zooms in as out
    results: dict[str, list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        log = Path(folder) / "log"
        if options.only in (None, "points"):
            results["points"] = [points(browser, size, acts, log) for size in sizes]
        if options.only in (None, "rows"):
            results["rows"] = [
                history(browser, rows, 1 if options.quick else 5, log)
                for rows in ((10**4,) if options.quick else (10, 10**6))
            ]
    if options.only in (None, "images"):
        results["images"] = []
        for size in (1000,) if options.quick else (10**4, 10**5, 10**6):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                results["images"].append(pool.submit(training, size, 10 if options.quick else 300).result())
    for figures in results.values():
        table(figures)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
