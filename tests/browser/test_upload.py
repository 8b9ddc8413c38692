"""Data that a person brings: a real file, chosen and dropped in a real Chromium, and what is left of it on the disk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.browser.driver import EXPLORER, Window, serving

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=window.hacked=1>.npz"


class Place(NamedTuple):
    """A server, and the folder of its temporary files."""

    address: str
    tmp: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server that strangers share, that takes 8 MB, and that soon forgets who has gone."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "tmp").mkdir()
    options = ["--port", "0", "--unused-session-lifetime", "6000", "--check-unused-sessions", "200"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAEVIZ_MAX_UPLOAD", "8000000")
        patch.setenv("VAEVIZ_SHARED_SERVER", "1")
        patch.setenv("TMPDIR", str(folder / "tmp"))
        with serving(["panel", "serve", str(EXPLORER), *options], folder / "log") as (address, _):
            yield Place(address, folder / "tmp")


@pytest.fixture
def window(new_window: Callable[[], Window], place: Place) -> Iterator[Window]:
    window = new_window().open(f"{place.address}?run=new")
    yield window
    if window.status().startswith(("running", "paused")):
        window.click("Stop")
        window.until_status("stopped")


def choose(window: Window, *paths: Path) -> None:
    window.page.get_by_label("Upload data").set_input_files([str(path) for path in paths])


def alert(window: Window, words: str) -> None:
    window.page.locator(".MuiAlert-message", has_text=words).wait_for()


def faces(path: Path, count: int = 6000) -> Path:
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8))
    return path


def left(place: Place) -> list[Path]:
    return list(place.tmp.glob("vaeviz-upload*"))


def test_a_chosen_file_comes_in_pieces_and_is_trained_on(window: Window, place: Place, tmp_path: Path):
    choose(window, faces(tmp_path / "数字 faces.npz"))  # 4.7 MB: three pieces
    window.page.get_by_text("✓ 数字 faces.npz · 6,000 images of 1×28×28").wait_for()
    window.page.get_by_role("combobox", name="Dataset").get_by_text("数字 faces.npz").wait_for()
    assert left(place) == []
    assert window.status().startswith("ready")
    window.click("Train")
    window.until_status("running")
    window.until(lambda: window.step() > 5 and "数字 faces.npz" in window.status(), "it trains on that")
    window.reload()
    window.until_status("running")
    assert "数字 faces.npz" in window.status()


def test_images_that_are_dropped_are_taken_and_a_drop_beside_the_place_keeps_the_page(window: Window, tmp_path: Path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    drop = """async (target, bytes) => {
      const data = new DataTransfer()
      for (let row = 0; row < 40; row++) { data.items.add(new File([new Uint8Array(bytes)], `${row}.png`)) }
      const event = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true, composed: true})
      target.dispatchEvent(event)
      return event.defaultPrevented
    }"""
    body = list((tmp_path / "a.png").read_bytes())
    area = window.page.locator("label", has=window.page.get_by_label("Upload data"))
    assert window.page.evaluate_handle("document.body").evaluate(drop, body)
    assert area.evaluate(drop, body)
    window.page.get_by_text("✓ 40 images · 40 images of 1×8×8").wait_for()


def test_a_bad_file_is_told_as_words_and_the_present_run_goes_on(window: Window, place: Place, tmp_path: Path):
    window.click("Train")
    window.until(lambda: window.step() > 5, "some steps are done")
    address = window.address()
    (tmp_path / EVIL).write_bytes(b"PK\3\4 and no more")
    choose(window, tmp_path / EVIL)
    alert(window, "_img src=x onerror=window.hacked=1_.npz cannot be unpacked: the npz file is damaged")
    step = window.step()
    window.until(lambda: window.step() > step, "the present run goes on")
    assert window.address() == address
    assert window.page.evaluate("window.hacked") is None
    assert str(place.tmp) not in window.page.content()
    assert left(place) == []


def test_a_file_that_is_too_large_is_told_before_it_is_sent(window: Window, place: Place, tmp_path: Path):
    choose(window, faces(tmp_path / "large.npz", 20_000))
    alert(window, "large.npz of 15.7 MB is more than the 8 MB that may be uploaded")
    assert left(place) == []
    choose(window, faces(tmp_path / "small.npz", 1000))
    window.page.get_by_text("✓ small.npz").wait_for()


SLOW = """() => {
  const read = Blob.prototype.arrayBuffer
  let count = 0
  Blob.prototype.arrayBuffer = function () { return count++ ? new Promise(() => {}) : read.call(this) }
}"""


@pytest.mark.parametrize("way", ["Cancel", "closed"])
def test_an_upload_that_is_broken_off_leaves_nothing(
    new_window: Callable[[], Window], place: Place, tmp_path: Path, way: str
):
    window = new_window().open(f"{place.address}?run=new")
    window.page.evaluate(SLOW)  # after its first piece, the file is read no further
    choose(window, faces(tmp_path / "faces.npz"))
    window.page.get_by_text("faces.npz · 45% of 4.7 MB").wait_for()
    (folder,) = left(place)
    assert (folder / "files" / "faces.npz").stat().st_size == 2 * 2**20
    if way == "Cancel":
        window.click("Cancel")
        window.page.get_by_text("Drop data here").wait_for()
    else:
        window.page.close()
    window.until(lambda: not left(place), "nothing is left of it")
