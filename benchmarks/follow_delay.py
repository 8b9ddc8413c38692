"""How soon a row that another process has written is a point on the screen of `python -m vaeviz explore`.

    python -m benchmarks.follow_delay

Three processes share the machine's cores: one trains into a folder, one serves the explorer that follows it, and a real
Chromium shows it. A sample is the time from the row's bytes in the file (looked at every 5 ms) until the frame with its
point has been painted.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.loss_delay import CLOCK_JS
from benchmarks.record import delays, tell, write
from tests.browser.driver import Window, chromium, wait_until
from vaeviz.training.live import read_rows


def note_rows(path: Path, written: dict[int, float], ended: threading.Event) -> None:
    """Note when each training row came into the file."""
    count = 0
    while not ended.wait(0.005):
        if path.stat().st_size // 56 > count:
            now, rows = time.time() * 1000, read_rows(path, count)
            count += len(rows)
            written |= {row.step: now for row in rows if row.split == "train"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-u", "-m", "vaeviz", *words]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="how long to watch")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    written: dict[int, float] = {}
    ended = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        trains = subprocess.Popen(command("train", "--epochs", "100000", "--out", str(out), "--quiet"))
        metrics = out / "live" / "metrics.f64"
        wait_until(metrics.exists, "the run is written")
        explores = subprocess.Popen(command("explore", str(out), "--port", "0"), stdout=subprocess.PIPE, text=True)
        explores.stdout.readline()
        address = re.search(r"http://\S+", explores.stdout.readline())[0]
        try:
            with chromium() as browser:
                window = Window(browser.new_page(viewport={"width": 1440, "height": 900})).open(address)
                window.page.evaluate(CLOCK_JS)
                watch = threading.Thread(target=note_rows, args=(metrics, written, ended), daemon=True)
                watch.start()
                window.page.wait_for_timeout(options.seconds * 1000)
                ended.set()
                watch.join()
                window.page.wait_for_timeout(2000)
                seen = {int(step): at for step, at in window.page.evaluate("seen").items()}
        finally:
            for process in (explores, trains):
                process.terminate()
                process.wait(timeout=30)
    first = min(written, default=0)  # noted together with all that was there before
    late = [seen[step] - at for step, at in written.items() if step in seen and step > first + 500]
    missing = sum(step > first + 500 and step not in seen for step in written)
    print(f"{missing} rows were never seen")
    figures = [delays("row written by another process → point on the screen of `explore`", late, 1000)]
    tell(figures)
    if options.json:
        write(figures, options.json)


if __name__ == "__main__":
    main()
