import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.idx_bytes import idx_bytes
from vaeviz.data import load_dataset

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(2, 256, (12, 4, 4), np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 3


def npy_bytes(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npy_claiming(shape, dtype="|u1"):
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def refused(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_dataset(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------- NumPy


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, order):
    path = tmp_path / "pictures.npy"
    np.save(path, np.asarray(IMAGES, order=order))
    data = load_dataset(str(path))
    np.testing.assert_array_equal(data.images[:, 0], IMAGES)
    assert (data.name, data.labels, data.class_names) == ("pictures.npy", None, ())


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("X_train", "Y_train"), ("data", "targets")])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_by_the_usual_names(tmp_path, names, save):
    path = tmp_path / "a.npz"
    save(path, other=np.zeros((3, 3)), **dict(zip(names, (IMAGES, LABELS), strict=True)))
    data = load_dataset(path, validation=2, test=3)
    np.testing.assert_array_equal(data.images[:, 0], IMAGES)
    assert data.labels.tolist() == LABELS.tolist()
    assert [len(data.train), len(data.validation), len(data.test)] == [7, 2, 3]


def test_npz_by_the_first_array_that_can_be_images(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, weights=np.zeros(3), words=np.array([["a"]]), pictures=IMAGES)
    assert len(load_dataset(path)) == 12


def test_npz_with_a_test_part_of_its_own(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:5], y_test=LABELS[:5].reshape(5, 1))
    data = load_dataset(path, validation=2)
    assert data.test.tolist() == [12, 13, 14, 15, 16]
    assert [len(data.train), len(data.validation)] == [10, 2]
    assert data.labels.tolist() == [*LABELS, *LABELS[:5]]
    with pytest.raises(ValueError, match=r"test=3 cannot be chosen for mnist.npz"):
        load_dataset(path, test=3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": np.zeros(3)}, "holds no array of images"),
        ({"images": np.array([[None]])}, "Python objects, which are never unpickled"),
        ({"images": IMAGES, "labels": np.array([{}] * 12)}, "Python objects, which are never unpickled"),
        ({"images": np.zeros((0, 4, 4))}, "empty array"),
        ({"images": IMAGES, "labels": LABELS[:5]}, "5 labels for 12 images"),
        ({"images": IMAGES.astype("M8[s]")}, "save it as an array of numbers"),
        ({"images": np.array(3.0)}, "save it as an array of numbers"),
        ({"images": IMAGES - 300.0}, "rescale"),
        ({"x": IMAGES, "x_test": IMAGES[:, :3]}, "images of one size and type"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, "no 'y_test'"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES, "y_test": LABELS[:2]}, "save one label an image"),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    refused(path, message)


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.csv", "a-ubyte", "a.idx.gz"])
def test_a_file_of_0_bytes(tmp_path, name):
    (tmp_path / name).touch()
    refused(tmp_path / name, "is empty")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy_bytes(IMAGES)[:-5], "192 bytes of data after its header, but 187 were found"),
        (npy_bytes(IMAGES) + b"more", "192 bytes of data after its header, but more were found"),
        (npy_bytes(IMAGES)[:40], "does not begin as a NumPy file"),
        (b"hello there", "does not begin as a NumPy file"),
        (npy_bytes(np.array([[None]]), allow_pickle=True), "never unpickled"),
        (npy_claiming((2**40, 28, 28)), "more than the 8,589,934,592 that are read"),
        (npy_claiming((60_000, 28, 28)), "but 0 were found"),
        (npy_claiming((-1, 28)), "which no array has"),
        (npy_claiming((1,) * 70) + b"a", "70 dimensions"),
        (npy_claiming((2, 4), "<c8") + bytes(64), "array of numbers"),
    ],
)
def test_bad_npy(tmp_path, content, message):
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    refused(path, message)


