"""The explorer under the hand: a real server, a real Chromium, real digits."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.driver import Window

pytestmark = pytest.mark.browser

# Counts how often figures are laid out anew because something has changed, and not because a part has another size.
COUNT_JS = """
(names) => {
  window.laid_out = {}
  for (const name of names) {
    const view = Bokeh.index.find_one(probe.figure(name)), update_layout = view.update_layout.bind(view)
    laid_out[name] = 0
    view.update_layout = () => { laid_out[name] += 1; update_layout() }
  }
}
"""


def test_opens_on_an_untrained_model_with_all_six_figures(window: Window):
    window.click("Reconstructions")  # a page is made when it is first turned to
    window.page.wait_for_function("probe.figure('reconstructions')")
    figures = window.page.evaluate("probe.models().filter((m) => m.type === 'Figure').map((m) => m.name)")
    assert {"loss", "latent", "manifold", "cursor", "interpolation", "reconstructions"} <= set(figures)
    assert window.status().startswith("ready")
    assert len(window.column("latent", "examples", "horizontal")) == 5000
    assert window.size("manifold", "tiles") == (20 * 28) ** 2
    assert "run=" in window.address()


def test_a_title_shows_as_many_parts_of_its_hint_as_have_room_and_none_cut(window: Window):
    def seen() -> dict[str, str]:
        return dict(
            window.page.locator(".vv-card div[title]:has(> b)").evaluate_all("""(titles) => titles.map((title) => {
              const {right, bottom} = title.getBoundingClientRect()
              const parts = [...title.children].map((part) => [part.textContent, part.getBoundingClientRect()])
              const seen = parts.filter(([words, box]) => box.top < bottom)
              if (!seen.every(([words, box]) => box.right <= right && box.bottom <= bottom)) { throw title.textContent }
              return [seen[0][0], seen.slice(1).map(([words]) => words).join("")]
            })""")
        )

    parts = {"Loss": "nats", "Interpolation": "drag A and B", "Latent": "encoder"}
    window.until(lambda: seen().items() >= parts.items(), "parts of them are seen")  # once the controls are there
    window.page.set_viewport_size({"width": 2400, "height": 900})
    whole = {"Interpolation": "drag A and B; examples are 0 to 4,999"}
    window.until(lambda: seen().items() >= whole.items(), "the whole of them is seen")


def test_train_makes_the_loss_curve_grow_and_the_scatter_move(window: Window):
    before = np.array(window.column("latent", "examples", "horizontal"))
    window.click("Train")
    window.until(lambda: len(window.column("loss", "train", "x")) > 5, "the loss curve has some points")
    drawn = len(window.column("loss", "train", "x"))
    window.until(lambda: len(window.column("loss", "train", "x")) > drawn, "the loss curve has more points")
    window.until(
        lambda: np.abs(np.array(window.column("latent", "examples", "horizontal")) - before).mean() > 0.1,
        "the scatter has moved",
    )
    values = window.column("loss", "validation", "value")
    assert values[-1] < values[0]


def test_hovering_the_latent_plane_decodes_the_point_and_marks_the_manifold(window: Window):
    def is_marked(u: list[float]) -> bool:
        return window.spot("manifold", "cursor") == pytest.approx(u, abs=0.01)

    window.hover("latent", 0.2, 0.3)
    window.until(lambda: is_marked([0.5793, 0.6179]), "the manifold is marked at Φ(0.2), Φ(0.3)")
    first_image = window.pixels("cursor", "decoded")
    window.hover("latent", -1.5, 1.0)
    window.until(lambda: is_marked([0.0668, 0.8413]), "the mark has moved to Φ(-1.5), Φ(1)")
    window.until(lambda: window.pixels("cursor", "decoded") != first_image, "another image is decoded")
    assert window.seen("manifold", "cursor") == pytest.approx(window.place("manifold", 0.0668, 0.8413), abs=3)
    assert window.seen("latent", "nearest") == pytest.approx(
        window.place("latent", *window.spot("latent", "nearest")), abs=1
    )
    assert window.seen("latent", "cursor") is None  # the hand itself is the mark there


def test_hovering_the_manifold_marks_the_scatter(window: Window):
    window.hover("manifold", 0.8413, 0.1587)  # Φ(1), Φ(-1)
    window.until(lambda: window.spot("latent", "cursor") == pytest.approx([1, -1], abs=0.05), "the scatter is marked")
    window.until(lambda: window.seen("latent", "cursor"), "the mark is seen")
    assert window.seen("latent", "cursor") == pytest.approx(window.place("latent", 1, -1), abs=5)


@pytest.mark.parametrize("plane", ["latent", "manifold"])
def test_dragging_an_endpoint_changes_the_strip_and_both_planes(window: Window, plane: str):
    other = "manifold" if plane == "latent" else "latent"
    start = window.column(plane, "endpoints", "x")[1], window.column(plane, "endpoints", "y")[1]
    end = (0.5, -2.0) if plane == "latent" else (0.7, 0.2)
    ranges = window.page.evaluate("(f) => probe.figure(f).x_range.start", plane)
    strip, elsewhere = window.pixels("interpolation", "strip"), window.column(other, "endpoints", "x")
    window.drag(plane, start, end)
    window.until(lambda: window.pixels("interpolation", "strip") != strip, "the strip has changed")
    window.until(lambda: window.column(other, "endpoints", "x") != elsewhere, "the other plane's endpoint has moved")
    assert window.column(plane, "endpoints", "x")[1] == pytest.approx(end[0], abs=0.1)
    assert window.page.evaluate("(f) => probe.figure(f).x_range.start", plane) == ranges  # the plot itself stayed


@pytest.mark.parametrize("taken", ["endpoint", "plot"])
def test_who_holds_still_before_the_drag_drags(window: Window, taken: str):
    end = window.column("latent", "endpoints", "x")[1], window.column("latent", "endpoints", "y")[1]
    left = window.page.evaluate("probe.figure('latent').x_range.start")
    window.hover("latent", *(end if taken == "endpoint" else (0.0, 3.0)))
    window.page.mouse.down()
    pressed = window.page.evaluate("performance.now()")
    window.page.wait_for_function("(pressed) => performance.now() > pressed + 400", arg=pressed)  # to Bokeh, a press
    window.page.mouse.move(*window.place("latent", 0.5, -2.0), steps=8)
    window.page.mouse.up()
    if taken == "endpoint":
        window.until(
            lambda: window.column("manifold", "endpoints", "x")[1] == pytest.approx(0.69, abs=0.03), "B: Φ(0.5)"
        )
    else:
        window.until(
            lambda: window.page.evaluate("probe.figure('latent').x_range.start") < left - 0.2, "the plot moved"
        )


def test_a_tap_moves_the_nearer_endpoint(window: Window):
    window.page.mouse.click(*window.place("latent", -2.0, -1.5))  # far from every example: seed 0 puts them nearer to 0
    window.until(
        lambda: window.column("manifold", "endpoints", "x")[0] == pytest.approx(0.0228, abs=0.01), "A is at the tap"
    )


def test_a_lasso_fills_the_reconstructions(window: Window):
    shown = window.pixels("reconstructions", "pairs")
    window.page.evaluate("probe.figure('latent').toolbar.tools.find((t) => t.type === 'LassoSelectTool').active = true")
    window.drag("latent", (-2.5, -2.5), (2.5, -2.5), (2.5, -0.5), (-2.5, -0.5), (-2.5, -2.5))
    window.until(lambda: window.pixels("reconstructions", "pairs") != shown, "the reconstructions have changed")
    selected = window.page.evaluate("Array.from(probe.source('latent', 'examples').selected.indices)")
    vertical = np.array(window.column("latent", "examples", "vertical"))
    assert 0 < len(selected) < 5000
    assert (vertical[selected] < -0.3).all()
    window.page.get_by_text(re.compile(r"\d selected$")).wait_for()


def test_the_page_that_a_selection_turns_to_is_there_before_the_lasso_is_drawn(window: Window):
    assert not window.page.evaluate("!!probe.figure('reconstructions')")
    window.page.locator("[title='Lasso Select']").first.click()
    window.until(lambda: window.page.evaluate("!!probe.figure('reconstructions')"), "the page is made")
    assert window.page.evaluate("!!probe.figure('interpolation')"), "and the one that was seen still is"
    assert not window.page.get_by_text("the first").is_visible()


def test_pause_stops_the_step_count_and_resume_goes_on_from_it_and_stop_ends_it(window: Window):
    window.click("Train")
    window.until(lambda: window.step() > 20, "some steps are done")
    window.click("Pause")
    window.until_status("paused")
    paused = window.step()
    window.hover("latent", 0, 0)
    window.until(lambda: f"shown: step {paused:,}" in window.status(), "the views show the step of the pause")
    assert window.step() == paused
    window.click("Resume")
    window.until(lambda: window.step() > paused, "it goes on")
    window.click("Stop")
    window.until_status("stopped")
    assert window.step() >= paused
    window.until(lambda: window.sees("Train"), "a new run can be begun")
    assert not window.sees("Pause")


def test_a_second_tab_sees_the_same_run_and_a_reload_keeps_it(window: Window, new_window: Callable[[], Window]):
    window.click("Train")
    window.until(lambda: window.step() > 20, "some steps are done")
    second = new_window().open(window.address())
    second.until_status("running")
    second.until(lambda: second.step() > 20, "the second tab counts the same steps")
    second.until(lambda: len(second.column("loss", "train", "x")) > 2, "the second tab has the loss so far")
    second.click("Pause")
    window.until_status("paused")
    address = window.address()
    step = window.step()
    window.reload()
    window.until_status("paused")
    assert window.address() == address
    assert window.step() == step
    window.until(lambda: window.column("loss", "train", "step")[-1] <= step, "the loss is there again")
    window.click("Stop")
    second.until_status("stopped")


def test_changing_beta_and_reset_begins_anew(window: Window):
    window.click("Train")
    window.until(lambda: window.step() > 20, "some steps are done")
    address = window.address()
    window.fill("β, weight of the KL", "4")
    window.click("Reset")
    window.until_status("ready")
    window.until(lambda: window.address() != address, "the address names the new run")
    window.until(lambda: window.step() == 0, "it begins at step 0")
    window.until(lambda: window.column("loss", "train", "x") == [], "the loss is empty")
    window.click("Train")
    window.until(lambda: window.step() > 5, "the new run trains")


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("Hidden sizes", "500,,x", "whole numbers"),
        ("Hidden sizes", "0", "whole numbers"),
        ("Learning rate", "-1", "above 0"),
        ("Learning rate", "nan", "above 0"),
        ("Batch size", "100000", "only 4000 training examples"),
    ],
)
def test_a_bad_field_is_marked_and_the_present_run_goes_on(window: Window, label: str, value: str, words: str):
    window.click("Train")
    window.until(lambda: window.step() > 5, "some steps are done")
    address = window.address()
    window.fill(label, value)
    window.click("Reset")
    window.page.locator(".MuiAlert-message", has_text=words).wait_for()
    assert window.page.get_by_label(label, exact=True).get_attribute("aria-invalid") == "true"
    step = window.step()
    window.until(lambda: window.step() > step, "the present run goes on")
    assert window.address() == address


def test_a_missing_path_is_told_in_one_sentence(window: Window):
    window.choose(window.page.get_by_role("combobox", name="Dataset"), "a file or folder …")
    window.fill("Path on the server", "/no/such/<img src=x onerror=window.hacked=1>.npz")
    window.click("Reset")
    window.page.locator(".MuiAlert-message", has_text="<img src=x onerror=window.hacked=1>").wait_for()
    assert window.page.evaluate("window.hacked") is None  # words stay words
    assert window.status().startswith("ready")


def test_names_of_files_and_classes_stay_words_wherever_they_are_shown(window: Window, tmp_path: Path):
    evil = "<img src=x onerror=window.hacked=1>"
    for label in (evil, "plain"):
        (tmp_path / evil / label).mkdir(parents=True)
        for number in range(40):
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / evil / label / f"{number}.png")
    window.choose(window.page.get_by_role("combobox", name="Dataset"), "a file or folder …")
    window.fill("Path on the server", str(tmp_path / evil))
    window.fill("Batch size", "16")
    window.click("Reset")
    window.until(lambda: evil in window.status(), "the status line names the data")
    window.page.get_by_text(evil, exact=True).first.wait_for()  # the class, in the legend
    window.hover("latent", *(window.column("latent", "examples", axis)[0] for axis in ("horizontal", "vertical")))
    window.until(lambda: window.spot("latent", "nearest"), "the nearest example is marked")
    window.click("Reconstructions")
    window.page.wait_for_function("probe.figure('reconstructions')")
    assert window.page.evaluate("window.hacked") is None


def test_in_u_the_manifold_lies_under_the_points(window: Window):
    window.click("u = Φ(z)")
    window.until(lambda: window.size("latent", "backdrop") == (20 * 28) ** 2, "the backdrop is there")
    assert window.pixels("latent", "backdrop") == window.pixels("manifold", "tiles")
    horizontal = window.column("latent", "examples", "horizontal")
    assert min(horizontal) > 0
    assert max(horizontal) < 1
    window.click("z")
    window.until(lambda: window.size("latent", "backdrop") == 1, "the backdrop is gone")


@pytest.mark.parametrize("latent_dim", [1, 3, 50])
def test_other_latent_dimensions_train_and_follow_the_mouse(window: Window, latent_dim: int):
    window.fill("Latent dimensions", str(latent_dim))
    window.click("Train")
    window.until(lambda: window.step() > 20, "some steps are done")
    image = window.pixels("cursor", "decoded")
    window.hover("manifold", 0.3, 0.5)
    window.until(lambda: window.pixels("cursor", "decoded") != image, "the point is decoded")
    rows = 1 if latent_dim == 1 else 20
    window.until(lambda: window.size("manifold", "tiles") == rows * 20 * 28 * 28, "the manifold fits")


def test_a_failure_in_training_is_shown_and_the_last_snapshot_stays_explorable(window: Window):
    window.fill("Learning rate", "10")
    window.fill("Hidden sizes", "500, 500, 500, 500")
    window.click("Train")
    window.until_status("failed")
    window.page.locator(".MuiAlert-message", has_text="at step").wait_for()
    window.hover("manifold", 0.6, 0.4)
    window.until(lambda: window.spot("latent", "cursor"), "the views follow the mouse")
    assert window.size("cursor", "decoded") == 28 * 28
    assert np.isfinite(window.column("latent", "examples", "horizontal")).all()  # nothing that is no number is drawn
    window.fill("Learning rate", "0.001")
    window.click("Reset")
    window.until_status("ready")


def test_a_card_fills_the_screen_and_comes_back(window: Window):
    card = window.page.locator(".vv-card").first
    width = window.page.evaluate("probe.figure('latent').inner_width")
    buttons = ("Bokeh.index.find_one(probe.figure('latent').toolbar).tool_button_views"
               ".filter((view) => view.el.isConnected).length")  # fmt: skip
    shown = window.page.evaluate(buttons)
    larger = card.get_by_role("button", name="Full screen")
    larger.click()
    window.page.wait_for_function("document.fullscreenElement !== null")
    assert card.evaluate("(element) => element === element.getRootNode().fullscreenElement")
    window.page.wait_for_function("(width) => probe.figure('latent').inner_width > 2 * width", arg=width)
    larger.click()
    window.page.wait_for_function("document.fullscreenElement === null")
    window.page.wait_for_function("(width) => probe.figure('latent').inner_width === width", arg=width)
    window.until(lambda: window.page.evaluate(buttons) == shown > 3, "the tools are there again")


def test_what_changes_in_one_card_lays_out_no_other(window: Window):
    window.page.evaluate(COUNT_JS, ["latent", "interpolation"])
    window.click("Dimensions")
    window.page.wait_for_function("Bokeh.index.find_one(probe.figure('dimensions'))?.has_finished()")
    laid_out = window.page.evaluate("laid_out")
    assert laid_out["interpolation"] > 0  # it is in the part that the page of the dimensions is put into
    assert laid_out["latent"] == 0


@pytest.mark.parametrize("height", [600, 730, 900])
def test_a_low_window_has_large_planes_and_the_timeline_in_sight(
    new_window: Callable[..., Window], explorer_address: str, height: int
):
    page = new_window(1366, height).open(explorer_address).page
    for name in ("latent", "manifold"):
        plane = page.evaluate("(name) => [probe.figure(name).inner_width, probe.figure(name).inner_height]", name)
        assert min(plane) > 200, name
    for title in ("Latent", "Manifold", "Loss"):
        heading = page.locator(f"b:text-is('{title}')")
        assert heading.evaluate("(b) => b.offsetWidth <= b.closest('div').clientWidth"), title
    live = page.get_by_text("● Live").bounding_box()
    assert live["y"] + live["height"] <= height
    page.locator("b:text-is('Interpolation')").scroll_into_view_if_needed()
    still = page.get_by_text("● Live").bounding_box()
    assert still == live
