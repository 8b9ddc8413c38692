"""Makes the pictures of the README from the real app.

python -m scripts.screenshots
"""

import tempfile
from pathlib import Path

from tests.browser.driver import EXPLORER, ROOT, Window, chromium, served

IMAGES = ROOT / "docs" / "images"
SECONDS = 60


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(EXPLORER, Path(folder) / "log") as address,
        chromium() as browser,
    ):
        window = Window(browser.new_page(viewport={"width": 1440, "height": 900})).open(f"{address}?run=new")
        window.fill("Epochs", "1000")
        window.click("Train")
        window.page.wait_for_timeout(SECONDS * 1000)  # what a person sees after a minute of training
        print(window.status())
        window.click("Pause")
        window.until_status("paused")
        window.hover("latent", 0.3, 0.4)
        window.until(lambda: f"shown: step {window.step():,}" in window.status(), "the views show the last step")
        window.page.wait_for_timeout(1000)
        window.page.screenshot(path=IMAGES / "explorer-light.png")
        window.page.locator(".MuiAppBar-root button").last.click()
        window.click("u = Φ(z)")
        window.until(lambda: window.page.evaluate("probe.figure('latent').y_range.reset_end") == 1, "the axes are u")
        window.page.evaluate(
            "probe.figure('latent').toolbar.tools.find((t) => t.type === 'LassoSelectTool').active = true"
        )
        window.drag("latent", (0.1, 0.1), (0.45, 0.1), (0.45, 0.45), (0.1, 0.45), (0.1, 0.1))
        window.until(lambda: window.page.evaluate("probe.source('latent', 'examples').selected.indices.length"), "some")
        window.hover("latent", 0.5, 0.6)
        window.page.wait_for_timeout(1500)
        window.page.screenshot(path=IMAGES / "explorer-dark.png")


if __name__ == "__main__":
    main()
