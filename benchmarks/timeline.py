"""How soon all views show another step of the training: an arrow key -> scatter, manifold, cursor and strip painted.

    python -m benchmarks.timeline

Real Chromium on the real page, 40 kept steps of 784-500-500-2 on mnist-5k, idle and while training on the same two
cores. So that 40 steps are kept within a minute, every 8th step is kept here, and not round(2^(k/2)).
"""

import argparse
import itertools
import socket
from pathlib import Path

import numpy as np
import panel as pn

import vaeviz.training.loop
import vaeviz.training.run
from benchmarks.record import delays, tell, write
from tests.browser.driver import Window, chromium, wait_until
from vaeviz import DenseVAE, TrainConfig, TrainingRun, load_dataset
from vaeviz.views.page import explorer_page
from vaeviz.views.runs import register_run

KEPT = 40
CLOCK_JS = """
window.turned = {begun: null, samples: [], waiting: new Set()}
const sources = {examples: "latent", tiles: "manifold", decoded: "cursor", strip: "interpolation"}
document.addEventListener("keydown", () => {
  turned.begun = performance.now()
  turned.waiting = new Set(Object.keys(sources))
}, true)
for (const [name, figure] of Object.entries(sources)) {
  const source = probe.source(figure, name)
  source.connect(source.properties.data.change, () => {
    if (!turned.waiting.delete(name) || turned.waiting.size > 0) { return }
    const begun = turned.begun
    requestAnimationFrame(() => setTimeout(() => turned.samples.push(performance.now() - begun), 0))
  })
}
"""


def kept_early():
    """Yield every 8th step, KEPT of them, and then none for long."""
    yield from range(8, 8 * (KEPT - 1), 8)
    yield from itertools.count(10**9)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port)).close()
    except OSError:
        return False
    return True


def turns(window: Window, count: int) -> np.ndarray:
    """Return the milliseconds of so many turns, to and fro, one after the other."""
    window.page.keyboard.press("Home")
    window.until(lambda: "step 0 " in window.status().partition("shown: ")[2] + " ", "the first step is shown")
    window.page.evaluate("turned.samples = []")
    for i in range(count):
        window.page.keyboard.press("ArrowRight" if (i // (KEPT - 3)) % 2 == 0 else "ArrowLeft")
        window.page.wait_for_function("(n) => turned.samples.length > n", arg=i, timeout=10_000, polling=5)
    return np.array(window.page.evaluate("turned.samples"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=70, help="turns for each figure")
    parser.add_argument("--quick", action="store_true", help="three turns of each: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    count = 3 if options.quick else options.turns
    vaeviz.training.loop.kept_steps = vaeviz.training.run.kept_steps = kept_early
    pn.extension()
    data = load_dataset("mnist-5k")
    run = register_run(TrainingRun(DenseVAE(data.image_shape), data, TrainConfig(epochs=100_000)))
    run.start()
    wait_until(lambda: len(run.steps) >= KEPT - 1, "40 steps are kept", 120)
    run.pause()
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    server = pn.serve({"explorer": lambda: explorer_page(run.id)}, port=port, threaded=True, show=False, verbose=False)
    wait_until(lambda: answers(port), "the server runs")
    with chromium() as browser:
        window = Window(browser.new_page(viewport={"width": 1440, "height": 900}))
        window.open(f"http://localhost:{port}/explorer?run={run.id}")
        window.page.evaluate(CLOCK_JS)
        turns(window, 3 if options.quick else KEPT)  # warm up: each step is embedded once
        what = f"arrow key → all views at another of {KEPT} kept steps"
        figures = [delays(f"{what}, idle", turns(window, count), 250)]
        run.resume()
        figures.append(delays(f"{what}, while training", turns(window, count), 250))
        print(window.status())
    tell(figures)
    if options.json:
        write(figures, options.json)
    run.stop()
    server.stop()


if __name__ == "__main__":
    main()
