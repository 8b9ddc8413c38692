import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.views.conftest import at_once, make_run
from vaeviz import Dataset, load_run
from vaeviz.data import DATASET_NAMES
from vaeviz.views import ExplorerState
from vaeviz.views.controls import ControlsView
from vaeviz.views.fields import A_PATH
from vaeviz.views.upload import UploadView

PIECE = 1000


@pytest.fixture(autouse=True)
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, in which nothing is left."""
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    yield tmp_path / "tmp"
    assert list((tmp_path / "tmp").glob("vaeviz-upload*")) == []


@pytest.fixture
def controls(state: ExplorerState) -> ControlsView:
    return ControlsView(state)


def npz(seed: int = 0, count: int = 200) -> bytes:
    body = io.BytesIO()
    np.savez(body, images=np.random.default_rng(seed).integers(0, 256, (count, 6, 8), dtype=np.uint8))
    return body.getvalue()


def drop(upload: UploadView, body: bytes, name: str = "faces.npz", tell: int | None = None) -> None:
    """Do what a browser does when a file is dropped, and wait until it was read."""
    area = upload._area

    async def send() -> None:
        asked = []
        area.ask_for = asked.append
        upload._on_message({"begin": [[name, len(body) if tell is None else tell]]})
        while asked:
            place = asked.pop()
            upload._on_message({"piece": body[place : place + PIECE]})

    at_once(send())


def test_data_that_were_dropped_are_offered_and_chosen_and_trained_on(controls: ControlsView):
    fields, present = controls.fields, controls.state.run
    drop(fields.upload, npz())
    assert fields.upload._area.phase == "done"
    assert fields.upload._area.words == "✓ faces.npz · 200 images of 1×6×8"
    assert fields["data"].value == "faces.npz"
    assert fields.edited
    assert controls.state.run is present
    fields["epochs"].value = "1"
    at_once(controls._on_train(None))
    run = controls.state.run
    assert (run.dataset.name, len(run.dataset), run.wait(30)) == ("faces.npz", 200, "finished")
    assert run.dataset is fields.upload.dataset
    assert fields["data"].value == "faces.npz"
    assert fields["data"].options == [*DATASET_NAMES, "faces.npz", A_PATH]
    assert not fields.edited


def test_a_second_file_of_the_same_name_is_another_dataset(controls: ControlsView):
    fields = controls.fields
    drop(fields.upload, npz(0))
    at_once(controls._on_reset(None))
    first = controls.state.run.dataset
    drop(fields.upload, npz(1))
    assert fields["data"].value == "faces.npz (2)"
    assert fields.make_run().dataset is fields.upload.dataset is not first
    fields["data"].value = "faces.npz"
    assert fields.make_run().dataset is first


def test_what_was_dropped_last_is_offered_still_when_another_run_is_shown(controls: ControlsView):
    drop(controls.fields.upload, npz())
    controls.state.run = make_run()
    assert controls.fields["data"].value == "noise"
    assert controls.fields["data"].options == [*DATASET_NAMES, "noise", "faces.npz", A_PATH]


def test_a_stopped_run_on_such_data_goes_on_from_its_save(controls: ControlsView):
    drop(controls.fields.upload, npz())
    controls.fields["epochs"].value = "100000"
    at_once(controls._on_train(None))
    at_once(controls._on_stop(None))
    run = controls.state.run
    assert load_run(run.folder, run.dataset).step == run.step
    at_once(controls._on_resume(None))
    assert controls.state.alert == ""
    assert (controls.state.run.id, controls.state.run.status) == (run.id, "running")
    at_once(controls._on_stop(None))


@pytest.mark.parametrize("resume", [False, True])
def test_a_saved_run_is_opened_when_its_data_were_dropped_once_more(state: ExplorerState, resume: bool):
    controls = ControlsView(state)
    drop(controls.fields.upload, npz())
    controls.fields["epochs"].value = "100000"
    at_once(controls._on_train(None))
    at_once(controls._on_stop(None))
    folder, step = controls.state.run.folder, controls.state.run.step
    # Then the server was started again: the run and its data are nowhere else than in the folder.
    controls = ControlsView(ExplorerState(make_run()))
    saved = controls.saved
    saved.choice.value = str(folder)
    press = saved._on_resume if resume else saved._on_open
    at_once(press(None))
    alert = controls.state.alert
    assert alert.startswith(f"{folder} was trained on 'faces.npz', which was made from arrays or uploaded")
    assert alert.endswith("drop that file into the drawer, under Data, and then open the run")
    drop(controls.fields.upload, npz(seed=1))
    at_once(press(None))
    assert controls.state.alert == alert
    assert controls.state.run.dataset.name == "noise"
    drop(controls.fields.upload, npz(), name="of another name.npz")
    at_once(press(None))
    assert controls.state.alert == ""
    run = controls.state.run
    assert run.folder == folder
    assert run.status == ("running" if resume else "stopped")
    assert run.dataset is controls.fields.upload.dataset
    if resume:
        run.stop()
    assert run.step >= step


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("bad.npz", b"PK\3\4", "bad.npz cannot be unpacked: the npz file is damaged, make it again."),
        ("<b>.txt", b"x", "_b_.txt is of an unknown kind: choose .npz"),
        ("large.npz", npz(count=3000), "large.npz of 144 kB is more than the 100 kB that may be uploaded"),
        ("../../faces.npz", npz()[:-50], "faces.npz cannot be unpacked"),
    ],
)
def test_what_can_not_be_taken_is_told_and_the_present_run_stays(
    controls: ControlsView, name: str, body: bytes, words: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VAEVIZ_MAX_UPLOAD", "100000")
    present, upload = controls.state.run, controls.fields.upload
    drop(upload, body, name)
    assert controls.state.alert.startswith(words)
    assert upload._area.words == controls.state.alert
    assert (upload._area.phase, upload.dataset, controls.state.run) == ("refused", None, present)
    assert not controls.fields.edited
    drop(upload, npz())
    assert (controls.state.alert, upload._area.phase) == ("", "done")  # the next one is another matter


@pytest.mark.parametrize("tell", [10, 10**6])
def test_a_file_that_is_longer_or_shorter_than_told_is_refused(controls: ControlsView, tell: int):
    drop(controls.fields.upload, npz(), tell=tell)
    assert controls.fields.upload._area.phase == "refused"
    assert controls.state.alert.startswith(("faces.npz: more came than its 10 bytes", "faces.npz: only "))


def test_an_upload_that_is_cancelled_or_whose_session_ends_leaves_nothing(controls: ControlsView, tmp: Path):
    upload = controls.fields.upload
    upload._on_message({"begin": [["faces.npz", 10_000]]})
    upload._on_message({"piece": b"PK"})
    (folder,) = tmp.glob("*/files")
    assert (folder / "faces.npz").read_bytes() == b"PK"
    upload._on_message({"cancel": ""})
    assert (upload._area.phase, list(tmp.iterdir()), controls.state.alert) == ("idle", [], "")
    upload._on_message({"begin": [["faces.npz", 10_000]]})
    upload._close()  # as at the session's end
    assert list(tmp.iterdir()) == []
    upload._on_message({"piece": b"PK"})
    assert list(tmp.iterdir()) == []


@pytest.mark.parametrize(
    "message",
    [None, 7, "begin", [], {}, {"begin": 1}, {"piece": b"x"}, {"piece": "x"}, {"cancel": 1}, {"begin": [], "piece": 1}],
)
def test_any_message_of_a_browser_of_somebodys_own_making_is_harmless(
    controls: ControlsView, tmp: Path, message: object
):
    controls.fields.upload._on_message(message)
    assert controls.fields.upload.dataset is None
    assert list(tmp.iterdir()) == []


def test_on_a_shared_server_uploads_are_what_a_visitor_brings(controls, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_SHARED_SERVER", "1")
    controls = ControlsView(ExplorerState(make_run()))
    drop(controls.fields.upload, npz())
    assert A_PATH not in controls.fields["data"].options
    at_once(controls._on_reset(None))
    assert controls.state.run.dataset.name == "faces.npz"
    others = ControlsView(ExplorerState(make_run())).fields
    assert "faces.npz" not in others["data"].options


def test_a_server_that_takes_nothing_offers_no_place_for_it(state: ExplorerState, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_MAX_UPLOAD", "0")
    upload = ControlsView(state).fields.upload
    assert not upload._area.visible
    drop(upload, npz())
    assert (upload.dataset, state.alert) == (None, "Nothing can be uploaded to this server")


def test_a_limit_that_is_none_is_told(state: ExplorerState, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_MAX_UPLOAD", "1 GB")
    assert not ControlsView(state).fields.upload._area.visible
    assert state.alert.startswith("VAEVIZ_MAX_UPLOAD='1 GB': must be a whole number of at least 0")


def test_what_was_uploaded_is_let_go_of_with_its_session_and_its_run():
    import gc
    import weakref

    controls = ControlsView(ExplorerState(make_run()))
    drop(controls.fields.upload, npz())
    kept: weakref.ref[Dataset] = weakref.ref(controls.fields.upload.dataset)
    del controls
    gc.collect()
    assert kept() is None
