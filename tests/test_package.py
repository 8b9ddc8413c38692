"""What `import vaeviz` does, does not do, and promises."""

import doctest
import json
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import version
from typing import get_args

import pytest

import vaeviz
from vaeviz.training import Status

IMPORT_IN_A_FRESH_PROCESS = """
import json, sys, threading

import numpy.testing  # which scipy imports, too; that of NumPy 1.26 starts lscpu

watched = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "_thread.start_new_thread", "subprocess.Popen"}
seen = []
sys.addaudithook(lambda event, _: event in watched and seen.append(event))

import vaeviz

print(json.dumps({"modules": sorted(sys.modules), "events": seen, "threads": threading.active_count()}))
"""

PUBLIC_NAMES = [
    "ConvVAE",
    "CursorView",
    "Dataset",
    "DenseVAE",
    "DimensionsView",
    "Elbo",
    "Explorer",
    "ExplorerState",
    "FollowedRun",
    "InterpolationView",
    "LatentView",
    "LossView",
    "ManifoldView",
    "Metrics",
    "ModelView",
    "Monitor",
    "MonitorWarning",
    "Posterior",
    "ReconstructionView",
    "Run",
    "SavedRun",
    "Snapshot",
    "StatusView",
    "TimelineView",
    "TrainConfig",
    "TrainingRun",
    "VAE",
    "decode",
    "embed",
    "evaluate",
    "examples_csv",
    "examples_npz",
    "export_animation",
    "export_walk",
    "follow_run",
    "load_dataset",
    "load_pretrained",
    "load_run",
    "metrics_csv",
    "resume_run",
    "save_figure",
    "train",
    "watch",
]


@pytest.fixture(scope="module")
def imported(pytestconfig):
    warnings = [f"-W{words}" for words in pytestconfig.getini("filterwarnings")]  # errors; with old versions ignored
    command = [sys.executable, *warnings, "-c", IMPORT_IN_A_FRESH_PROCESS]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("library", ["panel", "panel_material_ui", "param", "holoviews", "bokeh", "matplotlib"])
def test_import_needs_no_plotting_library(imported, library):
    assert library not in imported["modules"]


def test_import_starts_nothing_and_asks_no_network(imported):
    assert imported["events"] == []
    assert imported["threads"] == 1


def test_version_is_that_of_the_installed_package():
    assert vaeviz.__version__ == version("vaeviz")


@pytest.mark.parametrize("name", vaeviz.__all__)
def test_every_public_name_resolves(name):
    assert getattr(vaeviz, name).__name__ == name


def test_public_names_are_those_that_are_promised():
    assert sorted(vaeviz.__all__) == PUBLIC_NAMES
    assert dir(vaeviz) == PUBLIC_NAMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'vaeviz' has no attribute 'Explora'"):
        _ = vaeviz.Explora


@pytest.mark.parametrize(
    "name",
    ["start", "pause", "resume", "stop", "wait", "status", "error", "steps", "dataset", "metrics_since", "snapshot"],
)
def test_a_run_can_be_steered_and_read(name):
    run = vaeviz.TrainingRun(*tiny(), vaeviz.TrainConfig(epochs=1, batch_size=8))
    assert hasattr(run, name)
    assert isinstance(run, vaeviz.Run)


def test_the_states_of_a_run():
    assert get_args(Status) == ("ready", "running", "paused", "finished", "stopped", "failed")


def test_what_flows():
    assert vaeviz.Posterior._fields == ("mu", "logvar")
    assert vaeviz.Elbo._fields == ("loss", "reconstruction", "kl")
    assert vaeviz.Metrics._fields == ("step", "epoch", "split", "loss", "reconstruction", "kl", "seconds")
    assert {field.name for field in fields(vaeviz.Snapshot)} >= {"step", "epoch", "ids", "weights"}
    assert {"vae", "mu", "logvar"} <= set(dir(vaeviz.Snapshot))


def test_training_defaults():
    config = vaeviz.TrainConfig()
    assert (config.batch_size, config.learning_rate, config.clip, config.device) == (128, 1e-3, 5, "auto")


def tiny():
    data = vaeviz.Dataset.from_arrays([[[0.0, 1.0], [1.0, 0.0]]] * 12, validation=2, test=2)
    return vaeviz.DenseVAE(data.image_shape, hidden_sizes=(3,), latent_dim=2), data


@pytest.mark.parametrize("told", [vaeviz.TrainingRun, vaeviz.watch], ids=lambda told: told.__name__)
def test_the_example_of_a_docstring_gives_what_it_says(told):
    (example,) = doctest.DocTestFinder(recurse=False).find(told, globs={})
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0
