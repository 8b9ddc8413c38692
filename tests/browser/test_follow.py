"""A run that one process writes is explored by another, live."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.driver import ROOT, Window, wait_until


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def command(*words: str) -> subprocess.Popen:
        words = [sys.executable, "-u", "-m", "vaeviz", *words]
        started.append(subprocess.Popen(words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        return started[-1]

    yield command
    for process in started:
        process.kill()
        process.communicate()


def test_explore_follows_what_train_writes(start, new_window: Callable[[], Window], tmp_path: Path):
    out = tmp_path / "run"
    trains = start("train", "--epochs", "100000", "--out", str(out), "--quiet")
    wait_until((out / "live" / "metrics.f64").exists, "the run is written")
    explores = start("explore", str(out), "--port", "0")
    explores.stdout.readline()
    window = new_window().open(re.search(r"http://\S+", explores.stdout.readline())[0])
    window.until_status("running")
    rows, points = len(window.column("loss", "train", "x")), window.column("latent", "examples", "horizontal")
    window.until(lambda: len(window.column("loss", "train", "x")) > rows + 3, "the loss curve grows")
    window.until(lambda: window.column("latent", "examples", "horizontal") != points, "the scatter moves")
    trains.kill()
    trains.wait()
    window.until_status("stopped")
    shutil.rmtree(out)
    window.page.get_by_text(re.compile("is no longer there")).wait_for()
    image = window.pixels("cursor", "decoded")
    window.hover("latent", 1.0, 1.0)
    window.until(lambda: window.pixels("cursor", "decoded") != image, "what was seen is explorable still")
