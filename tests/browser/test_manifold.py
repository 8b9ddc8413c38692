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


def ranges(window: Window) -> list[float]:
    return window.page.evaluate(
        "(({x_range: x, y_range: y}) => [x.start, x.end, y.start, y.end])(probe.figure('manifold'))"
    )


def test_all_tiles_are_whole_in_a_card_that_is_higher_than_wide(window: Window):
    assert window.page.evaluate("(({inner_width: w, inner_height: h}) => h > w)(probe.figure('manifold'))")
    left, right, bottom, top = ranges(window)
    assert (left, right) == pytest.approx((0, 1))
    assert bottom == pytest.approx(1 - top)
    assert bottom < 0
    window.hover("manifold", 0.5, 0.5)
    window.page.mouse.wheel(0, -300)
    window.until(lambda: ranges(window)[1] < 0.9, "it is zoomed")
    assert ranges(window)[3] < 0.9
    window.page.evaluate("Bokeh.index.find_one(probe.figure('manifold')).reset()")
    window.until(lambda: ranges(window) == pytest.approx([left, right, bottom, top]), "the whole is seen again")


def test_the_margins_of_the_figure_are_no_places(window: Window):
    window.hover("manifold", 0.6915, 0.5)  # Φ(0.5); at 0 it was from the beginning
    window.until(lambda: window.spot("latent", "cursor") == pytest.approx([0.5, 0], abs=0.05), "the cursor is at 0.5")
    window.page.evaluate("""
        window.been = []
        const spots = probe.models().find((m) => m.name === "latent spots")
        spots.connect(spots.properties.data.change, () => been.push([spots.data.x[0], spots.data.y[0]]))
    """)
    x, y = window.place("manifold", 0.0, 0.5)
    window.page.mouse.move(x - 25, y)
    window.hover("manifold", 0.8413, 0.1587)  # Φ(1), Φ(-1)
    window.until(lambda: window.spot("latent", "cursor") == pytest.approx([1, -1], abs=0.05), "the cursor is at 1, -1")
    been = window.page.evaluate("been")
    assert len(been) == 1, been


def test_an_endpoint_that_is_dragged_out_stays_at_the_edge(window: Window):
    start = window.column("manifold", "endpoints", "x")[1], window.column("manifold", "endpoints", "y")[1]
    window.drag("manifold", start, (0.5, 0.5), (-0.15, 0.5))
    window.until(
        lambda: window.column("manifold", "endpoints", "x")[1] == pytest.approx(0.001, abs=1e-4), "it is at the edge"
    )
    window.until(lambda: window.column("latent", "endpoints", "x")[1] == pytest.approx(-3.09, abs=0.01), "there, too")


def test_a_linear_range_has_a_limit(window: Window):
    window.choose_instead("inverse CDF", "linear ±3")
    window.until(lambda: window.page.evaluate("probe.figure('manifold').y_range.reset_end") == 3, "it ends at 3")
    window.until(lambda: ranges(window)[:2] == pytest.approx([-3, 3]), "the whole is seen")
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
