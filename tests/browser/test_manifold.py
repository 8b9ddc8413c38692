"""The manifold view under the hand: a real server, a real Chromium, real digits."""

import re

import pytest

from tests.browser.driver import Window

pytestmark = pytest.mark.browser


def test_the_tile_under_the_mouse_is_told_in_place_of_the_caption(window: Window):
    page = window.page
    page.get_by_text("20 × 20 codes").wait_for()
    window.hover("manifold", 0.8413, 0.1587)  # Φ(1), Φ(-1): the 17th of 20 across, the 4th up
    words = page.get_by_text("tile 17 across, 4 up")
    words.wait_for()
    assert re.search(r"z = \+0\.93, −0\.93; u = 0\.825, 0\.175", words.text_content())
    window.hover("latent", 0, 0)
    page.get_by_text("20 × 20 codes").wait_for()
    assert not words.is_visible()


def test_a_linear_range_has_a_limit(window: Window):
    window.choose_instead("inverse CDF", "linear ±3")
    window.until(lambda: window.page.evaluate("probe.figure('manifold').y_range.end") == 3, "it ends at 3")
    window.page.get_by_text("from −3 to 3").wait_for()
    tile = window.page.get_by_text("tile 20 across, 1 up: z = +2.85, −2.85")

    def told() -> bool:  # a hand moves on: the first move after the menu has closed may be lost with it
        window.hover("manifold", 2.9, -2.9)
        return tile.is_visible()

    window.until(told, "the tile under the mouse is told")
    window.page.mouse.click(*window.place("manifold", 2.0, 1.0))
    window.until(lambda: any(abs(x - 2) < 0.05 for x in window.column("latent", "endpoints", "x")), "B is at the click")


def test_a_hundred_tiles_a_side_are_one_image(window: Window):
    window.choose_instead("n = 20", "n = 100")
    window.until(lambda: window.size("manifold", "tiles") == (100 * 28) ** 2, "10,000 tiles are one image")
    window.page.get_by_text("100 × 100 codes").wait_for()
