"""The list of saved runs: open, resume, save; what can't be opened leaves all as it is."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.views.conftest import at_once, look
from tests.views.test_runs import digits_run, stopped_run
from vaeviz import SavedRun, load_run
from vaeviz.views import ExplorerState
from vaeviz.views.controls import ControlsView
from vaeviz.views.folders import AUTOSAVED, begin_autosaving, is_autosaved, saved_rows
from vaeviz.views.saved_runs import ANOTHER, SavedRunsView
from vaeviz.views.status import StatusView


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def controls(state: ExplorerState) -> Iterator[ControlsView]:
    controls = ControlsView(state)
    yield controls
    if hasattr(controls.state.run, "stop"):
        controls.state.run.stop()


def choose(saved: SavedRunsView, folder: Path) -> None:
    """Choose a folder as a person would: from the list, or by its path."""
    if str(folder) in saved.choice.options.values():
        saved.choice.value = str(folder)
    else:
        saved.choice.value = ANOTHER
        saved.elsewhere.value = str(folder)


def test_open_explores_a_saved_run_and_shows_its_settings(state: ExplorerState, tmp_path: Path):
    run = stopped_run(tmp_path / "elsewhere")
    controls = ControlsView(state)
    choose(controls.saved, run.folder)
    at_once(controls.saved._on_open(None))
    assert isinstance(state.run, SavedRun)
    assert state.frame.snapshot.step == run.step
    assert controls.fields["hidden_sizes"].value == "8"
    assert controls.fields["data"].value == "digits"
    assert not controls.fields.edited
    assert controls._resume.visible


def test_open_and_resume_goes_on_from_the_last_step(controls: ControlsView, runs: Path):
    stopped = stopped_run(runs / "stopped")
    controls.saved.show(saved_rows())
    choose(controls.saved, stopped.folder)
    at_once(controls.saved._on_resume(None))
    resumed = controls.state.run
    assert resumed.status == "running"
    assert resumed.id == stopped.id
    resumed.stop()
    assert resumed.step >= stopped.step


def empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def half_written(folder: Path) -> None:
    state = next(folder.glob("state-*"))
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])


def of_another_version(folder: Path) -> None:
    values = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**values, "format": 99}))


def corrupt(folder: Path) -> None:
    (folder / "run.json").write_bytes(os.urandom(1000))


def without_a_file(folder: Path) -> None:
    next(folder.glob("splits-*")).unlink()


@pytest.mark.parametrize("harm", [empty, half_written, of_another_version, corrupt, without_a_file])
@pytest.mark.parametrize("way", ["open", "resume"])
def test_a_folder_that_can_not_be_opened_is_told_in_one_sentence_and_the_present_run_stays(
    controls: ControlsView, tmp_path: Path, harm, way: str
):
    run = stopped_run(tmp_path / "harmed")
    harm(run.folder)
    present, frame = controls.state.run, controls.state.frame
    choose(controls.saved, run.folder)
    at_once(controls.saved._on_open(None) if way == "open" else controls.saved._on_resume(None))
    assert str(run.folder) in controls.state.alert
    assert "\n" not in controls.state.alert
    assert (controls.state.run, controls.state.frame) == (present, frame)
    assert not controls.exchange.busy
    assert present.status == "ready"


def test_what_is_being_done_is_told_and_nothing_else_is_begun_meanwhile(controls: ControlsView):
    controls.exchange.busy = "Opening …"
    assert "Opening …" in controls._note.object
    saved = controls.saved
    assert all(each.disabled for each in (controls._train, controls._reset, saved._open, saved._resume, saved._save))
    controls.exchange.busy = ""
    assert not controls._train.disabled
    assert not saved._save.disabled


def test_save_with_a_name_makes_a_copy_that_stays(controls: ControlsView, runs: Path):
    controls.saved.label.value = "before the long one"
    at_once(controls.saved._on_save(None))
    folder = runs / "before the long one"
    assert load_run(folder, controls.state.run.dataset).step == 0
    assert not is_autosaved(folder)
    assert controls.saved.choice.value == str(folder)
    assert "step 0" in controls.saved._detail.object
    assert controls.saved.label.value == ""


def test_save_without_a_name_keeps_the_runs_own_folder_for_good(state: ExplorerState, runs: Path):
    state.run = run = digits_run(runs / "own")
    begin_autosaving(run.folder, ())
    controls = ControlsView(state)
    at_once(controls.saved._on_save(None))
    assert not (run.folder / AUTOSAVED).exists()
    assert load_run(run.folder).step == 0


def test_a_save_that_is_refused_is_told(controls: ControlsView, runs: Path):
    stopped_run(runs / "taken")
    for name, words in (("taken", "another run"), ("../up", "Name is")):
        controls.saved.label.value = name
        at_once(controls.saved._on_save(None))
        assert words in controls.state.alert


def test_a_run_appears_in_the_list_once_it_is_saved(state: ExplorerState, runs: Path):
    state.run = run = digits_run(runs / "seen")
    controls = ControlsView(state)
    assert "seen" not in controls.saved.choice.options
    run.start()
    run.wait(60)
    look(state)
    assert "seen" in controls.saved.choice.options
    controls.saved.choice.value = str(run.folder)
    assert "finished" in controls.saved._detail.object
    assert controls.saved._resume.disabled  # it has come to its end
    assert not controls.saved._open.disabled


def test_a_folder_that_can_not_be_read_is_listed_as_such(state: ExplorerState, runs: Path):
    folder = stopped_run(runs / "of old").folder
    (folder / "run.json").write_text("{}")
    saved = ControlsView(state).saved
    choose(saved, folder)
    assert "can&#x27;t be read" in saved._detail.object


def test_a_save_that_was_not_done_is_told_while_training_goes_on(state: ExplorerState, tmp_path: Path):
    (tmp_path / "a file").write_text("")
    state.run = run = digits_run(tmp_path / "a file" / "run", epochs=100_000)
    status = StatusView(state)
    run.start()
    with pytest.raises(OSError, match="a file"):
        run.save()
    look(state)
    assert status._warning.visible
    assert status._warning.object.startswith("Training goes on, but step")
    assert run.status == "running"
    assert not status._alert.visible
    run.stop()


def test_the_status_line_tells_the_step_of_the_last_save(state: ExplorerState, tmp_path: Path):
    state.run = run = digits_run(tmp_path / "run")
    status = StatusView(state)
    assert "saved at" not in status._line.object
    run.save()
    look(state)
    assert "saved at step 0" in status._line.object
