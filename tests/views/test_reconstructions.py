"""Which examples are reconstructed, what is said of each, and what they cost."""

import numpy as np
import pytest

import vaeviz as vz
from tests.views.conftest import look, make_dataset, make_run
from vaeviz.latent import per_example_elbo
from vaeviz.views import ExplorerState, ReconstructionView
from vaeviz.views.reconstructions import MOST


def words(view: ReconstructionView) -> dict[str, list[str]]:
    """Return the words around the tiles, by their side."""
    columns = view._tiles._words
    sides: dict[str, list[str]] = {}
    for side, text in zip(columns["side"], columns["words"], strict=True):
        sides.setdefault(side, []).append(text)
    return sides


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_random_examples_are_of_their_split_and_each_is_another(split: str):
    view = ReconstructionView(make_run())
    view.source = split
    assert set(view.ids) <= set(view.state.run.dataset.split(split).tolist())
    assert len(set(view.ids)) == len(view.ids) == min(MOST, len(view.state.run.dataset.split(split)))


def test_random_examples_need_not_be_embedded_ones():
    view = ReconstructionView(make_run(embedded=3))
    view.source = "train"
    assert not set(view.ids) <= set(view.state.frame.snapshot.ids.tolist())


def test_random_examples_stay_through_time_until_others_are_asked_for():
    run = make_run()
    view = ReconstructionView(run)
    view.source = "train"
    first, cost = view.ids, words(view)["below"]
    run.start()
    run.wait()
    look(view.state)
    assert view.state.frame.snapshot.step > 0
    assert view.ids == first
    assert words(view)["below"] != cost
    view._others.clicks += 1
    assert view.ids != first


def test_fewer_examples_are_the_first_of_the_same_draw():
    view = ReconstructionView(make_run())
    view.source = "train"
    many = view.ids
    view.count = 5
    assert view.ids == many[:5]


def test_the_words_are_labels_above_and_the_costs_of_these_examples_below():
    view = ReconstructionView(make_run())
    view.source = "validation"
    dataset, snapshot = view.state.run.dataset, view.state.frame.snapshot
    ids = list(view.ids)
    cost = per_example_elbo(snapshot.vae, dataset.images[ids])
    lines = zip(cost.reconstruction, cost.kl.sum(1), strict=True)
    assert words(view)["below"] == [f"{reconstruction:.1f}\n{kl:.1f}" for reconstruction, kl in lines]
    assert words(view)["above"] == [dataset.class_names[int(dataset.labels[i])] for i in ids]
    assert words(view)["left"] == ["original", "reconstruction", "difference"]


def test_the_upper_row_is_the_examples_themselves():
    view = ReconstructionView(make_run(make_dataset(3, 5, 7)))
    view.source = "test"
    picture = view._pairs().picture
    assert picture.shape == (3 * 5, 7 * len(view.ids), 3)
    expected = view.state.run.dataset.images[view.ids[1]].permute(1, 2, 0).numpy()
    assert picture[:5, 7:14].tolist() == expected.tolist()
    assert np.abs(picture[:5].astype(int) - picture[5:10]).tolist() == pytest.approx(picture[10:].astype(int), abs=1)


def test_a_tile_keeps_the_shape_of_an_image():
    view = ReconstructionView(make_run(make_dataset(1, 5, 8)))
    columns, rows, ratio = view._tiles._shape["size"]
    assert (columns, rows, ratio) == (MOST, 3, pytest.approx(5 / 8))


def test_a_selection_takes_the_place_of_random_examples():
    view = ReconstructionView(make_run())
    view.source = "train"
    view.state.selection = [7, 2]
    assert view.source == "selected"
    assert view.ids == tuple(view.state.frame.snapshot.ids[[7, 2]])


def test_what_is_not_on_the_screen_is_not_made():
    run = make_run()
    view = ReconstructionView(ExplorerState(run), shown=False)
    before = words(view)["below"]
    run.start()
    run.wait()
    look(view.state)
    assert view.state.frame.prepared["reconstructions"] is None
    assert words(view)["below"] == before
    view.shown = True
    assert words(view)["below"] != before


def test_a_split_without_examples_is_not_offered():
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4), dtype=np.uint8)
    view = ReconstructionView(make_run(vz.Dataset.from_arrays(images, validation=0.0, test=0.2)))
    assert list(view._switch.options.values()) == ["selected", "train", "test"]
    view.source = "train"
    view.state.run = make_run(vz.Dataset.from_arrays(images, validation=0.2, test=0.0))
    assert list(view._switch.options.values()) == ["selected", "train", "validation"]
    assert view.source == "train"
    assert words(view)["above"][0] == f"#{view.ids[0]}"  # without labels
