"""The timeline under the hand: slide, play, keys, a click on the loss, Live."""

import re

import pytest

from tests.browser.driver import Window

pytestmark = pytest.mark.browser


def shown(window: Window) -> int:
    """Return the step that the views show, as the status line tells it."""
    return int(re.search(r"shown: step ([\d,]+)", window.status())[1].replace(",", ""))


@pytest.fixture
def trained(window: Window) -> Window:
    """Return a window on a run that trains and has kept some steps."""
    window.click("Train")
    window.until(lambda: window.step() > 40, "some steps are done")
    return window


def test_keys_turn_all_views_while_the_training_goes_on_and_live_returns(trained: Window):
    step = trained.step()
    trained.page.keyboard.press("Home")
    trained.until(lambda: shown(trained) == 0, "the first step is shown")
    sources = [("latent", "examples", "horizontal"), ("manifold", "tiles", "image"), ("cursor", "decoded", "image"),
               ("interpolation", "strip", "image")]  # fmt: skip
    first = [trained.column(*source) for source in sources]
    trained.page.keyboard.press("ArrowRight")
    trained.page.keyboard.press("ArrowRight")
    trained.until(lambda: shown(trained) == 2, "the step after the next is shown")
    for source, before in zip(sources, first, strict=True):
        trained.until(
            lambda source=source, before=before: trained.column(*source) != before, f"{source[1]} has changed"
        )
    trained.until(lambda: trained.step() > step, "the training goes on")
    assert shown(trained) == 2
    trained.page.get_by_text("● Live").click()
    trained.until(lambda: shown(trained) > step, "the newest snapshot is shown again")


PRESS_HOME_JS = """
([button, delay]) => {
  button.click()
  setTimeout(() => document.dispatchEvent(new KeyboardEvent("keydown", {key: "Home", bubbles: true})), delay)
}
"""


@pytest.mark.parametrize("milliseconds", [15, 30])
def test_a_key_is_heard_while_a_change_before_it_still_waits(trained: Window, milliseconds: int):
    button = trained.page.locator("button:visible", has_text="log x").element_handle()
    for _ in range(3):
        trained.page.evaluate(PRESS_HOME_JS, [button, milliseconds])
        trained.until(lambda: shown(trained) == 0, "the first step is shown")
        trained.page.get_by_text("● Live").click()
        trained.until(lambda: shown(trained) > 0, "the newest snapshot is shown again")


def test_a_drag_of_the_knob_turns_to_the_steps_under_it(trained: Window):
    trained.click("Pause")
    trained.until_status("paused")
    box = trained.page.get_by_role("slider", name="Kept steps").bounding_box()
    middle = box["y"] + box["height"] / 2
    trained.page.mouse.move(box["x"] + box["width"] - 7, middle)
    trained.page.mouse.down()
    seen = []
    for part in (0.7, 0.4, 0.1):
        trained.page.mouse.move(box["x"] + part * box["width"], middle, steps=4)
        before = seen[-1] if seen else trained.step()
        trained.until(lambda before=before: shown(trained) < before, "an earlier step is shown")
        seen.append(shown(trained))
    trained.page.mouse.up()
    trained.until(lambda: "Mui-selected" not in trained.page.get_by_text("● Live").get_attribute("class"), "not live")


def test_a_slide_and_a_click_on_the_loss_turn_to_a_kept_step(trained: Window):
    trained.click("Pause")
    trained.until_status("paused")
    slider = trained.page.get_by_role("slider").last
    slider.focus()
    slider.press("Home")
    trained.until(lambda: shown(trained) == 0, "the slide to the beginning is followed")
    slider.press("ArrowRight")
    trained.until(lambda: shown(trained) == 1, "the next step is shown")
    y = trained.page.evaluate("(() => { const r = probe.figure('loss').y_range; return (r.start + r.end) / 2 })()")
    trained.page.mouse.click(*trained.place("loss", 15, y))
    trained.until(lambda: shown(trained) == 16, "the step nearest to the click is shown")
    mark = "probe.models().find((m) => m.name === 'shown step')"
    trained.until(lambda: trained.page.evaluate(f"{mark}.location") == 16, "the loss marks the step")
    assert trained.page.evaluate(f"{mark}.visible")


def test_play_goes_through_the_steps_to_the_last(trained: Window):
    trained.click("Stop")
    trained.until_status("stopped")
    last = trained.step()
    trained.page.keyboard.press("Home")
    trained.until(lambda: shown(trained) == 0, "the first step is shown")
    trained.page.locator("button[value]", has=trained.page.locator("text=play_arrow")).last.click()
    seen = {0}
    trained.until(lambda: seen.add(shown(trained)) or shown(trained) == last, "the film has come to its end")
    assert len(seen) > 4
