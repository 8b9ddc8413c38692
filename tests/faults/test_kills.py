"""A training that is killed, with SIGKILL, within a save."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.faults.killed import CONFIG, MOST, model
from tests.training.saves import ended, same_training
from vaeviz import TrainingRun, load_dataset
from vaeviz.training import load_run, resume_run

KILLS = int(os.environ.get("VAEVIZ_TEST_KILLS", "8"))
"""`make soak` tries 50."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.timeout(900)
def test_wherever_a_save_is_killed_the_folder_opens_and_resumes_equal_to_the_bit(tmp_path: Path):
    moments = sorted(random.Random(KILLS).sample(range(MOST), KILLS))
    folders = [tmp_path / str(moment) for moment in moments]
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", *map(str, folders)], check=True, capture_output=True, text=True
    ).stdout  # fmt: skip
    assert told.split() == [word for moment in moments for word in (str(moment), "killed")]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data = load_dataset("digits")
    whole = ended(TrainingRun(model(), data, CONFIG))
    opened = 0
    for folder in folders:
        told_of = folder.with_suffix(".saved")
        surely_saved = int(told_of.read_text()) if told_of.exists() else 0
        if not surely_saved and not (folder / "run.json").exists():  # within the first save
            with pytest.raises(FileNotFoundError):
                load_run(folder)
            continue
        opened += 1
        saved = load_run(folder)
        assert saved.step >= surely_saved
        assert saved.step < saved.total_steps
        same_training(ended(resume_run(folder)), whole)
        same_training(load_run(folder), whole)
        unfinished = [path.name for path in folder.rglob("*") if path.name.endswith(".unfinished")]
        assert unfinished == []
    assert opened >= KILLS // 2
    torch.set_num_threads(threads)
