"""The benchmark of sizes works; it is never a time that is tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.driver import ROOT

pytestmark = pytest.mark.browser


def test_the_quick_benchmark_measures_points_rows_and_images(tmp_path: Path):
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--quick", "--json", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    (points,), (rows,), (images,) = figures["points"], figures["rows"], figures["images"]
    assert "selected" in points["lasso"]
    assert 0 < points["zoom_median_ms"] <= points["zoom_worst_ms"]
    assert points["hover_worst_ms"] < 2000  # each move of the mouse was answered
    assert 1000 < rows["rows_in_browser"] < 6000 < rows["rows"]
    assert images["examples_per_s"] > 0
    assert "lasso" in done.stdout
