from collections import OrderedDict
from pathlib import Path

import pytest

from tests.views.conftest import make_run
from vaeviz import DenseVAE, SavedRun, TrainConfig, TrainingRun, load_dataset
from vaeviz.views import ExplorerState
from vaeviz.views.controls import ControlsView
from vaeviz.views.page import first_run
from vaeviz.views.runs import (
    EPOCHS,
    MOST_ENDED,
    MOST_SAVED,
    find_run,
    is_resumable,
    is_training,
    open_folder,
    register_run,
    restore_run,
    resume_folder,
)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path))
    return tmp_path


def digits_run(folder: Path, **config) -> TrainingRun:
    """Return a small run whose data can be loaded again."""
    data = load_dataset("digits")
    model = DenseVAE(data.image_shape, hidden_sizes=(8,))
    return TrainingRun(model, data, TrainConfig(**{"epochs": 1, **config}), folder=folder)


def stopped_run(folder: Path) -> TrainingRun:
    run = digits_run(folder, epochs=100_000)
    run.start()
    run.stop()
    return run


def test_a_run_is_found_by_its_id_and_by_no_other():
    run = register_run(make_run())
    assert find_run(run.id) is run
    assert find_run("no-such-run") is None


def test_only_the_last_few_resting_runs_are_kept_and_all_that_train():
    training = register_run(make_run(epochs=100_000))
    training.start()
    try:
        resting = [register_run(make_run()) for _ in range(MOST_ENDED + 2)]
        assert find_run(resting[0].id) is None
        assert find_run(resting[-1].id) is resting[-1]
        assert find_run(training.id) is training
    finally:
        training.stop()


def test_of_the_runs_that_are_saved_fewer_are_kept_and_the_others_are_found_again_by_their_ids(runs: Path):
    unsaved = register_run(make_run())
    saved = [register_run(stopped_run(runs / f"run {number}")) for number in range(MOST_SAVED + 1)]
    assert all(find_run(run.id) is run for run in [unsaved, *saved[1:]])
    assert find_run(saved[0].id) is None
    again = restore_run(saved[0].id)
    assert isinstance(again, SavedRun)
    assert (again.id, again.status, again.step) == (saved[0].id, "stopped", saved[0].step)


def test_ids_are_long_and_random():
    first, second = make_run().id, make_run().id
    assert first != second
    assert len(first) >= 12


def test_a_saved_run_is_found_by_its_id_after_a_restart(runs: Path):
    run = stopped_run(runs / "of an earlier server")
    restored = restore_run(run.id)
    assert isinstance(restored, SavedRun)
    assert (restored.id, restored.step) == (run.id, run.step)
    assert restore_run(run.id) is restored  # from now on it is of this process
    assert restore_run("no-such-run") is None


def test_a_page_opens_on_a_saved_run_and_tells_where_it_can_not(runs: Path):
    run = stopped_run(runs / "whole")
    opened, words = first_run(run.id)
    assert (opened.id, words) == (run.id, "")
    damaged = stopped_run(runs / "damaged")
    next((runs / "damaged").glob("state-*")).write_bytes(b"")
    opened, words = first_run(damaged.id)
    assert opened.id != damaged.id
    assert "damaged or was changed" in words
    assert "no run 12345" in first_run("12345")[1]
    assert first_run("new")[0].step == 0


def test_opening_the_folder_of_a_run_that_trains_gives_that_run(runs: Path):
    run = register_run(digits_run(runs / "training", epochs=100_000))
    run.start()
    try:
        run.save()
        assert open_folder(runs / "training") is run
        run.save(runs / "copy")
        saved = register_run(open_folder(runs / "copy"))
        assert isinstance(saved, SavedRun)
        assert find_run(run.id) is run  # the saved one does not take its place
        with pytest.raises(ValueError, match="trains at this moment"):
            resume_folder(runs / "copy", saved)
    finally:
        run.stop()
    assert not is_training(run.id)
    assert isinstance(open_folder(runs / "training"), SavedRun)


def test_what_was_stopped_can_be_resumed_and_what_has_ended_or_was_never_saved_can_not(runs: Path):
    stopped = stopped_run(runs / "stopped")
    assert is_resumable(stopped)
    assert is_resumable(open_folder(stopped.folder))
    resumed = resume_folder(stopped.folder, stopped)
    assert (resumed.status, resumed.id, resumed.step) == ("ready", stopped.id, stopped.step)
    finished = digits_run(runs / "finished")
    finished.start()
    assert finished.wait(60) == "finished"
    assert not is_resumable(finished)
    assert not is_resumable(open_folder(finished.folder))
    unsaved = make_run()
    unsaved.stop()
    assert not is_resumable(unsaved)


def test_without_an_id_a_page_opens_on_a_trained_model_and_train_begins_a_run_of_ones_own(runs: Path):
    opened, words = first_run()
    assert (opened.id, opened.status, words) == ("mnist-2d", "finished", "")
    assert first_run("mnist-2d")[0] is opened
    assert first_run("no-such-run")[0] is opened
    controls = ControlsView(ExplorerState(opened))
    assert "A trained model" in controls._note.object
    made = controls.fields.make_run()
    assert (made.status, made.config) == ("ready", TrainConfig(epochs=EPOCHS))
    assert made.dataset.name == "mnist-5k"
    assert made.model.config == opened.model.config
    controls.saved.choice.value = "mnist-2d"
    assert not controls.saved._open.disabled
    assert controls.saved._resume.disabled
    assert controls.saved._save.disabled


def test_where_the_trained_model_is_missing_a_page_opens_on_a_new_run_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("vaeviz.views.runs._runs", OrderedDict())
    monkeypatch.setattr("vaeviz.training.pretrained.FOLDER", tmp_path)
    opened, words = first_run()
    assert opened.status == "ready"
    assert "model.json is missing" in words
