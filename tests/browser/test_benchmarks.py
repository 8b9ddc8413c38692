"""The benchmarks work; it is never a time that is tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.driver import ROOT

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", ["training", "touch", "timeline", "loss_delay", "watching", "start"])
def test_a_quick_benchmark_writes_its_figures(tmp_path: Path, name: str):
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", name, "--json", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(file.read_text())["figures"][name]
    assert figures
    assert all(figure["value"] > 0 for figure in figures)
