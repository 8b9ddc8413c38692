from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.views.conftest import at_once, make_run
from vaeviz import TrainConfig, load_run
from vaeviz.models import ConvVAE, DenseVAE
from vaeviz.views import ExplorerState
from vaeviz.views.controls import ControlsView
from vaeviz.views.fields import A_PATH, FieldError
from vaeviz.views.folders import is_autosaved


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def controls(state: ExplorerState) -> ControlsView:
    return ControlsView(state)


def test_the_fields_begin_as_the_present_run_is(controls: ControlsView):
    assert controls.fields["hidden_sizes"].value == "16"
    assert controls.fields["batch_size"].value == "16"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("hidden_sizes", "500,,x", "whole numbers"),
        ("hidden_sizes", "0", "whole numbers"),
        ("hidden_sizes", "", "whole numbers"),
        ("hidden_sizes", "99999999", "whole numbers"),
        ("latent_dim", "0", "whole number"),
        ("latent_dim", "2.5", "whole number"),
        ("learning_rate", "-1", "above 0"),
        ("learning_rate", "nan", "above 0"),
        ("learning_rate", "inf", "above 0"),
        ("learning_rate", "fast", "above 0"),
        ("beta", "-0.1", "at least 0"),
        ("dropout", "1", "from 0"),
        ("batch_size", "0", "at least 1"),
        ("epochs", "x", "at least 1"),
        ("seed", "-1", "at least 0"),
    ],
)
def test_a_bad_field_is_marked_with_what_is_allowed(controls: ControlsView, field: str, value: str, words: str):
    controls.fields[field].value = value
    assert controls.fields[field].error_state
    assert words in controls.fields[field].helper_text
    controls.fields[field].value = "16" if field == "hidden_sizes" else "0.5" if field in ("beta", "dropout") else "1"
    assert not controls.fields[field].error_state


def test_sizes_may_be_written_with_commas_or_dashes(controls: ControlsView):
    controls.fields["hidden_sizes"].value = "500-250, 100"
    assert controls.fields.model_options() == (
        DenseVAE,
        {"hidden_sizes": (500, 250, 100), "latent_dim": 2, "dropout": 0.0},
    )


def test_a_convolutional_model_takes_channels_and_a_hidden_size(controls: ControlsView):
    controls.fields["family"].value = "convolutional"
    controls.fields["channels"].value = "8, 16, 32"
    kind, options = controls.fields.model_options()
    assert kind is ConvVAE
    assert options["channels"] == (8, 16)
    assert options["hidden_size"] == 32
    controls.fields["channels"].value = "8"
    assert controls.fields["channels"].error_state


def test_a_new_run_is_what_the_fields_say(controls: ControlsView):
    controls.fields["beta"].value = "4"
    controls.fields["latent_dim"].value = "3"
    controls.fields["data"].value = "digits"
    run = controls.fields.make_run()
    assert run.config.beta == 4
    assert run.dataset.name == "digits"
    assert run.snapshot().mu.shape[1] == 3


@pytest.mark.parametrize("family", ["dense", "convolutional"])
def test_the_same_fields_begin_with_the_same_weights_and_another_seed_with_others(controls: ControlsView, family: str):
    controls.fields["family"].value = family
    first, second = (controls.fields.make_run().snapshot().mu for _ in range(2))
    controls.fields["seed"].value = "7"
    third = controls.fields.make_run().snapshot().mu
    assert np.array_equal(first, second)
    assert not np.allclose(first, third)


def test_a_batch_larger_than_the_data_names_its_field(controls: ControlsView):
    controls.fields["data"].value = "digits"
    controls.fields["batch_size"].value = "5000"
    with pytest.raises(FieldError, match="training examples") as caught:
        controls.fields.make_run()
    assert caught.value.field == "batch_size"


def test_a_path_must_be_given_and_must_exist(controls: ControlsView):
    controls.fields["data"].value = A_PATH
    with pytest.raises(FieldError, match="empty"):
        controls.fields.make_run()
    controls.fields["path"].value = "/no/such/file.npz"
    with pytest.raises(FileNotFoundError, match=r"/no/such/file\.npz"):
        controls.fields.make_run()


