"""The loss under the hand while it trains: a real server, a real Chromium, real digits."""

import pytest

from tests.browser.driver import Window

pytestmark = pytest.mark.browser


def ranges(window: Window) -> list[float]:
    return window.page.evaluate(
        "(({x_range: x, y_range: y}) => [x.start, x.end, y.start, y.end])(probe.figure('loss'))"
    )


def rows(window: Window) -> int:
    return len(window.column("loss", "train", "x"))


def follows(window: Window) -> bool:
    return window.page.evaluate("probe.models().find((m) => m.label === 'Follow').value")


def wait_for_rows(window: Window, more: int) -> None:
    drawn = rows(window)
    window.until(lambda: rows(window) > drawn + more, "there are more rows")


@pytest.fixture
def training(window: Window) -> Window:
    """A window in which a training goes on for long."""
    window.fill("Epochs", "10000")
    window.click("Train")
    wait_for_rows(window, 10)
    return window


def test_a_zoom_by_the_wheel_stays_while_it_trains_until_all_is_followed_again(training: Window):
    first = ranges(training)
    training.until(lambda: ranges(training)[1] > first[1], "the axes follow")
    left, right, bottom, top = ranges(training)
    training.hover("loss", (left + right) / 2, (bottom + top) / 2)
    training.page.mouse.wheel(0, -400)
    training.until(lambda: not follows(training), "it no longer follows")
    zoomed = ranges(training)
    assert zoomed[0] > left
    assert zoomed[1] < right
    wait_for_rows(training, 10)
    assert ranges(training) == zoomed
    training.page.locator(".MuiToggleButton-root:text-is('Follow')").first.click()
    training.until(lambda: ranges(training)[0] == 0 and ranges(training)[1] > right, "all is seen again")
    seen = ranges(training)
    training.until(lambda: ranges(training)[1] > seen[1], "the axes follow again")


def test_a_zoom_of_which_the_server_does_not_know_yet_stays(training: Window):
    zoomed = training.page.evaluate(
        """() => {
          const {x_range, y_range} = probe.figure("loss")
          const part = ({start, end}) => ({start: start + (end - start) / 4, end: end - (end - start) / 4})
          const [x, y] = [part(x_range), part(y_range)]
          x_range.setv(x, {sync: false})
          y_range.setv(y, {sync: false})
          return [x.start, x.end, y.start, y.end]
        }"""
    )
    wait_for_rows(training, 10)
    assert follows(training)
    assert ranges(training) == zoomed
