"""Memory that runs out, for real, in processes that may take only so much of it."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from vaeviz import Dataset, DenseVAE, TrainConfig, TrainingRun
from vaeviz.views import ExplorerState, frame

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the memory of a process")


def starved(what: str) -> dict[str, Any]:
    process = subprocess.run([sys.executable, "-m", "tests.faults.starved", what], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_a_batch_too_large_for_the_memory_fails_in_words_and_the_next_training_goes_on():
    told = starved("training")
    assert told["status"] == "failed"
    assert told["error"] == (
        "out of memory after step 0: a batch of 39,000 examples takes more than there is; try a smaller batch_size, or"
        " a smaller model"
    )
    assert told["alert"] == f"Training failed. {told['error']}"
    assert told["shown"] == 0
    assert told["afterwards"] == "finished"


def test_a_manifold_too_large_for_the_memory_is_told_and_a_smaller_one_is_shown():
    told = starved("manifold")
    assert told["alert"] == "The snapshot of step 0 can't be shown: there is not enough memory"
    assert (told["side"], told["afterwards"]) == (2, 3)


def test_a_hundred_tiles_a_side_of_large_pictures_are_decoded_in_parts(monkeypatch: pytest.MonkeyPatch):
    images = np.zeros((20, 64, 64), np.uint8)
    model = DenseVAE((1, 64, 64), (4,))
    run = TrainingRun(model, Dataset.from_arrays(images, name="dark"), TrainConfig(steps=1, batch_size=2))
    largest, decode = [], frame.decode

    def watched(vae, codes):
        largest.append(4 * len(codes) * 64 * 64)
        return decode(vae, codes)

    monkeypatch.setattr(frame, "decode", watched)
    shown = ExplorerState(run, manifold_side=100).frame.manifold
    assert max(largest) <= frame.LARGEST_DECODED
    assert sum(largest) == 4 * 100 * 100 * 64 * 64
    assert shown.shape == (100 * 22, 100 * 22, 1)  # every third pixel
