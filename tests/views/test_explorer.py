"""Every view, drawn without a browser: on gray and colour, on any number of dimensions, with and without labels."""

import numpy as np
import pytest
from bokeh.models import Plot

import vaeviz as vz
from tests.views.conftest import look, make_dataset, make_run
from vaeviz.views import Explorer, ExplorerState

FIGURES = {"loss", "latent", "manifold", "cursor", "interpolation", "reconstructions"}


def figures(view) -> dict[str, Plot]:
    root = view._layout.get_root()
    return {model.name: model for model in root.references() if isinstance(model, Plot)}


def turned_over(explorer: Explorer) -> set[str]:
    """Return the names of all figures, when each lower page has been turned to."""
    for page in explorer.param.lower.objects:
        explorer.lower = page
    return set(figures(explorer))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_the_explorer_draws_all_figures(channels: int, latent_dim: int):
    explorer = Explorer(make_run(make_dataset(channels), latent_dim))
    assert turned_over(explorer) >= FIGURES


def test_a_page_is_made_when_it_is_first_turned_to():
    explorer = Explorer(make_run())
    assert "reconstructions" not in figures(explorer)
    explorer.lower = "Reconstructions"
    assert "reconstructions" in figures(explorer)
    made = explorer._pages["Reconstructions"].objects
    explorer.lower = "Interpolation"
    explorer.lower = "Reconstructions"
    assert explorer._pages["Reconstructions"].objects == made


@pytest.mark.parametrize(
    "view", [vz.LatentView, vz.ManifoldView, vz.LossView, vz.InterpolationView, vz.ReconstructionView, vz.CursorView]
)
def test_a_view_takes_a_run_itself_or_a_shared_state(view: type):
    run = make_run()
    state = ExplorerState(run)
    assert view(run).state is not state
    assert view(state).state is state


def test_data_without_labels_can_be_explored():
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    explorer = Explorer(make_run(vz.Dataset.from_arrays(images)))
    assert turned_over(explorer) >= FIGURES


def test_more_than_ten_classes_are_chosen_by_a_search():
    explorer = Explorer(make_run(make_dataset(classes=15, count=300)))
    (search,) = explorer.latent._legend
    search.value = [3]
    horizontal = explorer.latent._points()[:, 0]
    assert np.isfinite(horizontal[explorer.latent._classes() == 3]).all()
    assert np.isnan(horizontal[explorer.latent._classes() != 3]).all()


def test_a_hidden_class_is_not_drawn_and_keeps_its_rows():
    explorer = Explorer(make_run())
    explorer.latent.hidden_classes = [1]
    points, classes = explorer.latent._points(), explorer.latent._classes()
    assert len(points) == len(explorer.state.frame.snapshot.ids)
    assert np.isnan(points[classes == 1]).all()


@pytest.mark.parametrize("color_by", ["label", "KL", "σ"])
def test_colours_lie_within_their_limits(color_by: str):
    explorer = Explorer(make_run())
    explorer.latent.color_by = color_by
    _, values, colors, (low, high) = explorer.latent._scatter()
    assert low < high
    assert len(colors) >= 2
    assert np.isfinite(values).all()


def test_in_u_the_backdrop_is_the_manifold_itself():
    explorer = Explorer(make_run())
    explorer.state.coordinates = "u"
    picture, bounds = explorer.latent._backdrop()
    assert picture is explorer.state.frame.manifold
    assert bounds == (0, 0, 1, 1)
    explorer.state.manifold_range = "z"  # not uniform in u: it would lie
    look(explorer.state)
    assert explorer.latent._backdrop()[0].shape[:2] == (1, 1)


def test_a_selection_fills_the_reconstructions_and_turns_their_page():
    explorer = Explorer(make_run())
    explorer.state.selection = [5, 3, 9]
    assert explorer.reconstructions.rows == [5, 3, 9]
    assert explorer.lower == "Reconstructions"
    assert explorer.reconstructions._pairs().picture.shape == (18, 24, 1)


def test_a_large_selection_is_shown_evenly():
    explorer = Explorer(make_run())
    explorer.state.selection = list(range(60))
    assert explorer.reconstructions.rows[0] == 0
    assert explorer.reconstructions.rows[-1] == 59


def test_endpoints_can_be_taken_from_the_selection():
    explorer = Explorer(make_run())
    explorer.state.selection = [4, 8]
    explorer.interpolation.controls._on_pick(None)
    assert explorer.state.endpoints == pytest.approx(explorer.state.frame.snapshot.mu[[4, 8]])


def test_a_run_on_colour_images_takes_the_place_of_one_on_gray_images():
    explorer = Explorer(make_run())
    figures(explorer)
    explorer.state.run = make_run(make_dataset(3, 5, 7), latent_dim=3)
    assert turned_over(explorer) >= FIGURES
    assert explorer.state.frame.manifold.shape == (100, 140, 3)


def test_names_of_classes_are_text_and_not_markup():
    dataset = vz.Dataset.from_arrays(
        np.zeros((20, 4, 4), np.uint8), ["<script>alert(1)</script>"] * 20, name="<img src=x>"
    )
    explorer = Explorer(make_run(dataset))
    assert "<script>" not in explorer.reconstructions._title.object
    assert "<img" not in explorer.status._line.object


def test_axes_are_chosen_where_there_are_more_than_two():
    explorer = Explorer(make_run(latent_dim=4))
    assert explorer.latent._across.visible
    explorer.latent._up.value = 3
    assert explorer.state.axes == (0, 3)
    explorer.latent._across.value = 3  # the same twice: the other gives way
    assert explorer.state.axes == (3, 0)
    assert (explorer.latent._across.value, explorer.latent._up.value) == (3, 0)
    explorer.state.run = make_run(latent_dim=2)
    assert not explorer.latent._across.visible
    assert explorer.state.axes == (0, 1)