def test_npz_members_that_claim_more_than_there_is(tmp_path):
    path = tmp_path / "bad.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", npy_claiming((100_000, 28, 28)) + b"abc")
    refused(path, "should hold 78,400,000 bytes of data after its header, but 3 were found")


@pytest.mark.parametrize("cut", [10, 100, 300])
def test_a_truncated_npz(tmp_path, cut):
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, images=IMAGES)
    path.write_bytes(path.read_bytes()[:-cut])
    refused(path, "npz file is damaged")


# --------------------------------------------------------------------------------------------------------------- IDX


@pytest.mark.parametrize("name", ["pictures-ubyte", "pictures.idx", "pictures-ubyte.gz", "pictures.idx.gz"])
def test_idx(tmp_path, name):
    content = idx_bytes(IMAGES)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    data = load_dataset(tmp_path / name)
    np.testing.assert_array_equal(data.images[:, 0], IMAGES)
    assert data.labels is None


@pytest.mark.parametrize("kind", ["i2", "i4", "f4", "f8"])
def test_idx_types(tmp_path, kind):
    path = tmp_path / "a.idx"
    path.write_bytes(idx_bytes(IMAGES.astype(kind)))
    np.testing.assert_array_equal(load_dataset(path).images[:, 0], IMAGES)


@pytest.mark.parametrize("suffixes", [("", ""), (".gz", ".gz"), ("", ".gz")])
@pytest.mark.parametrize(("idx3", "idx1"), [("-idx3-ubyte", "-idx1-ubyte"), (".idx3-ubyte", ".idx1-ubyte")])
def test_idx_labels_beside_the_images(tmp_path, suffixes, idx3, idx1):
    files = ((f"train-images{idx3}{suffixes[0]}", IMAGES), (f"train-labels{idx1}{suffixes[1]}", LABELS))
    for name, array in files:
        (tmp_path / name).write_bytes(gzip.compress(idx_bytes(array)) if name.endswith("gz") else idx_bytes(array))
    assert load_dataset(tmp_path / files[0][0]).labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx_bytes(IMAGES)[:-1], "should hold 192 bytes .* but 191 were found"),
        (idx_bytes(IMAGES) + b"more", "should hold 192 bytes .* but more were found"),
        (gzip.compress(idx_bytes(IMAGES)[:-1]), "should hold 192 bytes .* but 191 were found"),
        (gzip.compress(idx_bytes(IMAGES) + b"!"), "should hold 192 bytes .* but more were found"),
        (gzip.compress(idx_bytes(IMAGES))[:-20], "gzip file is damaged"),
        (b"\x1f\x8b\x00\x00\x00", "gzip file is damaged"),
        (b"PK\x03\x04 something", "does not begin as an IDX file"),
        (b"\0\0\x08", "does not begin as an IDX file"),
        (b"\0\0\x08\0", "does not begin as an IDX file"),
        (b"\0\0\x08\x03\0\0", "ends within its IDX header"),
        (gzip.compress(b""), "does not begin as an IDX file"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "more than the 8,589,934,592 that are read"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 60_000, 28, 28), "should hold 47,040,000 bytes .* but 0 were found"),
        (b"\0\0\x08\x03" + bytes(12), "empty array"),
        (b"\0\0\x08\xff" + struct.pack(">255I", *[1] * 255) + b"a", "255 dimensions"),
        (idx_bytes(LABELS), "holds labels, not images"),
    ],
)
def test_bad_idx(tmp_path, content, message):
    path = tmp_path / "bad-ubyte"
    path.write_bytes(content)
    refused(path, message)


