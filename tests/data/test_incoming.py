import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.idx_bytes import idx_bytes
from vaeviz import Dataset
from vaeviz.data import incoming
from vaeviz.data.bounded import in_words
from vaeviz.data.incoming import MOST_FILES, Incoming
from vaeviz.data.plain import plain_name

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 5), dtype=np.uint8)


@pytest.fixture(autouse=True)
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, in which nothing is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def npz(**arrays: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.savez_compressed(body, **arrays)
    return body.getvalue()


def picture(pixels: np.ndarray) -> bytes:
    body = io.BytesIO()
    Image.fromarray(pixels).save(body, "PNG")
    return body.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


def arrived(files: dict[str, bytes], piece: int = 100) -> Dataset:
    coming = Incoming([(name, len(body)) for name, body in files.items()])
    try:
        together = b"".join(files.values())
        for start in range(0, len(together), piece):
            coming.write(together[start : start + piece])
        return coming.dataset()
    finally:
        coming.close()


ROWS = "\n".join(",".join(map(str, row.ravel())) for row in IMAGES[:, :, :4]).encode()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("faces.npz", npz(images=IMAGES, labels=np.arange(40) % 3)),
        ("数字 🙂.csv", ROWS),
        ("faces.idx", idx_bytes(IMAGES)),
        ("train-images-idx3-ubyte.gz", gzip.compress(idx_bytes(IMAGES))),
        ("FACES.ZIP", zipped({f"{row}.png": picture(image) for row, image in enumerate(IMAGES)})),
    ],
)
@pytest.mark.parametrize("piece", [7, 10**6])
def test_a_file_that_came_in_pieces_is_read_as_any_file_and_its_folder_is_gone(name: str, body: bytes, piece: int):
    data = arrived({name: body}, piece)
    assert (data.name, data.source, len(data)) == (name, None, 40)
    assert np.array_equal(data.images[:, 0, :, :4].numpy(), IMAGES[:, :, :4])


def test_several_images_are_one_dataset_whatever_their_sender_calls_them():
    names = [f"{row}.png" if row < 30 else "../same.png" for row in range(40)]
    coming = Incoming([(name, len(picture(image))) for name, image in zip(names, IMAGES, strict=True)])
    try:
        coming.write(b"".join(map(picture, IMAGES)))
        data = coming.dataset()
    finally:
        coming.close()
    assert (data.name, len(data)) == ("40 images", 40)


def test_images_and_their_labels_come_together():
    labels = np.arange(40, dtype=np.uint8) % 7
    data = arrived({"t10k-labels-idx1-ubyte": idx_bytes(labels), "t10k-images-idx3-ubyte": idx_bytes(IMAGES)})
    assert data.name == "t10k-images-idx3-ubyte"
    assert data.labels.tolist() == labels.tolist()


def test_the_folders_of_a_zip_are_its_classes_and_its_names_lead_nowhere(tmp_path: Path):
    inner = {f"zoo/{'cat' if row % 2 else 'dog'}/{row}.png": picture(image) for row, image in enumerate(IMAGES)}
    hostile = {"../../evil.png": b"x", "/etc/evil.png": picture(IMAGES[0]), "zoo/__MACOSX/._1.png": b"x", "a.txt": b"x"}
    data = arrived({"zoo.zip": zipped(inner)})
    assert data.class_names == ("cat", "dog")
    data = arrived({"zoo.zip": zipped(inner | hostile)})
    assert len(data) == 41
    assert not list(tmp_path.rglob("evil*"))


