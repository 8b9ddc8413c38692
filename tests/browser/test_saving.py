"""Save, open and resume under the hand: a real server, a real Chromium, real digits, a real disk."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.driver import EXPLORER, Window, served

pytestmark = pytest.mark.browser


def run_id(window: Window) -> str:
    return re.search(r"run=([\w-]+)", window.address())[1]


def choose(window: Window, option: str | re.Pattern[str]) -> None:
    """Choose a saved run in the list."""
    window.choose(window.page.get_by_role("combobox", name="Saved run"), option, exact=False)


def train_and_stop(window: Window) -> int:
    window.click("Train")
    window.until(lambda: window.step() > 20, "some steps are done")
    window.click("Stop")
    window.until_status("stopped")
    return window.step()


def assert_told_once(window: Window) -> None:
    """See that no row of the loss has come to the browser twice."""
    for split in ("train", "validation"):
        steps = window.column("loss", split, "step")
        assert steps == sorted(set(steps)), split


def test_a_stopped_run_goes_on_also_after_the_server_was_started_again(
    new_window: Callable[[], Window], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path / "runs"))
    with served(EXPLORER, tmp_path / "first.log") as address:
        window = new_window().open(f"{address}?run=new")
        stopped = train_and_stop(window)
        window.until(lambda: f"saved at step {stopped:,}" in window.status(), "the status line tells of the save")
        window.click("Resume")
        window.until(lambda: window.step() > stopped, "it goes on")
        window.click("Stop")
        window.until_status("stopped")
        stopped, run = window.step(), run_id(window)
        window.page.goto("about:blank")
    with served(EXPLORER, tmp_path / "second.log") as address:
        window = new_window().open(f"{address}?run={run}")
        assert window.status().startswith("stopped")
        assert window.step() == stopped
        window.until(lambda: window.column("loss", "train", "step")[-1] > stopped - 10, "its loss is there")
        window.click("Resume")
        window.until(lambda: window.step() > stopped, "it goes on from its last step")
        window.until(lambda: window.column("loss", "train", "step")[-1] > stopped, "its loss goes on, too")
        assert_told_once(window)
        assert run_id(window) == run
        window.click("Stop")
        window.until_status("stopped")
        window.page.goto("about:blank")


def test_a_saved_run_is_opened_from_the_list_while_another_trains(window: Window):
    stopped = train_and_stop(window)
    saved = run_id(window)
    window.fill("Name (optional)", "short one")
    window.click("Save")
    window.page.get_by_role("combobox", name="Saved run").get_by_text("short one").wait_for()
    window.click("Train")
    window.until_status("running")
    window.until(lambda: run_id(window) != saved, "the address names the new run")
    training = window.address()
    window.click("Open")
    window.until_status("stopped")
    assert window.step() == stopped
    assert run_id(window) == saved
    window.until(lambda: window.column("loss", "train", "step")[-1:] == [stopped // 10 * 10], "its loss is there")
    assert_told_once(window)
    window.open(training)
    window.until_status("running")


def test_an_address_of_a_run_that_is_not_there_opens_on_another_and_says_so(
    new_window: Callable[[], Window], explorer_address: str
):
    window = new_window().open(f"{explorer_address}?run=no-such-run")
    window.page.locator(".MuiAlert-message", has_text="There is no run no-such-run here (any more)").wait_for()
    assert run_id(window) == "mnist-2d"


@pytest.mark.parametrize("way", ["Open", "Open and resume"])
def test_a_half_written_folder_is_told_in_one_sentence_and_the_present_run_goes_on(
    window: Window, tmp_path: Path, way: str
):
    (tmp_path / "run.json").write_bytes(b'{"format": 1, "id": "<img src=x>"')
    window.click("Train")
    window.until(lambda: window.step() > 5, "some steps are done")
    before = window.address()
    choose(window, "another folder …")
    window.fill("Folder of a run, on the server", str(tmp_path))
    window.click(way)
    window.page.locator(".MuiAlert-message", has_text="is damaged or was changed").wait_for()
    step = window.step()
    window.until(lambda: window.step() > step, "the present run goes on")
    assert window.address() == before


def test_opens_on_a_trained_model_and_train_begins_a_run_of_ones_own(
    new_window: Callable[[], Window], explorer_address: str
):
    window = new_window().open(explorer_address)
    assert window.status().startswith("finished")
    assert run_id(window) == "mnist-2d"
    assert len(window.column("latent", "examples", "horizontal")) == 5000
    assert not window.sees("Resume")
    window.click("Train")
    window.until_status("running")
    window.until(lambda: run_id(window) != "mnist-2d", "the address names the new run")
    window.until(lambda: window.step() > 5, "it trains")
    choose(window, "pretrained mnist-2d")
    window.click("Stop")
    window.until_status("stopped")
    window.click("Open")
    window.until_status("finished")
