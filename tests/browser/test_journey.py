"""Routes under the hand: a real server, a real Chromium, real digits."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.driver import Window
from vaeviz.views.palette import MARK

pytestmark = pytest.mark.browser


def test_a_line_drawn_with_the_pencil_is_the_route_and_the_plot_stays(window: Window):
    ranges = "(f) => [probe.figure(f).x_range.start, probe.figure(f).y_range.start]"
    before = window.page.evaluate(ranges, "latent")
    window.click("draw")
    window.until(lambda: window.column("latent", "endpoints", "x") == [], "A and B are gone")
    window.until(lambda: window.page.evaluate("probe.source('interpolation', 'strip').data.image[0].length") == 1,
                 "nothing is to be seen yet")  # fmt: skip
    window.hover("latent", -1.5, -1)
    window.page.mouse.down()
    for point in ((0, 1), (1.5, -1)):
        window.page.mouse.move(*window.place("latent", *point), steps=8)
    assert len(window.column("latent", "path", "x")) > 8  # at once, before the server has heard of it
    window.page.mouse.up()
    window.until(lambda: window.size("interpolation", "strip") == 20 * 28 * 28, "the strip shows the route")
    window.until(lambda: len(window.column("manifold", "path", "x")) == 101, "the other plane has it as well")
    across = np.array(window.column("latent", "path", "x"))
    assert across[0] == pytest.approx(-1.5, abs=0.2)
    assert across[-1] == pytest.approx(1.5, abs=0.1)
    assert window.page.evaluate(ranges, "latent") == before
    window.click("A to B")
    window.until(lambda: len(window.column("latent", "endpoints", "x")) == 2, "A and B are back")
    window.drag("latent", (0, 3), (1, 3))
    window.until(lambda: window.page.evaluate(ranges, "latent") != before, "a drag moves the plot again")


def test_a_morph_plays_in_a_loop_and_is_saved(window: Window):
    window.click("morph")
    window.until(lambda: len(window.column("latent", "path", "x")) == 121, "the route goes by ten examples and back")
    window.page.get_by_placeholder("frames a leg").fill("2")
    window.page.get_by_placeholder("frames a leg").press("Enter")
    window.page.get_by_text("10 examples, 20 frames").wait_for()
    play = window.page.locator("button", has_text=re.compile("Play$"))
    play.click()
    tile = "probe.models().find((m) => m.name === 't').data.tile[0]"
    window.until(lambda: window.page.evaluate(tile) > 15, "it plays")
    window.until(lambda: window.page.evaluate(tile) < 10, "it begins anew")
    box = window.page.locator(".vv-tile").bounding_box()
    assert box["width"] > 30
    play.click()
    with window.page.expect_download() as saved:
        window.click("Save the whole route as an animated GIF")
    assert saved.value.suggested_filename == "morph-step-0.gif"
    with Image.open(Path(saved.value.path())) as film:
        assert film.size == (280, 280)


def test_an_example_out_of_range_is_refused_in_words(window: Window):
    strip = window.pixels("interpolation", "strip")
    field = window.page.get_by_placeholder("B: example #")
    field.fill("5000")
    field.press("Enter")
    window.page.locator(".MuiAlert-message", has_text="from 0 to 4,999").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    assert window.pixels("interpolation", "strip") == strip
    field.fill("4999")
    field.press("Enter")
    window.until(lambda: window.pixels("interpolation", "strip") != strip, "B is at that example")
    assert field.get_attribute("aria-invalid") == "false"


def left(window: Window) -> float:
    """Return where on the screen the latent plane begins, in pixels of the window."""
    return window.place("latent", window.page.evaluate("probe.figure('latent').x_range.start"), 0.0)[0]


def test_what_lies_outside_of_what_is_seen_is_not_drawn_over_the_axes(window: Window):
    def drawn(x: float, y: float) -> bool:
        """Whether there is the marks' colour around a point of the plane."""
        across, up = window.place("latent", x, y)
        part = window.page.screenshot(clip={"x": across - 12, "y": up - 12, "width": 24, "height": 24})
        colors = np.asarray(Image.open(io.BytesIO(part)).convert("RGB"), int)
        return bool((np.abs(colors - [int(MARK[i : i + 2], 16) for i in (1, 3, 5)]).max(axis=2) < 12).any())

    a, b = zip(window.column("latent", "endpoints", "x"), window.column("latent", "endpoints", "y"), strict=True)
    window.until(lambda: drawn(*a) and drawn(*b), "both endpoints are drawn")
    pan = """([a, pixels]) => {
      const {x_range: x, inner_width: w} = probe.figure("latent"), shift = a - x.start + pixels / w * (x.end - x.start)
      x.setv({start: x.start + shift, end: x.end + shift})
    }"""
    window.page.evaluate(pan, [a[0], 0])
    window.until(lambda: window.place("latent", *a)[0] == pytest.approx(left(window), abs=1), "A is at the edge")
    window.until(lambda: drawn(*a), "it is whole there")
    window.page.evaluate(pan, [a[0], 16])
    window.until(lambda: window.place("latent", *a)[0] == pytest.approx(left(window) - 16, abs=1), "A is outside")
    window.until(lambda: drawn(*b) and not drawn(*a), "only B is drawn")
