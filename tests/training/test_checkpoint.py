"""What is saved and when, and what a folder that is not whole says."""

import errno
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.saves import contents, ended, same_training, uninterrupted
from tests.training.small import FOREVER, Gate, config, equal, in_step, noise, raising, small_model, weights
from vaeviz.data import Dataset, load_dataset
from vaeviz.models import ConvVAE, DenseVAE
from vaeviz.training import Run, TrainingRun, load_run, resume_run
from vaeviz.training import files as files_module
from vaeviz.training.files import put_tensors


@pytest.fixture
def make(data):
    """Make small runs with folders, which are stopped when the test is over."""
    made: list[TrainingRun] = []

    def make(folder: Path | None = None, model=None, save_every: float = 120.0, **changes: object) -> TrainingRun:
        made.append(
            TrainingRun(model or small_model(data), data, config(**changes), folder=folder, save_every=save_every)
        )
        return made[-1]

    yield make
    for run in made:
        run.stop()


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory) -> Path:
    """A folder of a run that was stopped at step 6 of 20; not to be changed."""
    folder = tmp_path_factory.mktemp("saved") / "run"
    model = small_model(data)
    gate = Gate(model, 6)
    run = TrainingRun(model, data, config(epochs=5), folder=folder)
    run.start()
    assert gate.reached.wait(30)
    run._wish = "stop"
    gate.opened.set()
    assert run.wait(30) == "stopped"
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy of it, to be spoiled."""
    return Path(shutil.copytree(saved, tmp_path / "run"))


def manifest(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def files_of(folder: Path) -> set[str]:
    """Return the files of the save."""
    values = manifest(folder)
    snapshots = {each["file"] for each in values["snapshots"]}
    return {"run.json", values["state"]["file"], values["splits"]["file"], *snapshots}


def write_manifest(folder: Path, values: dict) -> None:
    (folder / "run.json").write_text(json.dumps(values))


def state_file(folder: Path) -> Path:
    return folder / manifest(folder)["state"]["file"]


def rewrite_state(folder: Path, change) -> None:
    """Change the tensors of the state, and its size and checksum too, as one who means it would."""
    values = manifest(folder)
    tensors = load_file(folder / values["state"]["file"])
    change(tensors)
    values["state"] = put_tensors(folder, f"state-{values['step']}", tensors)._asdict()
    write_manifest(folder, values)


def refused(folder: Path, data: Dataset | None, message: str, error: type[Exception] = ValueError, **given) -> None:
    """Assert that the folder is refused in one sentence, by both doors, and left as it was."""
    before = contents(folder)
    for door in (load_run, resume_run):
        with pytest.raises(error, match=message) as caught:
            door(folder, data, **given)
        assert "\n" not in str(caught.value)
    assert contents(folder) == before


# When it is saved


def test_a_run_without_a_folder_writes_nothing(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended(make())
    assert not list(tmp_path.iterdir())


def test_a_run_is_saved_at_its_end(make, data, tmp_path):
    run = ended(make(tmp_path / "new" / "run"))
    assert (run.saved_at_step, run.save_error) == (8, None)
    back = load_run(tmp_path / "new" / "run", data)
    assert back.status == "finished"
    same_training(back, run)


def test_a_run_is_saved_on_stop(make, data, tmp_path):
    run = make(tmp_path, steps=FOREVER)
    run.start()
    run.stop()
    assert run.saved_at_step == run.step
    back = load_run(tmp_path, data)
    assert (back.status, back.step, back.total_steps) == ("stopped", run.step, FOREVER)
    same_training(back, run)


def test_a_run_is_saved_every_so_often(make, data, tmp_path, eventually):
    run = make(tmp_path, steps=FOREVER, save_every=0.01)
    run.start()
    for _ in range(3):
        before = run.saved_at_step or 0
        eventually(lambda before=before: (run.saved_at_step or 0) > before)
    assert run.status == "running"
    assert 0 < run.save_share < 1


def test_a_run_is_not_saved_before_it_is_due(make, tmp_path, eventually):
    run = make(tmp_path, steps=FOREVER, save_every=1e6)
    run.start()
    eventually(lambda: run.step > 200)
    assert run.saved_at_step is None
    assert not list(tmp_path.iterdir())


def test_saving_does_not_change_the_training(make, data, tmp_path):
    run = ended(make(tmp_path, small_model(data, dropout=0.3), save_every=1e-9, epochs=3))
    same_training(run, uninterrupted(data, small_model(data, dropout=0.3), epochs=3))


def test_only_the_files_of_the_last_save_are_there(make, tmp_path):
    (tmp_path / "state-of-the-art.safetensors").write_bytes(b"somebody else's")
    run = ended(make(tmp_path, save_every=1e-9))
    assert set(contents(tmp_path)) == {"state-of-the-art.safetensors", *files_of(tmp_path)}
    assert [each["step"] for each in manifest(tmp_path)["snapshots"]] == run.steps


def test_what_a_killed_save_has_left_is_removed_by_the_next(make, folder, data):
    for name in (
        "state-9-0123456789abcdef.safetensors",
        "run.json.unfinished",
        "snapshots/9-0123456789abcdef.safetensors",
    ):
        (folder / name).write_bytes(b"half")
    ended(resume_run(folder, data))
    assert not [name for name in contents(folder) if "0123456789abcdef" in name or "unfinished" in name]


def test_kept_snapshots_are_written_once(make, tmp_path):
    run = make(tmp_path)
    run.save()
    (first,) = (tmp_path / "snapshots").iterdir()
    written = first.stat().st_mtime_ns
    ended(run)
    assert first.stat().st_mtime_ns == written


@pytest.mark.parametrize("every", [0, -1, float("nan"), "2", True, None])
def test_a_period_that_is_none_is_refused(data, tmp_path, every):
    with pytest.raises(ValueError, match=f"^save_every={every!r}: must be a number of seconds above 0$"):
        TrainingRun(small_model(data), data, config(), folder=tmp_path, save_every=every)


def test_a_folder_that_holds_a_run_is_not_taken_for_a_new_one(make, folder, data):
    with pytest.raises(ValueError, match=r"holds a run: resume_run carries it on, or choose another folder$"):
        make(folder)
    before = contents(folder)
    with pytest.raises(ValueError, match="holds another run: choose another folder"):
        make().save(folder)
    assert contents(folder) == before


# Saved by hand


def test_a_run_without_a_folder_wants_to_know_where(make):
    with pytest.raises(ValueError, match="has no folder of its own: say which"):
        make().save()


def test_a_run_is_saved_by_hand_in_every_state(make, data, tmp_path):
    run = make(steps=FOREVER)
    run.save(tmp_path / "ready")
    run.start()
    run.save(tmp_path / "running")
    assert run.status == "running"
    run.pause()
    run.save(tmp_path / "paused")
    paused = run.step
    assert (run.status, run.saved_at_step) == ("paused", paused)
    run.resume()
    run.stop()
    run.save(tmp_path / "stopped")
    assert load_run(tmp_path / "ready", data).step == 0
    assert 0 < load_run(tmp_path / "running", data).step <= load_run(tmp_path / "paused", data).step == paused
    same_training(load_run(tmp_path / "stopped", data), run)
    steps = load_run(tmp_path / "running", data).step + 3
    other = ended(resume_run(tmp_path / "running", data, steps=steps))
    assert equal(weights(other.model), weights(uninterrupted(data, steps=steps).model))


def test_a_save_into_another_folder_leaves_the_own_one_alone(make, data, tmp_path):
    run = ended(make(tmp_path / "own"))
    before = contents(tmp_path / "own")
    run.save(tmp_path / "other")
    assert contents(tmp_path / "own") == before
    same_training(load_run(tmp_path / "other", data), run)


def test_many_threads_may_save_pause_and_resume_at_once(make, data, tmp_path):
    run = make(tmp_path / "own", steps=FOREVER, save_every=0.005)
    run.start()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(run.save, tmp_path / str(n % 2) if n % 3 else None) for n in range(24)]
        asked += [pool.submit(ask) for ask in [run.pause, run.resume] * 6]
        for each in asked:
            each.result(60)
        run.resume()
        last = [pool.submit(run.stop), *(pool.submit(run.save) for _ in range(4))]
        for each in last:
            each.result(60)
    assert run.save_error is None
    same_training(load_run(tmp_path / "own", data), run)
    assert load_run(tmp_path / "0", data).step <= run.step


def test_who_saves_while_the_training_fails_is_told_and_not_left_waiting(make, data, tmp_path, eventually):
    model = small_model(data)
    gate = Gate(model, 5)
    in_step(model.decoder, 5, raising(ValueError("boom")))
    run = make(None, model, steps=FOREVER)
    run.start()
    assert gate.reached.wait(30)
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(run.save, tmp_path)
        eventually(lambda: run._orders)
        gate.opened.set()
        with pytest.raises(RuntimeError, match="has failed and cannot be saved; there is no save of it"):
            saving.result(30)
    assert not list(tmp_path.iterdir())


# The disk is full


@pytest.fixture
def disk(monkeypatch):
    """A disk that can be full: nothing more than half of what is to be written fits."""
    write, full = files_module.write, threading.Event()

    def maybe(path: Path, body: bytes) -> None:
        if not full.is_set():
            return write(path, body)
        write(path, body[: len(body) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files_module, "write", maybe)
    return full


def test_on_a_full_disk_the_save_before_stays_whole_and_training_goes_on(make, data, tmp_path, disk, eventually):
    run = make(tmp_path, steps=FOREVER, save_every=0.01)
    run.start()
    eventually(lambda: run.saved_at_step)
    disk.set()
    eventually(lambda: run.save_error)
    at = run.saved_at_step
    named = files_of(tmp_path)
    before = {name: contents(tmp_path)[name] for name in named}
    eventually(lambda: run.step > at + 100)
    assert (run.status, run.saved_at_step) == ("running", at)
    assert "No space left on device" in run.save_error
    assert "the save before is whole" in run.save_error
    assert files_of(tmp_path) == named
    assert {name: contents(tmp_path)[name] for name in named} == before
    assert load_run(tmp_path, data).step == at
    with pytest.raises(OSError, match="No space left"):
        run.save()
    disk.clear()
    eventually(lambda: run.save_error is None and run.saved_at_step > at)
    run.stop()
    same_training(load_run(tmp_path, data), run)


def test_on_a_disk_that_was_always_full_a_run_ends_and_says_that_nothing_is_saved(make, data, tmp_path, disk):
    disk.set()
    run = ended(make(tmp_path))
    assert run.saved_at_step is None
    assert run.save_error.startswith(f"step 8 could not be saved in {tmp_path} (")
    assert run.save_error.endswith("nothing is saved yet")
    refused(tmp_path, data, "holds no saved run", FileNotFoundError)
    disk.clear()
    run.save()
    assert run.save_error is None
    same_training(load_run(tmp_path, data), run)


@pytest.mark.parametrize("writes", range(14))
def test_wherever_a_save_is_cut_off_the_one_before_is_whole(make, data, tmp_path, monkeypatch, writes):
    run = make(tmp_path, steps=FOREVER)
    run.start()
    run.save()
    run.stop()
    whole = contents(tmp_path)
    write, left = files_module.write, [writes]

    def cut(path: Path, body: bytes) -> None:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write(path, body)

    other = resume_run(tmp_path, data, steps=run.step + 20)
    monkeypatch.setattr(files_module, "write", cut)
    ended(other)
    if other.save_error is not None:
        assert {name: contents(tmp_path)[name] for name in whole} == whole
        assert len(list(tmp_path.glob("state-*"))) == 1  # what cannot be used takes no room
        assert load_run(tmp_path, data).step == run.step > 0
    else:
        assert load_run(tmp_path, data).step == run.step + 20


def test_a_full_disk_for_older_snapshots_does_not_end_the_training(make, monkeypatch):
    run = make(steps=40)
    run._store._budget = 0

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vaeviz.training.history.save_file", full)
    ended(run)
    assert "they stay in memory" in run.save_error
    assert [run.snapshot(step).step for step in run.steps] == run.steps


# A saved run, looked at


def test_a_saved_run_is_a_run(folder, data):
    run = load_run(folder, data)
    assert isinstance(run, Run)
    assert (run.status, run.error, run.step, run.epoch, run.total_steps) == ("stopped", None, 6, 1.5, 20)
    assert run.steps == [0, 1, 2, 3, 4, 6]
    assert repr(run) == "SavedRun(dense 16-2 on noise: stopped, step 6 of 20)"
    assert run.dataset is data
    assert (run.folder, run.config) == (folder, config(epochs=5))
    for step in run.steps:
        snapshot = run.snapshot(step)
        assert snapshot.mu.shape == (75, 2)
        assert not snapshot.vae.training
    rows, cursor = run.metrics_since(0)
    assert [row.step for row in rows] == [0, 4]
    assert run.metrics_since(cursor) == ([], cursor)
    with pytest.raises(ValueError, match=r"^step=5: no snapshot of that step is kept"):
        run.snapshot(5)


def test_loading_leaves_the_folder_and_the_global_random_state_alone(folder, data):
    before, state = contents(folder), torch.get_rng_state()
    load_run(folder, data)
    resume_run(folder, data)
    assert contents(folder) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_a_folder_may_be_moved_and_named_by_words(folder, data, tmp_path, monkeypatch):
    folder.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert load_run("elsewhere", data).step == 6


# Its data


def test_data_with_a_name_are_loaded_again_and_split_as_they_were(tmp_path):
    data = load_dataset("digits", validation=300, test=0, seed=5)
    run = ended(TrainingRun(DenseVAE(data.image_shape, (8,)), data, config(steps=3), folder=tmp_path))
    back = load_run(tmp_path)
    assert (back.dataset.name, back.dataset.source) == ("digits", "digits")
    assert torch.equal(back.dataset.validation, data.validation)
    same_training(back, run)


def test_data_of_a_file_are_loaded_again_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 255, (40, 6, 5), dtype=np.uint8)
    np.save("images.npy", images)
    data = load_dataset("images.npy")
    ended(TrainingRun(DenseVAE(data.image_shape, (8,)), data, config(steps=3), folder=tmp_path / "run"))
    monkeypatch.chdir("/")
    assert load_run(tmp_path / "run").dataset.name == "images.npy"
    np.save(tmp_path / "images.npy", images[::-1])
    refused(tmp_path / "run", None, r"was trained on another dataset than images\.npy: its images or labels are others")
    (tmp_path / "images.npy").unlink()
    words = r"was trained on 'images\.npy', which cannot be loaded again \(no such file.*\): pass it as dataset=$"
    refused(tmp_path / "run", None, words)
    assert load_run(tmp_path / "run", data).step == 3


def test_data_made_from_arrays_must_be_given(folder):
    refused(folder, None, "was trained on 'noise', which was made from arrays or uploaded, .*: pass it as dataset=$")


def test_other_data_are_refused(folder, data):
    turned = replace(data, images=1 - data.images if data.images.is_floating_point() else 255 - data.images)
    shuffled = replace(data, train=data.train.flip(0))
    for other, difference in (
        (noise(train=51), "it has 76 images, but the run's has 75"),
        (turned, "its images or labels are others"),
        (shuffled, "its train split is another"),
        (Dataset.from_arrays(np.zeros((75, 6, 6))), r"it has \(1, 6, 6\) as the shape of images"),
    ):
        refused(folder, other, rf"was trained on another dataset than \w+: {difference}.*; pass that one as dataset=$")


# Its model


def test_another_model_is_refused(folder, data):
    for model in (small_model(data, hidden=17), ConvVAE(data.image_shape, (4,))):
        refused(folder, data, "holds weights that do not fit the model: ", model=model)


# A folder that is not whole


def test_what_is_no_folder_of_a_run_is_refused(tmp_path, data):
    refused(tmp_path / "none", data, "is not there or no folder: give the folder", FileNotFoundError)
    refused(tmp_path, data, r"holds no saved run, for it has no run\.json", FileNotFoundError)
    (tmp_path / "file").write_text("hello")
    with pytest.raises(FileNotFoundError, match="is not there or no folder"):
        load_run(tmp_path / "file", data)


def test_any_file_that_is_missing_is_named(saved, data, tmp_path):
    for name in contents(saved):
        folder = Path(shutil.copytree(saved, tmp_path / name.replace("/", "-")))
        (folder / name).unlink()
        refused(folder, data, "has no run.json" if name == "run.json" else f"{name} is missing: ", FileNotFoundError)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, -1])
def test_any_file_that_is_truncated_is_named(saved, data, tmp_path, length):
    for name in contents(saved):
        folder = Path(shutil.copytree(saved, tmp_path / name.replace("/", "-")))
        body = (folder / name).read_bytes()
        (folder / name).write_bytes(body[:length])
        refused(folder, data, f"{name} is damaged or was changed: .*; take a copy of the folder that is whole$")


def test_any_flipped_bit_in_a_file_of_tensors_is_found(saved, data, tmp_path):
    random = np.random.default_rng(0)
    for name in [*contents(saved)] * 3:
        if name == "run.json":
            continue
        folder = Path(shutil.copytree(saved, tmp_path / "flipped"))
        body = bytearray((folder / name).read_bytes())
        body[random.integers(len(body))] ^= 1 << int(random.integers(8))
        (folder / name).write_bytes(body)
        refused(folder, data, f"{name} is damaged or was changed: its checksum is not that of what was written")
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"{}", b"null", b"\xff\xfe", b'{"format": NaN}', b"[" * 100_000, b"\x00" * 100, b"1" * 10_000],
    ids=lambda body: str(body[:12]),
)
def test_a_manifest_that_is_no_json_of_ours_is_refused(folder, data, body):
    (folder / "run.json").write_bytes(body)
    refused(folder, data, r"run\.json is damaged or was changed: ")


def test_a_manifest_that_is_too_large_is_not_read(folder, data):
    with (folder / "run.json").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(ValueError, match="it has more than 16,777,216 bytes"):
        load_run(folder, data)


def test_another_version_is_named(folder, data):
    write_manifest(folder, {**manifest(folder), "format": 2, "vaeviz": "9.9"})
    refused(folder, data, r"was written by another version of vaeviz \(9\.9, format 2\), but this one reads format 1")


HUGE = 10**30


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("step", -1),
        ("step", 5.5),
        ("step", "6"),
        ("step", HUGE),
        ("step", 21),
        ("step", 0),
        ("step", 3),  # before its own snapshots
        ("epoch", float("nan")),
        ("epoch", float("inf")),
        ("epoch", 10**400),
        ("seconds", -1),
        ("since", 1000),
        ("id", "../x"),
        ("id", ""),
        ("id", None),
        ("status", "dancing"),
        ("status", []),
        ("device", 3),
        ("config", None),
        ("config", {"momentum": 1}),
        ("config.batch_size", 0),
        ("config.batch_size", HUGE),
        ("config.epochs", 1),
        ("config.beta", "big"),
        ("model", 3),
        ("model.kind", "Thing"),
        ("model.kind", "ConvVAE"),
        ("model.kind", ["DenseVAE"]),
        ("model.config", {}),
        ("model.config", {"os": "system"}),
        ("model.config.hidden_sizes", [16384] * 64),
        ("model.config.hidden_sizes", [16] * 100_000),
        ("model.config.hidden_sizes", [HUGE]),
        ("model.config.hidden_sizes", [17]),
        ("model.config.hidden_sizes", "wide"),
        ("model.config.hidden_sizes", [16, 16]),
        ("model.config.latent_dim", 3),
        ("model.config.latent_dim", 0),
        ("model.config.image_shape", [1, 5, 5]),
        ("model.config.image_shape", [1, 5, 4]),
        ("model.config.activation", "magic"),
        ("model.config.activation", ["elu"]),
        ("model.config.dropout", "a lot"),
        ("model.frozen", "all"),
        ("dataset.count", HUGE),
        ("dataset.class_names", [1]),
        ("dataset.source", 7),
        ("state.file", "../state-6-0123456789abcdef.safetensors"),
        ("state.file", "/etc/passwd"),
        ("state.file", "state-6-0123456789abcdef.safetensors\n"),
        ("state.size", HUGE),
        ("state.blake2b", "0"),
        ("splits.file", "../../x"),
        ("snapshots", {}),
        ("snapshots", [1]),
        ("snapshots.1.file", "../x"),
        ("snapshots.1.file", "snapshots/../x.safetensors"),
        ("snapshots.1.step", 0),
        ("snapshots.1.step", 7),
        ("snapshots.1.epoch", float("nan")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_manifest_that_was_tampered_with_is_refused(folder, data, place, value):
    values = manifest(folder)
    *outer, last = place.split(".")
    record = values
    for name in outer:
        record = record[int(name) if name.isdigit() else name]
    record[last] = value
    write_manifest(folder, values)
    refused(folder, data, "is damaged or was changed: |do not fit the model|another dataset")


def drop(name):
    return lambda tensors: tensors.pop(name)


def put(name, value):
    return lambda tensors: tensors.__setitem__(name, value)


WEIGHT = "encoder.1.weight"


@pytest.mark.parametrize(
    "change",
    [
        drop(f"model.{WEIGHT}"),
        drop(f"adam.exp_avg.{WEIGHT}"),
        drop("shuffler"),
        drop("sampler"),
        drop("sums"),
        drop("metrics"),
        put("model.more", torch.zeros(3)),
        put("model." + WEIGHT, torch.zeros(16, 21)),
        put("model." + WEIGHT, torch.zeros(16, 20, dtype=torch.float64)),
        put("model." + WEIGHT, torch.full((16, 20), torch.nan)),
        put(f"adam.exp_avg.{WEIGHT}", torch.zeros(20, 16)),
        put("adam.exp_avg.nobody", torch.zeros(3)),
        put("shuffler", torch.zeros(5056, dtype=torch.uint8)),
        put("sampler", torch.zeros(7, dtype=torch.uint8)),
        put("sampler", torch.zeros(5056)),
        put("sums", torch.zeros(4, dtype=torch.float64)),
        put("metrics", torch.zeros(2, 6, dtype=torch.float64)),
        put("metrics", torch.full((2, 7), torch.nan, dtype=torch.float64)),
        put("metrics", torch.full((2, 7), 3.0, dtype=torch.float64)),
        put("more", torch.zeros(3)),
    ],
)
def test_a_state_that_does_not_fit_is_refused_though_its_checksum_is_right(folder, data, change):
    rewrite_state(folder, change)
    refused(folder, data, "is damaged or was changed: |do not fit the model")


def test_a_snapshot_of_another_model_is_refused_though_its_checksum_is_right(folder, data):
    values = manifest(folder)
    entry = put_tensors(folder, "snapshots/2", weights(small_model(data, hidden=17)))
    values["snapshots"][2] |= entry._asdict()
    write_manifest(folder, values)
    refused(folder, data, "its weights are not those of the model")


def test_bytes_that_are_no_safetensors_are_refused_though_their_checksum_is_right(folder, data):
    values, body = manifest(folder), b"\xff" * 64
    state_file(folder).write_bytes(body)
    values["state"] |= {"size": 64, "blake2b": files_module.digest_of(body)}
    write_manifest(folder, values)
    refused(folder, data, "it does not read as safetensors")


def test_a_snapshot_damaged_after_loading_is_refused_when_it_is_asked_for(folder, data):
    run = load_run(folder, data)
    (file,) = (folder / "snapshots").glob("3-*")
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(ValueError, match="is damaged or was changed"):
        run.snapshot(3)
    assert run.snapshot(2).step == 2
