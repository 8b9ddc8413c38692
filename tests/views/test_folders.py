"""Folders of saved runs: which there are, and which make room for new ones."""

import os
from pathlib import Path

import pytest

from tests.views.conftest import make_run
from vaeviz.views import folders
from vaeviz.views.folders import (
    begin_autosaving,
    find_saved,
    is_autosaved,
    keep_for_good,
    make_room,
    named_folder,
    new_folder,
    saved_rows,
)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path))
    return tmp_path


def save(name: str, at: int, autosaved: bool = True) -> Path:
    """Save an untrained run in a folder of that name, at that time."""
    folder = named_folder(name)
    if autosaved:
        begin_autosaving(folder, ())
    make_run().save(folder)
    os.utime(folder / "run.json", (at, at))
    return folder


def names() -> list[str]:
    return [row.folder.name for row in saved_rows()]


def test_a_folder_is_named_by_date_data_and_model_and_is_a_new_one_each_time(runs: Path):
    first, second = new_folder("mnist-5k", "dense 500-500-2"), new_folder("mnist-5k", "dense 500-500-2")
    assert first.parent == runs
    assert first.name.endswith(" mnist-5k dense 500-500-2")
    assert second != first
    assert not first.exists()  # a run that never begins leaves nothing


def test_names_of_data_that_no_folder_can_have_are_written_otherwise(runs: Path):
    folder = new_folder('../a/b\\c:"<d>|?*\n', "x" * 500)
    assert folder.parent == runs
    folder.mkdir()


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\b", ".hidden", "", "x" * 101, "a\nb", "end."])
def test_a_name_that_is_no_folder_is_refused_in_one_sentence(name: str):
    with pytest.raises(ValueError, match=r"^Name is .*: write up to 100 letters"):
        named_folder(name)


def test_rows_tell_of_runs_without_reading_them_the_last_saved_first(runs: Path):
    save("older", at=1000)
    save("newer", at=2000)
    (runs / "empty").mkdir()
    (runs / "a file").write_text("no folder")
    broken = runs / "broken"
    broken.mkdir()
    (broken / "run.json").write_text('{"format": 1')
    assert names() == ["broken", "newer", "older"]
    broken, newer, _ = saved_rows()
    assert broken.words().startswith("can't be read")
    assert newer.words().startswith("stopped · step 0 of 6")
    assert newer.words("running").startswith("running")
    assert find_saved(newer.id) == newer.folder
    assert find_saved("no-such-run") is None


def test_the_oldest_autosaved_runs_make_room_and_no_others(runs: Path, monkeypatch: pytest.MonkeyPatch):
    save("kept by its button", at=1)
    keep_for_good(runs / "kept by its button")
    save("saved by a person", at=2, autosaved=False)
    in_use = save("in use", at=3)
    save("renamed", at=4).rename(runs / "renamed by a person")
    save("oldest", at=5)
    save("second", at=6)
    save("third", at=7)
    monkeypatch.setattr(folders, "MOST_AUTOSAVED", 2)
    make_room({in_use})
    assert names() == ["third", "second", "renamed by a person", "in use", "saved by a person", "kept by its button"]
    assert not (runs / "oldest").exists()


def test_room_is_made_by_bytes_too(runs: Path, monkeypatch: pytest.MonkeyPatch):
    newest, oldest = save("newest", at=9), save("oldest", at=1)
    assert is_autosaved(oldest)
    size = sum(path.stat().st_size for path in newest.rglob("*.safetensors"))
    monkeypatch.setattr(folders, "MOST_BYTES", size * 3 // 2)
    make_room(())
    assert names() == ["newest"]


def test_what_a_person_has_put_beside_a_run_is_not_removed(runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folders, "MOST_AUTOSAVED", 0)
    notes = save("with notes", at=1) / "notes.txt"
    notes.write_text("mine")
    make_room(())
    assert notes.read_text() == "mine"
    assert names() == []


def test_a_disk_that_takes_nothing_keeps_nobody_from_training(runs: Path):
    (runs / "a file").write_text("")
    begin_autosaving(runs / "a file" / "run", ())
