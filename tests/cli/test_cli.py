"""The command line, in processes of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.browser.driver import ROOT, wait_until
from vaeviz import TrainConfig, follow_run, load_dataset, load_run
from vaeviz.cli import main
from vaeviz.cli.main import parser
from vaeviz.cli.options import config_of, field_words

SMALL = ["--data", "digits", "--hidden-sizes", "32", "--device", "cpu"]
FOREVER = ["--steps", "100000000"]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start command lines; they are ended when the test is over."""
    started: list[subprocess.Popen] = []

    def command(*words: str | Path) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-u", "-m", "vaeviz", *map(str, words)], cwd=ROOT, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"COLUMNS": "100"},
            )
        )  # fmt: skip
        return started[-1]

    yield command
    for process in started:
        process.kill()
        process.communicate()


# Options


def test_every_field_of_the_configuration_is_an_option_with_its_words_and_default(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    words = field_words(TrainConfig)
    for field in fields(TrainConfig):
        default = "none" if field.default is None else field.default
        assert f"{words[field.name]} (default: {default})" in told


def test_what_is_not_given_is_as_the_configuration_has_it():
    assert config_of(parser().parse_args(["train", "--out", "x"])) == TrainConfig()
    given = ["--epochs", "3", "--clip", "none", "--schedule", "one-cycle", "--beta", "4", "--steps", "none"]
    assert config_of(parser().parse_args(["train", "--out", "x", *given])) == TrainConfig(
        epochs=3, clip=None, schedule="one-cycle", beta=4.0
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--learning-rate", "-1"], "learning_rate=-1.0: must be a number above 0"),
        (["--data", "nist"], "nist"),
        (["--data", "/no/such/file.npz"], "/no/such/file.npz"),
        (["--hidden-sizes", "0"], "hidden_sizes"),
        (["--channels", "8"], "--channels is of --model conv; this is --model dense"),
        (["--model", "conv", "--hidden-sizes", "8"], "--hidden-sizes is of --model dense"),
        (["--batch-size", "100000"], "training examples"),
        (["--save-every", "0"], "save_every=0"),
        (["--resume"], "is not there or no folder"),
    ],
)
def test_what_can_not_be_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture, words, told: str):
    assert main(["train", "--out", str(tmp_path / "run"), *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("vaeviz: ")
    assert error.count("\n") == 1
    assert told in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("words", [[], ["train"], ["train", "--out", "x", "--beta", "much"], ["see"], ["explore"]])
def test_a_wrong_command_line_shows_the_usage(words: list[str], capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: vaeviz" in capsys.readouterr().err


def test_help_is_shown_by_the_module(start):
    process = start("--help")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "python -m vaeviz explore runs/a" in out


# Training


def test_a_training_to_its_end_is_saved_and_told(start, tmp_path: Path):
    out = tmp_path / "a run"
    process = start("train", *SMALL, "--epochs", "2", "--seed", "3", "--out", out, "--tensorboard")
    told, progress = process.communicate(timeout=120)
    assert process.returncode == 0, progress
    run = load_run(out)
    assert run.status == "finished"
    assert run.config == TrainConfig(epochs=2, seed=3, device="cpu")
    assert f"python -m vaeviz explore '{out}'" in told
    rows, _ = run.metrics_since(0)
    last = [row for row in rows if row.split == "validation"][-1]
    assert f"validation {last.loss:.2f} nats = reconstruction {last.reconstruction:.2f} + KL {last.kl:.2f}" in told
    assert f"{run.total_steps}/{run.total_steps}" in progress
    board = EventAccumulator(str(out / "tensorboard")).Reload()
    assert set(board.Tags()["scalars"]) == {
        f"{term}/{split}" for term in ("loss", "reconstruction", "kl") for split in ("train", "validation")
    }
    events = board.Scalars("loss/validation")
    assert [event.step for event in events] == [row.step for row in rows if row.split == "validation"]
    assert events[-1].value == pytest.approx(last.loss)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_go_on(start, tmp_path: Path, number: int, status: int):
    out = tmp_path / "run"
    process = start("train", *SMALL, *FOREVER, "--out", out)
    wait_until(lambda: (out / "live" / "metrics.f64").exists() and follow_run(out).step > 10, "some steps are done")
    process.send_signal(number)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == status
    step = load_run(out).step
    assert f"stopped at step {step:,}" in told
    assert f"--out {out} --resume" in told
    again = start("train", "--out", out, "--resume", "--steps", str(step + 20), "--quiet")
    told, progress = again.communicate(timeout=60)
    assert again.returncode == 0, progress
    assert progress == ""
    assert load_run(out).step == step + 20


def test_a_run_is_not_overwritten_and_is_resumed_only_as_it_was(start, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = str(tmp_path / "run")
    assert main(["train", *SMALL, "--steps", "5", "--out", out, "--quiet"]) == 0
    assert main(["train", *SMALL, "--steps", "5", "--out", out]) == 1
    assert "--resume" in capsys.readouterr().err
    assert main(["train", "--out", out, "--resume", "--beta", "2"]) == 1
    assert "--beta: a run is resumed as it was configured" in capsys.readouterr().err
    assert main(["train", "--out", out, "--resume"]) == 1
    assert "has ended" in capsys.readouterr().err


def test_what_the_terminal_trains_is_what_python_trains(tmp_path: Path):
    import torch

    from vaeviz import DenseVAE, TrainingRun

    assert main(["train", *SMALL, "--steps", "30", "--out", str(tmp_path / "run"), "--quiet"]) == 0
    data = load_dataset("digits")
    model = DenseVAE(data.image_shape, (32,), generator=torch.Generator().manual_seed(0))
    run = TrainingRun(model, data, TrainConfig(steps=30, device="cpu"))
    run.start()
    run.wait()
    assert np.array_equal(load_run(tmp_path / "run").snapshot().mu, run.snapshot().mu)


# Exploring


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_run_in_a_folder_is_served_until_a_signal(start, tmp_path: Path, end: int):
    from urllib.request import urlopen

    out = str(tmp_path / "run")
    assert main(["train", *SMALL, "--steps", "5", "--out", out, "--quiet"]) == 0
    process = start("explore", out, "--port", "0")
    process.stdout.readline()
    address = re.search(r"http://\S+", process.stdout.readline())[0]
    assert "vaeviz" in urlopen(address).read().decode()
    process.send_signal(end)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 0, error


def test_a_folder_without_a_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["explore", str(tmp_path)]) == 1
    assert "holds no saved run" in capsys.readouterr().err
    shutil.rmtree(tmp_path)
    assert main(["explore", str(tmp_path)]) == 1
    assert "is not there" in capsys.readouterr().err