def test_settings_without_a_field_go_along_with_the_run_that_is_shown():
    run = make_run(l2=0.001, steps=40, learning_rate=0.00123456789)
    controls = ControlsView(ExplorerState(run))
    assert not controls.fields.edited
    assert controls.fields.config() == run.config
    controls.fields["epochs"].value = "3"
    assert controls.fields.edited
    assert controls.fields.config() == replace(run.config, epochs=3, steps=None)


def test_data_made_from_arrays_can_be_trained_on_again(controls: ControlsView):
    controls.fields["beta"].value = "2"
    run = controls.fields.make_run()
    assert run.dataset is controls.state.run.dataset


def test_the_fields_follow_another_run(controls: ControlsView):
    model = ConvVAE((1, 6, 8), channels=(4,), hidden_size=9, latent_dim=3)
    controls.state.run = make_run(model=model, beta=4.0, epochs=7)
    assert controls.fields["family"].value == "convolutional"
    assert controls.fields["channels"].value == "4, 9"
    assert controls.fields["latent_dim"].value == "3"
    assert (controls.fields["beta"].value, controls.fields["epochs"].value) == ("4", "7")
    assert not controls.fields.edited


def offered(controls: ControlsView) -> set[str]:
    buttons = (controls._train, controls._pause, controls._resume, controls._stop, controls._reset)
    return {button.label for button in buttons if button.visible and not button.disabled}


def test_only_the_buttons_that_can_do_something_are_offered():
    run = make_run(epochs=10_000)
    state = ExplorerState(run)
    controls = ControlsView(state)
    assert offered(controls) == {"Train", "Reset"}
    run.start()
    state.status = run.status
    assert offered(controls) == {"Pause", "Stop", "Reset"}
    run.pause()
    state.status = run.status
    assert offered(controls) == {"Resume", "Stop", "Reset"}
    run.stop()
    state.status = run.status
    assert offered(controls) == {"Train", "Reset"}  # it has no folder to go on from


def test_train_begins_a_run_that_is_saved_when_it_is_stopped_and_resume_goes_on_from_there(controls: ControlsView):
    controls.fields["epochs"].value = "100000"
    at_once(controls._on_train(None))
    run = controls.state.run
    assert (run.status, run.config.epochs) == ("running", 100_000)
    at_once(controls._on_stop(None))
    assert offered(controls) == {"Train", "Resume", "Reset"}
    assert is_autosaved(run.folder)
    assert load_run(run.folder, run.dataset).step == run.step > 0


def test_a_run_that_has_not_begun_is_trained_as_it_is(controls: ControlsView):
    run = controls.state.run
    at_once(controls._on_train(None))
    assert controls.state.run is run
    assert run.wait(30) == "finished"


def test_reset_begins_anew_and_stops_the_present_run(controls: ControlsView):
    controls.fields["epochs"].value = "100000"
    at_once(controls._on_train(None))
    present = controls.state.run
    at_once(controls._on_reset(None))
    assert present.status == "stopped"
    assert controls.state.run is not present
    assert controls.state.status == "ready"


def test_a_field_that_can_not_be_taken_leaves_the_present_run_as_it_is(controls: ControlsView):
    present = controls.state.run
    present.start()
    controls.fields["batch_size"].value = "1000"
    at_once(controls._on_reset(None))
    assert "training examples" in controls.state.alert
    assert controls.fields["batch_size"].error_state
    assert controls.state.run is present
    assert present.wait(30) == "finished"
    assert not controls.exchange.busy


def test_a_model_of_ones_own_shows_the_fields_of_a_usual_one():
    from tests.training.small import small_model

    run = make_run()
    own = small_model(run.dataset)
    controls = ControlsView(ExplorerState(make_run(run.dataset, model=own)))
    assert controls.fields["latent_dim"].value == str(own.latent_dim)
    assert isinstance(controls.fields.config(), TrainConfig)
