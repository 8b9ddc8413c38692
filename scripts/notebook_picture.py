"""Make the picture of the first notebook in a real JupyterLab, for the README.

python -m scripts.notebook_picture
"""

import tempfile
from pathlib import Path

from tests.browser.driver import ROOT, chromium
from tests.notebooks.lab import Lab, jupyter


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "notebooks"
        folder.mkdir()
        with jupyter(folder, Path(place) / "lab.log") as address, chromium() as browser:
            page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
            lab = Lab(page, address, folder).open(ROOT / "notebooks" / "01_train_and_look.ipynb")
            lab.run_all()
            lab.wait_for_figures("latent", 2)
            lab.scroll_to("latent", 0)
            page.get_by_text("finished").first.wait_for(timeout=120e3)
            page.wait_for_timeout(3000)
            path = ROOT / "docs" / "images" / "notebook.png"
            page.screenshot(path=path)
            print(path)


if __name__ == "__main__":
    main()
