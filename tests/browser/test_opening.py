"""A page as it opens: what is explored with comes first, and it stays where it is when the rest follows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.browser.driver import Window, served, wait_until
from tests.faults.server import PATIENCE, explorer, session_in

pytestmark = pytest.mark.browser

EXPLORED = ["latent", "manifold", "cursor"]

BROKEN = """
from vaeviz.views.page import run_page

class Broken:
    def snapshot(self, step=None):
        raise ValueError("its decoder gives <b>nothing</b>")

run_page(Broken()).servable()
"""

# Tells which figures were there when the decoded image changed for the first time.
WATCH_JS = """
const source = probe.source("cursor", "decoded"), first = source.data.image[0]
source.properties.data.change.connect(() => {
  if (source.data.image[0] === first) { return }
  window.figures_then ??= probe.models().filter((m) => m.type === "Figure").map((m) => m.name)
})
"""
EDGE_JS = """
() => {
  const {canvas} = Bokeh.index.find_one(probe.figure("cursor")).canvas_view.primary
  const {data} = canvas.getContext("2d").getImageData(0, 0, 1, canvas.height)
  return Array.from({length: canvas.height}, (_, row) => Array.from(data.slice(4 * row, 4 * row + 4)))
}
"""
PLACES_JS = """
(names) => names.map((name) => {
  const {left, top, width, height} = Bokeh.index.find_one(probe.figure(name)).el.getBoundingClientRect()
  return [left, top, width, height]
})
"""


@pytest.mark.parametrize("width", [1440, 800])
def test_the_planes_follow_the_mouse_and_stay_in_their_places_while_the_rest_comes(
    new_window: Callable[[], Window], explorer_address: str, width: int
):
    window = new_window(width).open_early(explorer_address)
    window.page.evaluate(f"() => {{ {WATCH_JS} }}")
    places = window.page.evaluate(PLACES_JS, EXPLORED)

    def answered() -> bool:
        for x in (0.5, -0.5):
            window.hover("latent", x, 0.5)
        return window.page.evaluate("window.figures_then !== undefined")

    window.until(answered, "the decoded image has changed")
    assert set(window.page.evaluate("figures_then")) >= set(EXPLORED)
    window.ready()
    for then, now in zip(places, window.page.evaluate(PLACES_JS, EXPLORED), strict=True):
        assert now == pytest.approx(then, abs=1)


def test_nothing_of_the_first_painting_stays_at_the_edge_of_the_cursor_card(
    new_window: Callable[[], Window], explorer_address: str
):
    window = new_window().open(explorer_address)
    column = window.page.evaluate(EDGE_JS)
    assert len(column) > 100
    red = [pixel for pixel in column if pixel[0] > pixel[1] and pixel[3] > 0]
    assert red == []


def test_a_page_that_was_made_before_somebody_came_is_as_good(new_window: Callable[[], Window], tmp_path: Path):
    with explorer(tmp_path) as server:
        (ahead,) = wait_until(lambda: server.ask("made_ahead"), "a page is made ahead", PATIENCE)
        window = new_window(800).open(server.address)
        assert session_in(window.page.content()) == ahead
        window.until(lambda: window.address().endswith("?run=mnist-2d"), "its address names its run")
        before = window.pixels("cursor", "decoded")
        window.hover("latent", 0.5, 0.5)
        window.until(lambda: window.pixels("cursor", "decoded") != before, "the mouse is followed")
        window.page.reload()
        window.ready()
        assert window.address().endswith("?run=mnist-2d")
        assert window.complaints == window.strangers == []
        window.page.close()  # before the server ends


def test_a_browser_that_tells_of_no_idle_moment_gets_the_whole_page(
    new_window: Callable[[], Window], explorer_address: str
):
    window = new_window()
    window.page.add_init_script("window.requestIdleCallback = () => { window.asked = true }")
    window.open(explorer_address)
    assert window.page.evaluate("asked")


def test_a_light_page_has_no_figure_to_paint_anew_when_it_opens(
    new_window: Callable[[], Window], explorer_address: str
):
    window = new_window()
    sent = []
    window.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    window.open(explorer_address)
    looks = ("background_fill_color", "axis_label_text_color", "grid_line_color", '"attr":"text_color"')

    def told() -> list[str]:
        return [look for look in looks if any(look in words for words in sent)]

    assert told() == []
    window.page.locator(".MuiAppBar-root button").last.click()  # and if it becomes a dark one, all of them are
    window.until(lambda: window.address() and told() == list(looks), "the figures are painted anew")


def test_a_chip_of_the_legend_hides_its_class_and_tells_so(new_window: Callable[[], Window], explorer_address: str):
    window = new_window().open(explorer_address)
    chip = window.page.get_by_role("button", name="7", exact=True)
    assert chip.get_attribute("aria-pressed") == "true"
    chip.focus()
    window.page.keyboard.press("Enter")
    window.until(lambda: chip.get_attribute("aria-pressed") == "false", "the chip is no longer pressed")
    window.until(lambda: np.isnan(window.column("latent", "examples", "horizontal")).any(), "its examples are gone")
    window.click("solo")
    window.click("7")
    window.until(lambda: chip.get_attribute("aria-pressed") == "true", "its class is shown alone")
    assert window.page.get_by_role("button", name="8", exact=True).get_attribute("aria-pressed") == "false"


def test_a_page_that_cannot_be_made_says_why(new_window: Callable[[], Window], tmp_path: Path):
    (tmp_path / "broken.py").write_text(BROKEN)
    with served(tmp_path / "broken.py", tmp_path / "server.log") as address:
        page = new_window().page
        page.goto(address)
        page.get_by_text("This run can't be shown: its decoder gives <b>nothing</b>").wait_for()
        page.close()  # before the server ends