# ----------------------------------------------------------------------------------------------------- damaged files


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(kind=".npz", cut=414, flips=[(409, 2)])  # the archive's directory begins before the file does
@given(
    kind=st.sampled_from([".npy", ".npz", ".idx", ".idx.gz"]),
    cut=st.integers(0, 900),
    flips=st.lists(st.tuples(st.integers(0, 899), st.integers(0, 255)), max_size=4),
)
def test_damaged_bytes_raise_only_errors_in_words(tmp_path, kind, cut, flips):
    packed = io.BytesIO()
    np.savez_compressed(packed, images=IMAGES)
    whole = {
        ".npy": npy_bytes(IMAGES),
        ".npz": packed.getvalue(),
        ".idx": idx_bytes(IMAGES),
        ".idx.gz": gzip.compress(idx_bytes(IMAGES)),
    }[kind]
    damaged = bytearray(whole[:cut])
    for place, value in flips:
        if damaged:
            damaged[place % len(damaged)] = value
    path = tmp_path / f"damaged{kind}"
    path.write_bytes(damaged)
    try:
        data = load_dataset(path)
    except (ValueError, OSError) as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert len(data) > 0


# ------------------------------------------------------------------------------------------------- folders of images


def save(path, mode="L", size=(5, 4), colour=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(mode, size, colour if colour is not None else 0)
    image.save(path)


def test_a_folder_of_gray_images_in_sorted_order(tmp_path):
    for index, name in enumerate(["c.png", "a.bmp", "b.gif", "d.TIF"]):
        save(tmp_path / name, colour=50 + index)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._a.png").write_text("not an image either")
    data = load_dataset(tmp_path)
    assert (data.name, data.image_shape, data.labels) == (tmp_path.name, (1, 4, 5), None)
    assert data.images[:, 0, 0, 0].tolist() == [51, 52, 50, 53]


def test_sub_folders_are_classes(tmp_path):
    for name in ("dog/1.png", "cat/1.png", "cat/deeper/2.png"):
        save(tmp_path / name)
    (tmp_path / "empty").mkdir()
    data = load_dataset(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
def test_gray_and_colour_together_become_rgb(tmp_path, mode):
    save(tmp_path / "gray.tif", "L", colour=100)
    save(tmp_path / "colour.tif", mode)
    data = load_dataset(tmp_path)
    assert data.image_shape == (3, 4, 5)
    assert data.images[1].unique().tolist() == [100]


def test_colours_keep_their_channels(tmp_path):
    save(tmp_path / "a.png", "RGB", colour=(1, 2, 3))
    save(tmp_path / "b.webp", "RGB")
    assert load_dataset(tmp_path).images[0, :, 0, 0].tolist() == [1, 2, 3]


def test_a_palette_is_gray_only_if_its_colours_are(tmp_path):
    Image.fromarray(RNG.integers(0, 256, (4, 5, 3), np.uint8)).quantize(8).save(tmp_path / "a.png")
    assert load_dataset(tmp_path).image_shape == (3, 4, 5)


def test_black_and_white_images(tmp_path):
    save(tmp_path / "a.png", "1", colour=1)
    save(tmp_path / "b.png", "LA")
    assert load_dataset(tmp_path).images[0].unique().tolist() == [255]


def test_mixed_sizes_name_both_files(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", size=(6, 4))
    refused(tmp_path, r"a\.png is 5 × 4 pixels but .*b\.png is 6 × 4")


def test_images_in_and_beside_sub_folders(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "cat" / "b.png")
    refused(tmp_path, "both in sub-folders and beside them")


def test_a_folder_without_images(tmp_path):
    refused(tmp_path, "holds no images")


def test_a_file_that_is_no_image(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    refused(tmp_path, r"a\.png cannot be read as an image")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp"])
def test_a_truncated_image(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RNG.integers(0, 256, (40, 40), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    refused(tmp_path, "cannot be read as an image")


@pytest.mark.parametrize("limit", [1000, 60])
def test_a_decompression_bomb(tmp_path, monkeypatch, limit):
    save(tmp_path / "a.png", size=(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    refused(tmp_path, r"a\.png claims too many pixels")


def test_more_images_than_memory_is_given(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    monkeypatch.setattr("vaeviz.data.bounded.MAX_BYTES", 19)
    refused(tmp_path, "claims 20 bytes, which is more than the 19 that are read")


def test_16_bit_images_are_refused(tmp_path):
    save(tmp_path / "a.png", "I;16")
    refused(tmp_path, "mode I;16: save it as 8-bit")


def test_a_single_image(tmp_path):
    save(tmp_path / "a.png")
    refused(tmp_path / "a.png", "give the folder")


def test_an_unknown_kind_of_file(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    refused(tmp_path / "a.txt", "unknown kind")


# --------------------------------------------------------------------------------------------------------------- CSV


def table(tmp_path, *rows):
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    "rows",
    [
        ("7,0,50,100,150", "3,1,51,101,151"),
        ("label,a,b,c,d", "7,0,50,100,150", "3,1,51,101,151"),
        ("label,0,1,2,3", "7,0,50,100,150", "3,1,51,101,151"),
        ("a,b,c,d,Class", "0,50,100,150,7", "1,51,101,151,3"),
        ("which,a,b,c,d", "7,0,50,100,150", "3,1,51,101,151"),
        ("\ufefftarget,a,b,c,d", "7,0,50,100,150", "3,1,51,101,151"),
    ],
)
def test_csv_with_labels(tmp_path, rows):
    data = load_dataset(table(tmp_path, *rows))
    assert data.images.flatten(1).tolist() == [[0, 50, 100, 150], [1, 51, 101, 151]]
    assert data.labels.tolist() == [1, 0]
    assert data.class_names == ("3", "7")


@pytest.mark.parametrize("rows", [("0,.5,1,0", "0,0,0,1"), ("a,b,c,d", "0,0.5,1,0", "0,0,0,1")])
def test_csv_without_labels(tmp_path, rows):
    data = load_dataset(table(tmp_path, *rows))
    assert data.images.flatten(1).tolist() == [[0, 0.5, 1, 0], [0, 0, 0, 1]]
    assert data.labels is None


def test_csv_with_words_for_labels(tmp_path):
    data = load_dataset(table(tmp_path, "cat,0,50,100,150", "ant,0,50,100,150"))
    assert data.class_names == ("ant", "cat")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("0,1,2,3", "0,1,oops,3"), "'oops' in row 2, column 3"),
        (("0,oops,2,3", "0,1,2,3"), "'oops' in row 1, column 2"),
        (("y,a,b,c,d", "1,0,1,2,3", "1,0,1,2,bad"), "'bad' in row 3, column 'd'"),
        (("0,1,2,3", "0,1,,3"), "no value in row 2, column 3"),
        (("0,1,2,3", "0,1,2"), "no value in row 2, column 4"),
        (("0,1,2,3", "0,1,2,3,4"), "rows of one length: Expected 4 fields in line 2, saw 5"),
        (("a,b,c,d", "0,1,2,3,4"), "rows of one length"),
        (("0,1,2", "3,4,5"), "3 columns of pixels, which is no perfect square"),
        (("label,a,b,c", "0,1,2,3"), "3 columns of pixels, which is no perfect square"),
        (("a,b,c,d",), "holds no examples"),
        (("0,1,2,300", "0,1,2,3"), "pixels from 0 to 300"),
        (("0,1,2,1e999", "0,1,2,3"), "NaN or infinite|must be numbers"),  # as the version of pandas has it
        (("",), "is no table"),
        ((",0,0,0,0", "1,0,0,0,0"), "none may be missing"),
    ],
)
def test_bad_csv(tmp_path, rows, message):
    refused(table(tmp_path, *rows), message)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01" * 9, b"a" * 200_000, b'"' + b"a,\n" * 70_000])
def test_a_csv_that_is_no_table(tmp_path, content):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    refused(path, "is no table|holds no examples")


def test_a_csv_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("vaeviz.data.bounded.MAX_BYTES", 7)
    refused(table(tmp_path, "0,1,2,3"), "claims 8 bytes")