def test_a_folder_is_private_and_of_a_random_name():
    one, other = Incoming([("a.npy", 1)]), Incoming([("a.npy", 1)])
    assert one.folder != other.folder
    assert one.folder.stat().st_mode & 0o777 == 0o700
    assert not list(one.folder.iterdir())
    one.close()
    other.close()
    other.close()  # twice is once


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "^0 files were chosen"),
        ([("a.png", 1)] * (MOST_FILES + 1), r"^10,001 files were chosen: .*\.zip$"),
        ([("a.npz", 1001)], "^a.npz of 1 kB is more than the 1 kB that may be uploaded$"),
        ([("a.png", 600), ("b.png", 600)], "^The 2 files of 1.2 kB is more"),
        ([("a.exe", 1)], "^a.exe is of an unknown kind: choose .npz"),
        ([("", 1)], "^A file without a name is of an unknown kind"),
        ([("a.npz/..", 1)], "^A file without a name"),
        ([("a.npz", 0)], "^a.npz is empty"),
        ([("a.npz", -5)], "^a.npz is empty"),
        ([("a.npz", 1), ("b.npz", 1)], "^Choose one file, several images"),
        ([("a.npz", 1), ("b.png", 1)], "^Choose one file, several images"),
        ([("a-labels.npy", 1), ("b.idx", 1)], "^Choose one file, several images"),
    ],
)
def test_what_may_not_come_is_told_in_one_sentence_before_a_byte_has_come(
    files: list, words: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VAEVIZ_MAX_UPLOAD", "1000")
    with pytest.raises(ValueError, match=words):
        Incoming(files)


def test_a_server_may_take_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_MAX_UPLOAD", "0")
    with pytest.raises(ValueError, match="Nothing can be uploaded"):
        Incoming([("a.npz", 1)])


def test_a_full_disk_and_full_memory_are_told_before_a_byte_has_come(monkeypatch: pytest.MonkeyPatch):
    kept = arrived({"a.npy": npy()})
    monkeypatch.setenv("VAEVIZ_MAX_BYTES", str(kept.images.nbytes + 99))
    with pytest.raises(ValueError, match=r"^What was uploaded here takes 800 bytes of memory already"):
        Incoming([("a.npy", 100)])
    del kept
    Incoming([("a.npy", 100)]).close()
    monkeypatch.setattr(incoming, "SPARE", 2**80)
    with pytest.raises(ValueError, match=r"^There is no room for 100 bytes on the server's disk"):
        Incoming([("a.npy", 100)])


def npy() -> bytes:
    body = io.BytesIO()
    np.save(body, IMAGES)
    return body.getvalue()


def test_more_or_less_than_was_told_is_refused():
    coming = Incoming([("a.npy", 10)])
    coming.write(b"12345678")
    with pytest.raises(ValueError, match=r"^a\.npy: more came than its 10 bytes$"):
        coming.write(b"123")
    with pytest.raises(ValueError, match=r"^a\.npy: only 8 of 10 bytes came$"):
        coming.dataset()
    coming.close()


HIGH = zipped({f"{row}.png": bytes(10**5) for row in range(30)})


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("a.npz", b"PK\3\4 and no more", "^a.npz cannot be unpacked"),
        ("a.zip", b"PK\3\4 and no more", "^a.zip cannot be unpacked"),
        ("a.zip", zipped({"a.txt": b"x"}), "^a.zip holds 0 images"),
        (
            "a.zip",
            zipped({f"{row}.png": picture(IMAGES[0]) for row in range(9)} | {"x.png": b"x"}),
            "^000009 x.png can",
        ),
        ("bomb.zip", HIGH, "^bomb.zip unpacks to 3,000,000 bytes, more than the 100,000 that are allowed"),
        ("a.npy", b"\x93NUMPY", "^a.npy does not begin as a NumPy file does"),
        ("a.csv", b"1,2,3,x", "^a.csv has 'x' in row 1"),
        ("a.png", b"x" * 50, "^a.png cannot be read as an image"),
    ],
)
def test_what_can_not_be_read_is_told_without_a_folder_of_the_server(
    name: str, body: bytes, words: str, tmp: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VAEVIZ_MAX_UPLOAD", "100000")
    with pytest.raises(ValueError, match=words) as caught:
        arrived({name: body})
    assert str(tmp) not in str(caught.value)
    assert "vaeviz-upload" not in str(caught.value)


@given(st.text(max_size=300) | st.sampled_from(["../..", "a\\..\\b", "\0", "~", "CON", "a/" * 99, "é" * 300 + ".npz"]))
def test_no_name_is_a_path_or_hidden_or_too_long(told: str):
    name = plain_name(told)
    assert not set('/\\\0\n<>:"|?*') & set(name)
    assert not name.startswith((".", " "))
    assert len(name.encode()) < 255
    assert plain_name(name) == name


def test_the_end_of_a_long_name_stays():
    assert plain_name("x" * 500 + ".idx.gz").endswith("x.idx.gz")


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (47_040_264, "47 MB"), (10**9, "1 GB")]
)
def test_sizes_are_told_as_people_say_them(size: int, words: str):
    assert in_words(size) == words
