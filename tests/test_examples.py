"""The scripts of examples/, as a person runs them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_examples():
    assert [path.stem for path in EXAMPLES] == ["lightning_vae", "pythae_vae", "pytorch_vae"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_trains_and_is_watched(example: Path):
    done = subprocess.run(
        [sys.executable, example, "--data", "mnist-5k", "--epochs", "2"], cwd=ROOT, capture_output=True, text=True,
        timeout=240, env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"vaeviz: http://localhost:\d+", done.stdout)
    nats = [float(value) for value in re.findall(r"([\d.]+) nats", done.stdout)]
    assert nats, done.stdout
    assert 140 < nats[-1] < 300
    assert "MonitorWarning" not in done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_only_a_few_lines_more_than_the_training_itself(example: Path):
    assert 3 <= example.read_text(encoding="utf-8").count("# vaeviz\n") <= 6
