"""The benchmark of sizes works; it is never a time that is tested."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.record import read
from tests.browser.driver import ROOT

pytestmark = pytest.mark.browser


def test_the_quick_benchmark_measures_points_rows_and_images(tmp_path: Path):
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--quick", "--json", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = {figure.what: figure.value for figure in read(file)}
    assert figures["60,000 points: mouse move → decoded image"] < 2000  # each was answered
    for act in ("zoom → painted anew", "pan → painted anew", "lasso → examples told"):
        assert figures[f"60,000 points: {act}"] > 0
    assert 1000 < figures["10,000 rows: sent to the browser"] < 6000
    assert figures["1,000 images: trained on"] > 0
    assert "selected" in done.stdout
