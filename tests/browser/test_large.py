"""200,000 points under the hand: a real server, a real Chromium."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.browser.driver import Window, serving
from tests.browser.test_latent import press

pytestmark = pytest.mark.browser

HELP_JS = """
window.large = {
  sum: () => {
    const {image} = probe.source("latent", "raster").data
    return image.length === 0 ? 0 : image[0].reduce((sum, pixel, place) => (sum * 31 + pixel + place) % 4294967291, 7)
  },
  seen: () => {
    const {x_range: x, y_range: y} = probe.figure("latent")
    return [x.start, y.start, x.end - x.start, y.end - y.start]
  },
}
"""


@pytest.fixture(scope="module")
def large_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(["benchmarks.large", "200000"], tmp_path_factory.mktemp("server") / "large.log") as (address, _):
        yield address


@pytest.fixture
def window(new_window: Callable[[], Window], large_address: str) -> Window:
    window = new_window().open(large_address)
    window.page.evaluate(HELP_JS)
    window.until(lambda: shaded(window) != 0, "the points are drawn", 120)
    return settled(window)


def shaded(window: Window) -> int:
    """Return a checksum of the picture of the points."""
    return window.page.evaluate("large.sum()")


def bounds(window: Window) -> list[float]:
    """Return left, bottom, width and height of the picture of the points, in the plane's coordinates."""
    return [window.column("latent", "raster", name)[0] for name in ("x", "y", "dw", "dh")]


def settled(window: Window) -> Window:
    """Wait until the picture is of what is seen."""

    window.until(
        lambda: bounds(window) == pytest.approx(window.page.evaluate("large.seen()")), "the picture is of what is seen"
    )
    return window


def test_the_mouse_decodes_and_a_zoom_is_shaded_anew(window: Window):
    decoded = window.pixels("cursor", "decoded")
    window.hover("latent", -1.0, 2.0)
    window.until(lambda: window.pixels("cursor", "decoded") != decoded, "the image under the mouse is decoded")
    near = window.spot("latent", "nearest")
    assert near == pytest.approx([-1.0, 2.0], abs=0.1)
    before, (_, _, width, _) = shaded(window), bounds(window)
    window.page.mouse.wheel(0, -400)
    window.until(lambda: bounds(window)[2] < 0.8 * width, "a smaller part is drawn")
    settled(window)
    assert shaded(window) != before


def test_a_lasso_selects_and_escape_lets_go(window: Window):
    before = shaded(window)
    window.page.evaluate("probe.figure('latent').toolbar.tools.find((t) => t.type === 'LassoSelectTool').active = true")
    window.drag("latent", (-3.5, -2.5), (3.5, -2.5), (3.5, -1.5), (-3.5, -1.5), (-3.5, -2.5))
    window.page.get_by_text(re.compile(r"14 of \d\d,\d{3} selected$")).wait_for()
    window.until(lambda: shaded(window) != before, "what is selected stands out")
    assert len(window.column("latent", "examples", "horizontal")) == 1  # the points are not in the browser
    window.page.keyboard.press("Escape")
    window.until(lambda: shaded(window) == before, "all are drawn alike again")


def test_legend_colours_coordinates_and_timeline_change_the_picture(window: Window):
    seen = {shaded(window)}

    def is_new(what: str) -> None:
        window.until(lambda: shaded(window) not in seen, what)
        seen.add(shaded(settled(window)))

    press(window, "3")
    is_new("a class is hidden")
    window.click("u = Φ(z)")
    is_new("the plane is that of the percentiles")
    window.page.keyboard.press("Home")
    is_new("the first step is shown")
