"""The latent view under the hand: a real server, a real Chromium, real digits."""

import numpy as np
import pytest

from tests.browser.driver import Window

pytestmark = pytest.mark.browser


def press(window: Window, label: str) -> None:
    """Click the toggle, or the chip of the legend, that shows these words."""
    window.page.mouse.move(5, 5)  # no tooltip lies over it
    window.page.locator(f":is(.MuiToggleButton-root, .vv-chips button):text-is('{label}')").first.click()


def stroke(window: Window, layer: str) -> int:
    """Return how many points a layer of thin lines has, in all the colours that it has shown so far."""
    return window.page.evaluate(
        """(layer) => [...probe.figure("latent").renderers].map((r) => r.data_source)
          .filter((s) => s.name?.startsWith(`${layer} `)).reduce((sum, s) => sum + s.data.x.length, 0)""",
        layer,
    )


def drawn(window: Window) -> int:
    """Return how many examples are drawn (one that is hidden has no place)."""
    return window.page.evaluate(
        "probe.column('latent', 'examples', 'horizontal').filter((x) => Number.isFinite(x)).length"
    )


def test_contours_ellipses_and_trails_are_drawn_behind_one_button(window: Window):
    window.click("Train")
    window.until(lambda: window.step() > 40, "some steps are done")
    window.click("Stop")
    window.until_status("stopped")
    window.click("Range, split, contours, posteriors and trails")
    press(window, "contours")
    window.until(lambda: stroke(window, "contours") > 100, "contours are drawn")
    press(window, "1σ")
    press(window, "trail")
    window.page.get_by_text("lasso some points").wait_for()
    rows = list(range(0, 300, 30))
    window.page.evaluate("(rows) => { probe.source('latent', 'examples').selected.indices = rows }", rows)
    window.until(lambda: stroke(window, "ellipses") == 10 * 34, "the ellipses of ten examples are drawn")
    window.until(lambda: stroke(window, "trails") > 10 * 8, "their trails are drawn")
    ways = stroke(window, "trails")
    window.page.keyboard.press("Home")
    window.until(lambda: stroke(window, "trails") == 10 * 2, "at step 0 they are where they began")
    assert window.page.evaluate("Array.from(probe.source('latent', 'examples').selected.indices)") == rows
    window.page.keyboard.press("End")
    window.until(lambda: stroke(window, "trails") == ways, "the trails are whole again")


def ranges(window: Window) -> dict[str, list[float]]:
    """Return from where to where the plane is seen, and would be seen as a whole, up."""
    return window.page.evaluate("""(() => {
      const {start, end, reset_start, reset_end} = probe.figure("latent").y_range
      return {seen: [start, end], whole: [reset_start, reset_end]}
    })()""")


def test_the_whole_follows_the_points_and_a_part_that_was_zoomed_to_stays(window: Window):
    first = ranges(window)["whole"]
    assert ranges(window)["seen"] == first
    window.click("Train")
    window.until(lambda: window.step() > 150, "the points reach further for good")
    window.click("Stop")
    window.until_status("stopped")
    window.until(lambda: ranges(window)["seen"] == ranges(window)["whole"] != first, "the whole is seen")
    window.page.keyboard.press("Home")
    window.until(lambda: ranges(window) == {"seen": first, "whole": first}, "the whole of the first step is seen")
    window.hover("latent", 0.5, 0.5)
    window.page.mouse.wheel(0, -300)
    window.until(lambda: ranges(window)["seen"] != first, "it is zoomed")
    seen = ranges(window)["seen"]
    window.page.keyboard.press("End")
    window.until(lambda: ranges(window)["whole"] != first, "the points are those of the last step")
    assert ranges(window)["seen"] == seen
    last = ranges(window)["whole"]
    window.page.evaluate("Bokeh.index.find_one(probe.figure('latent')).reset()")
    window.until(lambda: ranges(window)["seen"] == last, "the whole of the last step is seen")
    window.page.keyboard.press("Home")
    window.until(lambda: ranges(window) == {"seen": first, "whole": first}, "it follows again")


def test_a_split_a_solo_class_and_the_scale_of_a_measure(window: Window):
    window.click("Range, split, contours, posteriors and trails")
    window.choose_instead("all", "validation")
    window.until(lambda: drawn(window) == 500, "the validation split is drawn")
    press(window, "solo")
    press(window, "3")
    window.until(lambda: 20 < drawn(window) < 90, "one class is drawn alone")
    press(window, "3")
    window.until(lambda: drawn(window) == 500, "all classes are drawn again")
    window.choose_instead("label", "recon.")
    window.page.get_by_text("nats", exact=False).locator("visible=true").first.wait_for()
    words = window.page.get_by_text("reconstruction ≤").text_content()
    low, high = (float(word) for word in words.replace("≥", "≤").replace("nats", "").split("≤")[1:])
    values = np.array(window.column("latent", "examples", "color"))
    assert low == pytest.approx(np.percentile(values, 1), rel=0.01)
    assert high == pytest.approx(np.percentile(values, 99), rel=0.01)


def test_a_tap_on_an_example_puts_an_endpoint_there_and_it_follows(window: Window):
    horizontal = np.array(window.column("latent", "examples", "horizontal"))
    row = int(np.argmax(horizontal))
    x, y = horizontal[row], window.column("latent", "examples", "vertical")[row]
    px, py = window.place("latent", x, y)
    window.page.mouse.click(px + 3, py)

    def follows() -> bool:
        ends = zip(window.column("latent", "endpoints", "x"), window.column("latent", "endpoints", "y"), strict=True)
        at = (
            window.column("latent", "examples", "horizontal")[row],
            window.column("latent", "examples", "vertical")[row],
        )
        return any(np.allclose(end, at, atol=1e-4) for end in ends)

    window.until(follows, "an endpoint lies on the example")
    window.click("Train")
    window.until(lambda: window.column("latent", "examples", "horizontal")[row] != horizontal[row], "it has moved")
    window.click("Stop")
    window.until_status("stopped")
    window.until(follows, "the endpoint has gone with it")


def test_pca_is_offered_for_many_dimensions(window: Window):
    assert not window.sees("PCA")
    window.fill("Latent dimensions", "8")
    window.click("Reset")
    window.until(lambda: window.sees("PCA"), "the planes can be chosen")
    window.click("PCA")
    window.page.get_by_text("of the variance").wait_for()
    named = "probe.models().some((model) => model.axis_label === 'PC1')"
    window.until(lambda: window.page.evaluate(named), "the axis across is called PC1")


def test_ticks_have_the_fewest_digits_that_tell_them_apart(window: Window):
    labels = {
        (-4, -2, 0, 2, 4): "−4 −2 0 2 4",
        (-0.5, 0, 0.5, 1): "−0.5 0 0.5 1",
        (0.25, 0.5, 0.75): "0.25 0.5 0.75",
        (0.1 + 0.2, 0.4): "0.3 0.4",
        (1.0001, 1.0002, 1.0003): "1.0001 1.0002 1.0003",
        (20_000, 40_000): "20000 40000",
        (-3e7, 0, 3e7): "−3e7 0 3e7",
        (2.5e7, 3e7): "2.5e7 3e7",
        (1e-5, 2e-5): "1e−5 2e−5",
        (0,): "0",
        (3,): "3",
    }
    written = window.page.evaluate(
        "(all) => all.map((ticks) => probe.figure('latent').below[0].formatter.doFormat(ticks, {loc: 0}).join(' '))",
        [list(ticks) for ticks in labels],
    )
    assert written == list(labels.values())
