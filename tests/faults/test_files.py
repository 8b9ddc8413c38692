"""Strange and hostile files: only errors in words come out, nothing is run, and little memory is taken."""

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.idx_bytes import idx_bytes
from tests.training.saves import ended
from tests.training.small import config, noise, small_model
from vaeviz import TrainingRun, load_dataset
from vaeviz.data.bounded import read_exactly
from vaeviz.training import load_run
from vaeviz.views.folders import named_folder, runs_dir
from vaeviz.views.runs import PRETRAINED_NAMES, restore_run

pytestmark = pytest.mark.timeout(900)
IMAGES = np.arange(12 * 16, dtype=np.uint8).reshape(12, 4, 4)
LIMIT = 16 * 2**20
FUZZ = settings(
    max_examples=int(os.environ.get("VAEVIZ_TEST_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@contextmanager
def little_memory(most: int = 3 * LIMIT) -> Iterator[None]:
    """Assert that Python and NumPy take no more than so many bytes at any moment."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def loads_or_tells(path: Path) -> None:
    try:
        data = load_dataset(path)
    except (ValueError, OSError) as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert np.isfinite(data.images.float().numpy()).all()


# Damage


def whole_files() -> dict[str, bytes]:
    packed, plain, array = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez_compressed(packed, images=IMAGES, labels=np.arange(12))
    np.savez(plain, x_train=IMAGES, y_train=np.arange(12), x_test=IMAGES, y_test=np.arange(12))
    np.save(array, IMAGES)
    table = "label," + ",".join(f"p{place}" for place in range(16)) + "\n"
    table += "\n".join(f"{row},{','.join(map(str, image.ravel()))}" for row, image in enumerate(IMAGES))
    return {
        "packed.npz": packed.getvalue(),
        "plain.npz": plain.getvalue(),
        "array.npy": array.getvalue(),
        "table.csv": table.encode(),
        "pictures.idx": idx_bytes(IMAGES),
        "pictures.idx.gz": gzip.compress(idx_bytes(IMAGES)),
    }


WHOLE = whole_files()


def picture(kind: str) -> bytes:
    body = io.BytesIO()
    Image.fromarray(np.tile(IMAGES[0], (4, 4))).save(body, kind)
    return body.getvalue()


PICTURES = {f"a.{suffix}": picture(kind) for suffix, kind in (("png", "PNG"), ("jpg", "JPEG"), ("gif", "GIF"),
            ("bmp", "BMP"), ("tif", "TIFF"), ("webp", "WEBP"))}  # fmt: skip

damage = st.tuples(
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    st.binary(max_size=20),
    st.floats(0, 1),
)
"""Where to cut, which bytes to change, what to put in and where."""


def damaged(body: bytes, how: tuple) -> bytes:
    cut, changes, more, where = how
    bad = bytearray(body[: round(cut * len(body))]) if cut < 0.9 else bytearray(body)
    for place, value in changes:
        if bad:
            bad[min(int(place * len(bad)), len(bad) - 1)] = value
    place = round(where * len(bad))
    return bytes(bad[:place] + more + bad[place:])


@FUZZ
@given(name=st.sampled_from(sorted(WHOLE)), how=damage)
def test_a_damaged_file_of_data_loads_or_is_told(tmp_path: Path, name: str, how: tuple):
    path = tmp_path / name
    path.write_bytes(damaged(WHOLE[name], how))
    loads_or_tells(path)


@FUZZ
@given(name=st.sampled_from(sorted(WHOLE)), body=st.binary(max_size=400))
def test_any_bytes_under_any_name_load_or_are_told(tmp_path: Path, name: str, body: bytes):
    path = tmp_path / name
    path.write_bytes(body)
    loads_or_tells(path)


@FUZZ
@given(name=st.sampled_from(sorted(PICTURES)), how=damage)
def test_a_damaged_picture_loads_or_is_told(tmp_path: Path, name: str, how: tuple):
    folder = tmp_path / name.replace(".", "-")
    folder.mkdir(exist_ok=True)
    for number in range(10):
        (folder / f"{number}{name}").write_bytes(PICTURES[name])
    (folder / f"0{name}").write_bytes(damaged(PICTURES[name], how))
    loads_or_tells(folder)


# Bombs


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEVIZ_MAX_BYTES", str(LIMIT))


def bomb_npz(path: Path, claims: int) -> None:
    """Write 256 MB of zeros, packed into less than 1, behind a header that claims so many images."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (claims, 1024, 1024)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w") as member:
        member.write(header.getvalue())
        for _ in range(256):
            member.write(bytes(2**20))
    assert path.stat().st_size < 2**20


@pytest.mark.parametrize("claims", [256, 2, 2**31])
def test_a_zip_bomb_is_refused(tmp_path: Path, limit, claims: int):
    bomb_npz(tmp_path / "bomb.npz", claims)
    with little_memory(), pytest.raises(ValueError, match=r"bomb\.npz.* (claims|should hold) "):
        load_dataset(tmp_path / "bomb.npz")


@pytest.mark.parametrize("claims", [256, 2, 2**31])
def test_a_gzip_bomb_is_refused(tmp_path: Path, limit, claims: int):
    with gzip.open(tmp_path / "bomb.idx.gz", "wb") as bomb:
        bomb.write(b"\0\0\x08\x03" + struct.pack(">III", claims, 1024, 1024))
        for _ in range(256):
            bomb.write(bytes(2**20))
    with little_memory(), pytest.raises(ValueError, match=r"bomb\.idx\.gz.* (claims|should hold) "):
        load_dataset(tmp_path / "bomb.idx.gz")


def test_a_bomb_is_not_unpacked_to_its_end(tmp_path: Path):
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    with little_memory(), pytest.raises(ValueError, match="should hold 1,000 bytes of data after its header, but more"):
        read_exactly(Endless(), 1000, "bomb")


@pytest.mark.parametrize("shape", [(2**31, 28, 28), (2**32 - 1,) * 3, (2**31, 1, 1)])
def test_an_idx_header_that_claims_two_billion_images_takes_no_memory(tmp_path: Path, shape: tuple[int, ...]):
    path = tmp_path / "claims.idx"
    path.write_bytes(b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(1000))
    with little_memory(), pytest.raises(ValueError, match=r"claims\.idx (claims|should hold) "):
        load_dataset(path)


@pytest.mark.parametrize("side", [5_000, 30_000])
def test_a_picture_bomb_is_refused(tmp_path: Path, limit, side: int):
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 2**18
    with little_memory(), pytest.raises(ValueError, match=r"claims"):
        load_dataset(tmp_path)


def test_a_limit_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_MAX_BYTES", "8 GB")
    np.save(tmp_path / "a.npy", IMAGES)
    with pytest.raises(ValueError, match="VAEVIZ_MAX_BYTES='8 GB': must be a whole number of at least 1"):
        load_dataset(tmp_path / "a.npy")


# Pickles


class Touch:
    """Unpickled, it touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["evil.npy", "evil.npz", "evil.idx", "evil.idx.gz", "evil.csv"])
def test_a_pickle_is_never_unpickled_whatever_it_is_called(tmp_path: Path, name: str):
    touched = tmp_path / "touched"
    evil = np.empty((4, 4, 4), object)
    evil[...] = Touch(touched)
    if name.endswith(".npy"):
        np.save(tmp_path / name, evil, allow_pickle=True)
    elif name.endswith(".npz"):
        np.savez(tmp_path / name, images=evil, labels=evil)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(Touch(touched)))
    with pytest.raises(ValueError, match="evil"):
        load_dataset(tmp_path / name)
    assert not touched.exists()
    pickle.loads(pickle.dumps(Touch(touched))).close()
    assert touched.exists()  # so it would have been


def test_a_run_whose_files_are_pickles_is_refused_and_they_are_never_unpickled(saved: Path, tmp_path: Path):
    touched, folder = tmp_path / "touched", tmp_path / "run"
    for path in saved.rglob("*.safetensors"):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(saved, folder)
        (folder / path.relative_to(saved)).write_bytes(pickle.dumps(Touch(touched)))
        with pytest.raises(ValueError, match="is damaged or was changed"):
            load_run(folder, DATA)
    assert not touched.exists()


# Odd but true


def test_a_table_of_a_hundred_thousand_columns_is_read_or_told(tmp_path: Path):
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(",".join(["1", "0"] * 50_000) for _ in range(10)))
    with pytest.raises(ValueError, match=r"wide\.csv has 100000 columns of pixels, which is no perfect square"):
        load_dataset(path)
    path.write_text("\n".join(",".join("1" * 316**2) for _ in range(10)))
    assert load_dataset(path).image_shape == (1, 316, 316)


@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("suffix", [".npy", ".csv", ".idx"])
def test_pixels_that_are_no_numbers_are_refused(tmp_path: Path, pixel: float, suffix: str):
    images = np.zeros((10, 4, 4), np.float32)
    images[3, 2, 1] = pixel
    path = tmp_path / f"odd{suffix}"
    match suffix:
        case ".npy":
            np.save(path, images)
        case ".csv":
            np.savetxt(path, images.reshape(10, 16), delimiter=",")
        case ".idx":
            path.write_bytes(b"\0\0\x0d\x03" + struct.pack(">III", *images.shape) + images.astype(">f4").tobytes())
    with pytest.raises(ValueError, match=rf"odd{suffix}.*(NaN or infinite|must be numbers)"):
        load_dataset(path)


@pytest.mark.parametrize("kind", ["complex64", "datetime64[s]", "S4", "U4"])
def test_arrays_that_are_no_pixels_are_refused(tmp_path: Path, kind: str):
    np.save(tmp_path / "odd.npy", np.zeros((10, 4, 4), kind))
    with pytest.raises(ValueError, match=r"odd\.npy"):
        load_dataset(tmp_path / "odd.npy")


NAMES = ["ein Zeichen ü", "数字", "שלום", "🙂", "<script>alert(1)</script>".replace("/", "∕"), "a\nb", "a'b\"c", " "]


@pytest.mark.parametrize("name", NAMES)
def test_names_in_any_script_are_names(tmp_path: Path, name: str):
    folder = tmp_path / name
    for label in ("one", name):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(IMAGES[number]).save(folder / label / f"{number} {name}.png")
    data = load_dataset(folder)
    assert data.name == name
    assert set(data.class_names) == {"one", name}


def test_links_that_go_round_or_nowhere_are_not_followed_forever(tmp_path: Path):
    for number in range(10):
        Image.fromarray(IMAGES[number]).save(tmp_path / f"{number}.png")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "not there")
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    assert len(load_dataset(tmp_path)) == 10


# Saved runs

DATA = noise()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "run"
    ended(TrainingRun(small_model(DATA), DATA, config(), folder=folder))
    return folder


def opens_or_tells(folder: Path) -> None:
    try:
        run = load_run(folder, DATA)
    except (ValueError, OSError) as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert np.isfinite(run.snapshot().mu).all()
        for step in run.steps:
            assert np.isfinite(run.snapshot(step).mu).all()


@FUZZ
@given(which=st.floats(0, 1, exclude_max=True), how=damage)
def test_a_damaged_file_of_a_run_is_told_or_was_not_needed(saved: Path, tmp_path: Path, which: float, how: tuple):
    folder = tmp_path / "run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = files[int(which * len(files))]
    path.write_bytes(damaged(path.read_bytes(), how))
    opens_or_tells(folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["../../../etc/passwd", "/etc/passwd", "state-1-0123456789abcdef.safetensors", 2**63, -1, 1e308]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)  # fmt: skip


@FUZZ
@given(path=st.lists(st.integers(0, 30), min_size=1, max_size=4), value=json_values)
def test_any_value_anywhere_in_the_manifest_is_told_or_harmless(saved: Path, tmp_path: Path, path: list, value: object):
    folder = tmp_path / "run"
    if not folder.exists():
        shutil.copytree(saved, folder)
    manifest = json.loads((saved / "run.json").read_bytes())
    place, inner = manifest, manifest
    for turn in path:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            break
        place, key = inner, keys[turn % len(keys)]
        inner = place[key]
        if not isinstance(inner, dict | list):
            break
    if place:
        place[key] = value
    (folder / "run.json").write_text(json.dumps(manifest))
    opens_or_tells(folder)


hostile = st.text(max_size=60) | st.sampled_from(["../..", "/etc/passwd", "..\\..", "a/../../b", "\0", "con", "~", "."])


@FUZZ
@given(name=hostile)
def test_no_name_and_no_id_leads_out_of_the_folder_of_runs(tmp_path: Path, name: str):
    assume(name not in PRETRAINED_NAMES)
    assert restore_run(name) is None
    try:
        folder = named_folder(name)
    except ValueError as error:
        assert "write up to 100 letters" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert folder.parent == runs_dir()
        assert folder.resolve().parent == runs_dir().resolve()
