import pytest

from tests.views.conftest import make_run
from vaeviz.models import ConvVAE, DenseVAE
from vaeviz.views import ExplorerState
from vaeviz.views.controls import A_PATH, ControlsView, FieldError


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
    assert controls.read_model_options() == (
        DenseVAE,
        {"hidden_sizes": (500, 250, 100), "latent_dim": 2, "dropout": 0.0},
    )


def test_a_convolutional_model_takes_channels_and_a_hidden_size(controls: ControlsView):
    controls.fields["family"].value = "convolutional"
    controls.fields["channels"].value = "8, 16, 32"
    kind, options = controls.read_model_options()
    assert kind is ConvVAE
    assert options["channels"] == (8, 16)
    assert options["hidden_size"] == 32
    controls.fields["channels"].value = "8"
    assert controls.fields["channels"].error_state


def test_a_new_run_is_what_the_fields_say(controls: ControlsView):
    controls.fields["beta"].value = "4"
    controls.fields["latent_dim"].value = "3"
    controls.fields["data"].value = "digits"
    run = controls.make_run()
    assert run.config.beta == 4
    assert run.dataset.name == "digits"
    assert run.snapshot().mu.shape[1] == 3


def test_a_batch_larger_than_the_data_names_its_field(controls: ControlsView):
    controls.fields["data"].value = "digits"
    controls.fields["batch_size"].value = "5000"
    with pytest.raises(FieldError, match="training examples") as caught:
        controls.make_run()
    assert caught.value.field == "batch_size"


def test_a_path_must_be_given_and_must_exist(controls: ControlsView):
    controls.fields["data"].value = A_PATH
    with pytest.raises(FieldError, match="empty"):
        controls.make_run()
    controls.fields["path"].value = "/no/such/file.npz"
    with pytest.raises(FileNotFoundError, match=r"/no/such/file\.npz"):
        controls.make_run()


def test_only_the_buttons_that_can_do_something_are_offered():
    run = make_run(epochs=10_000)
    state = ExplorerState(run)
    controls = ControlsView(state)

    def offered() -> set[str]:
        buttons = (controls._train, controls._pause, controls._resume, controls._stop, controls._reset)
        return {button.label for button in buttons if button.visible and not button.disabled}

    assert offered() == {"Train", "Reset"}
    run.start()
    state.status = run.status
    assert offered() == {"Pause", "Stop", "Reset"}
    run.pause()
    state.status = run.status
    assert offered() == {"Resume", "Stop", "Reset"}
    run.stop()
    state.status = run.status
    assert offered() == {"Train", "Reset"}
