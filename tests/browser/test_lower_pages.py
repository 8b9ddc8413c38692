"""The pages below, in a real browser: reconstructions, dimensions, model.

Run with ``-m browser``; they need Chromium.
"""

import re

import pytest

from tests.browser.driver import Window

pytestmark = pytest.mark.browser


def words(window: Window, figure: str, side: str) -> list[str]:
    """Return the words on one side of the tiles, as they stand in the page."""
    texts = window.page.evaluate(
        """([name, side]) => {
          const figure = probe.figure(name), words = probe.models().filter((m) => m.name === "words")
          const view = figure && Bokeh.index.find_one(figure)
          const shown = Array.from(view?._words?.children ?? [], (element) => element.textContent)
          const sides = words.map((source) => source.data).find((data) => data.words[0] === shown[0])?.side ?? []
          return shown.filter((_, i) => sides[i] === side)
        }""",
        [figure, side],
    )
    return [text for text in texts if text]


def test_random_examples_with_their_costs_stay_until_others_are_asked_for(window: Window):
    window.click("Reconstructions")
    window.until(lambda: len(words(window, "reconstructions", "below")) == 14, "each example has its costs")
    selected = words(window, "reconstructions", "below")
    window.click("train")
    window.until(lambda: words(window, "reconstructions", "below") != selected, "random ones are there")
    labels, costs = words(window, "reconstructions", "above"), words(window, "reconstructions", "below")
    assert all(re.fullmatch(r"[\d.,]+\n[\d.,]+", cost) for cost in costs)
    window.click("Train")
    window.until(lambda: words(window, "reconstructions", "below") != costs, "the costs follow the training")
    assert words(window, "reconstructions", "above") == labels
    shown = window.pixels("reconstructions", "pairs")[-28 * 14 * 28 :]  # the originals, the upper third
    window.page.get_by_text("others", exact=True).click()
    window.until(lambda: window.pixels("reconstructions", "pairs")[-28 * 14 * 28 :] != shown, "others are drawn")


def test_a_tap_on_a_bar_of_fifty_dimensions_turns_the_planes(window: Window):
    window.fill("Latent dimensions", "50")
    window.click("Reset")
    window.until(lambda: "-50" in window.status(), "the new model is there")
    window.click("Dimensions")
    window.until(lambda: window.size("traversals", "traversals") == 10 * 11 * 28 * 28, "ten rows are decoded")
    bars = window.column("dimensions", "bars", "kl")
    assert len(bars) == 50
    assert bars == sorted(bars, reverse=True)
    window.until(lambda: len(words(window, "traversals", "left")) == 10, "the rows are named")
    assert words(window, "traversals", "left")[0] == f"{name_at(window, 0)} · {bars[0]:.2f} nats"
    name = name_at(window, 3)
    window.page.mouse.click(*window.place("dimensions", 3, bars[3] / 2))
    across = "probe.figure('latent').below[0].axis_label"
    window.until(lambda: window.page.evaluate(across).startswith(name), "the tapped dimension is across")


def name_at(window: Window, place: int) -> str:
    """Return the name of the dimension whose KL is at this place."""
    return window.column("dimensions", "bars", "name")[place]


def test_the_model_is_drawn_from_input_to_objective(window: Window):
    window.click("Model")
    heads = window.page.locator(".vv-model h4")
    window.until(lambda: heads.count() == 6, "the model is drawn")
    names = [text.split()[0] for text in heads.all_text_contents()]
    assert names == ["input", "encoder", "posterior", "decoder", "output", "objective"]
    left = [heads.nth(i).bounding_box()["x"] for i in range(6)]
    assert left == sorted(left)
    layer = window.page.locator(".vv-model .weights").first
    assert "392,500" in layer.text_content()
    assert "784 → 500" in layer.get_attribute("title")
    bars = window.page.locator(".vv-model i")
    heights = [bars.nth(i).bounding_box()["height"] for i in range(bars.count())]
    code = window.page.locator(".vv-model .code i").bounding_box()["height"]
    assert code == min(heights) < max(heights) / 4
