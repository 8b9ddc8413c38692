"""How soon a row of the training's log is a point on the screen.

    python -m benchmarks.loss_delay

Real Chromium on the real page, while training on the same cores, server and training in this process. A sample is the
time from the row's entry into the log until the frame with its point has been painted.
"""

import argparse
import socket
import time
from pathlib import Path

import panel as pn

from benchmarks.record import delays, tell, write
from tests.browser.driver import Window, chromium
from vaeviz.training.history import MetricsLog
from vaeviz.views.page import explorer_page

CLOCK_JS = """
window.seen = {}
const source = probe.source("loss", "train")
const look = () => {
  const steps = Array.from(source.data.step).filter((step) => !(step in seen))
  requestAnimationFrame(() => setTimeout(() => steps.forEach((step) => { seen[step] ??= Date.now() }), 0))
}
source.connect(source.properties.data.change, look)
source.connect(source.streaming, look)
"""


def answers(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port)).close()
    except OSError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="how long to watch")
    parser.add_argument("--quick", action="store_true", help="two seconds: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    seconds = 2 if options.quick else options.seconds
    pn.extension()
    logged: dict[int, float] = {}
    append = MetricsLog.append

    def append_and_note(log: MetricsLog, row) -> None:
        append(log, row)
        if row.split == "train":
            logged[row.step] = time.time() * 1000

    MetricsLog.append = append_and_note
    with socket.create_server(("localhost", 0)) as probe:
        port = probe.getsockname()[1]
    server = pn.serve({"explorer": explorer_page}, port=port, threaded=True, show=False, verbose=False)
    with chromium() as browser:
        window = Window(browser.new_page(viewport={"width": 1440, "height": 900}))
        window.until(lambda: answers(port), "the server runs")
        window.open(f"http://localhost:{port}/explorer")
        window.page.evaluate(CLOCK_JS)
        window.fill("Epochs", "100000")
        window.click("Train")
        window.until_status("running")
        window.until(lambda: window.step() > 100, "the training goes its way")
        logged.clear()
        window.page.wait_for_timeout(seconds * 1000)
        window.click("Stop")
        seen = {int(step): at for step, at in window.page.evaluate("seen").items()}
    late = [seen[step] - at for step, at in logged.items() if step in seen]
    figures = [delays("row of the log → point on the screen, while training", late, 500)]
    tell(figures)
    if options.json:
        write(figures, options.json)
    server.stop()


if __name__ == "__main__":
    main()
