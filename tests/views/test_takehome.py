"""What is taken home: every picture and film is a file that can be opened, of the step that is shown."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from tests.views.conftest import make_dataset, make_run
from vaeviz.views import ExplorerState
from vaeviz.views.takehome import FILMS, PICTURES, TakeHomeView, make_file


@pytest.fixture(scope="module", params=[1, 2, 3], ids="{}-D".format)
def view(request: pytest.FixtureRequest) -> TakeHomeView:
    run = make_run(make_dataset(height=8, width=8), latent_dim=request.param, epochs=1)
    run.start()
    run.wait()
    return TakeHomeView(ExplorerState(run))


def nobody(done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("picture", PICTURES)
def test_every_picture_can_be_drawn(view: TakeHomeView, picture: str):
    png = make_file("png", picture, "both", view._wish(), nobody)
    assert np.asarray(Image.open(io.BytesIO(png)).convert("L")).std() > 1  # something is on it
    assert b"<svg" in make_file("svg", picture, "both", view._wish(), nobody)[:600]


@pytest.mark.parametrize("film", FILMS.values())
def test_a_film_has_a_frame_for_every_kept_step(view: TakeHomeView, film: str):
    told = []
    gif = make_file("gif", "", film, view._wish(), lambda done, total: told.append((done, total)))
    assert Image.open(io.BytesIO(gif)).n_frames == len(view.state.run.steps)
    assert told[-1][0] == told[-1][1]


def test_metrics_and_examples_are_tables(view: TakeHomeView):
    rows = list(csv.DictReader(io.StringIO(make_file("metrics csv", "", "both", view._wish(), nobody).decode())))
    metrics, _ = view.state.run.metrics_since(0)
    assert len(rows) == len(metrics)
    view.state.selection = [4, 2]
    arrays = np.load(io.BytesIO(make_file("examples npz", "", "both", view._wish(), nobody)), allow_pickle=False)
    snapshot = view.state.frame.snapshot
    assert arrays["ids"].tolist() == snapshot.ids[[4, 2]].tolist()
    np.testing.assert_array_equal(arrays["codes"], view.state.endpoints.astype(arrays["codes"].dtype))
    table = list(csv.DictReader(io.StringIO(make_file("examples csv", "", "both", view._wish(), nobody).decode())))
    assert [float(row["mu1"]) for row in table] == pytest.approx(snapshot.mu[[4, 2], 0].tolist(), rel=1e-5)
    view.state.selection = []


def test_the_step_of_the_timeline_is_what_is_drawn(view: TakeHomeView):
    newest = make_file("png", "manifold", "both", view._wish(), nobody)
    view.state.go_to(0)
    assert view.file_name("png").endswith("step-0.png")
    assert make_file("png", "manifold", "both", view._wish(), nobody) != newest
    view.state.go_live()


def test_a_run_without_metrics_says_so():
    view = TakeHomeView(ExplorerState(make_run()))
    with pytest.raises(ValueError, match="metrics"):
        make_file("png", "loss", "both", view._wish(), nobody)


def test_examples_can_be_saved_once_some_are_selected(state: ExplorerState):
    view = TakeHomeView(state)
    assert all(button.disabled for button in view._of_selection)
    state.selection = [1]
    assert not any(button.disabled for button in view._of_selection)
