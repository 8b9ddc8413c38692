"""Views in a real JupyterLab and a real Notebook 7, as a person has them there."""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.browser.driver import ROOT, chromium, wait_until
from tests.notebooks.lab import Lab, jupyter

WIDGETS = """
import ipywidgets, vaeviz as vz

data = vz.load_dataset("digits")
model = vz.DenseVAE(data.image_shape, hidden_sizes=(32,))
run = vz.TrainingRun(model, data, vz.TrainConfig(epochs=100_000, device="cpu"))
state = vz.ExplorerState(run)
run.start()
ipywidgets.HBox([vz.LatentView(state).ipywidget(width=500), vz.CursorView(state).ipywidget(width=300)])
"""

NOTEBOOKS_OWN = "Cannot read properties of undefined (reading 'schema')"
"""Notebook 7.6 says this of its settings whenever it opens a notebook, also one with no view in it."""


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    front_end = getattr(request, "param", "jupyterlab")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    with jupyter(folder, tmp_path / "lab.log", front_end) as address, chromium() as browser:
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        lab = Lab(page, address, folder)
        yield lab
        assert [error for error in lab.errors if error != NOTEBOOKS_OWN] == []
        assert lab.strangers == [], "no network is needed"


@pytest.mark.parametrize("lab", ["jupyterlab", "notebook"], indirect=True)
def test_all_cells_run_and_the_views_live_and_agree(lab: Lab):
    lab.open(ROOT / "notebooks" / "01_train_and_look.ipynb").run_all()
    lab.wait_for_figures("latent", 2)
    lab.scroll_to("latent", 0)

    rows, points = len(lab.column("loss", 0, "train", "x")), lab.column("latent", 0, "examples", "horizontal")
    wait_until(lambda: len(lab.column("loss", 0, "train", "x")) > rows + 3, "the loss curve grows")
    wait_until(lambda: lab.column("latent", 0, "examples", "horizontal") != points, "the scatter moves")

    image = lab.pixels("cursor", 0, "decoded")
    lab.hover("latent", 0, 1.0, 0.5)
    wait_until(lambda: lab.pixels("cursor", 0, "decoded") != image, "the decoded image follows the mouse")
    lab.hover("manifold", 0, 0.3, 0.7)
    wait_until(lambda: lab.spot("latent", 0) == pytest.approx([-0.524, 0.524], abs=0.05), "the mouse is marked")
    wait_until(lambda: lab.spot("latent", 1) == lab.spot("latent", 0), "the view of the other cell agrees")
    point_beyond_the_first_range(lab)

    wait_until(
        lambda: lab.column("latent", 0, "examples", "horizontal") == lab.column("latent", 1, "examples", "horizontal"),
        "both cells show the same step",
    )


def test_views_stand_beside_each_other_as_ipywidgets_and_live(lab: Lab, tmp_path: Path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(WIDGETS)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "widgets.ipynb")
    lab.open(tmp_path / "widgets.ipynb").run_all()
    lab.wait_for_figures("latent")
    lab.wait_for_figures("cursor")
    points = lab.column("latent", 0, "examples", "horizontal")
    wait_until(lambda: lab.column("latent", 0, "examples", "horizontal") != points, "the scatter moves")
    latent, cursor = (lab.page.evaluate("(n) => probe.box(n)", name) for name in ("latent", "cursor"))
    assert latent["width"] == pytest.approx(500, abs=40)
    assert latent["height"] > 250
    assert cursor["left"] >= latent["left"] + latent["width"]
    image = lab.pixels("cursor", 0, "decoded")
    lab.hover("latent", 0, 1.0, 0.5)
    wait_until(lambda: lab.pixels("cursor", 0, "decoded") != image, "the decoded image follows the mouse")
    point_beyond_the_first_range(lab)


def point_beyond_the_first_range(lab: Lab) -> None:
    """Zoom out, point at what is seen now and was not before, and see that the cursor is there."""
    end = "probe.figures('latent')[0].x_range.end"
    before = lab.page.evaluate(end)
    lab.hover("latent", 0, 0.0, 0.0)
    lab.page.mouse.wheel(0, 600)
    wait_until(lambda: lab.page.evaluate(end) > 1.5 * before, "it is zoomed out")
    there = 0.9 * lab.page.evaluate(end)
    lab.hover("latent", 0, there, 0.5)
    words = "Bokeh.documents.flatMap((d) => [...d.all_models]).find((m) => m.name === 'cursor words').data.words[0]"

    def is_there() -> bool:
        told = re.search(r"z1 = \+(\d+\.\d+)", lab.page.evaluate(words))
        return told is not None and float(told[1]) == pytest.approx(there, abs=0.1)

    wait_until(is_there, "the cursor is there")
