"""The bars of KL and the traversals: in their order, for any number of dimensions, and the planes that a tap turns."""

import re

import numpy as np
import pytest
import torch
from bokeh.events import Tap
from torch import nn

import vaeviz as vz
from tests.views.conftest import look, make_dataset, make_run
from vaeviz.latent import decode, kl_per_dimension, traversal_ticks
from vaeviz.views import DimensionsView, ExplorerState
from vaeviz.views.dimensions import DEAD, MOST_BARS, ROWS, TICKS, limit, name
from vaeviz.views.palette import MARK
from vaeviz.views.pictures import to_bytes


class HalfDead(nn.Module):
    """Encodes an image by its mean in dimension 1, and says nothing in the others."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.latent_dim = latent_dim

    def forward(self, x):
        mu = torch.zeros(len(x), self.latent_dim)
        mu[:, 1] = 20 * self.weight * (x.mean((1, 2, 3)) - 0.5)
        return mu, torch.zeros_like(mu)


def half_dead(latent_dim: int = 3) -> vz.TrainingRun:
    decoder = nn.Sequential(nn.Linear(latent_dim, 48), nn.Unflatten(1, (1, 6, 8)))
    return make_run(model=vz.VAE(HalfDead(latent_dim), decoder, latent_dim))


@pytest.mark.parametrize("latent_dim", [1, 2, 50, 1000])
def test_bars_are_in_the_order_of_kl_and_bounded(latent_dim: int):
    view = DimensionsView(make_run(latent_dim=latent_dim))
    kl = kl_per_dimension(*view.state.frame.snapshot.embedding)
    bars = view._bars.data
    assert bars["kl"] == pytest.approx(sorted(kl, reverse=True)[:MOST_BARS])
    assert bars["kl"] == pytest.approx([kl[int(word[1:]) - 1] for word in bars["name"]])
    words = re.sub("<[^>]*>", "", view._title.object)
    assert words.endswith(f"of {latent_dim:,} active · KL {kl.sum():.1f} nats")
    assert view._figure.y_range.end >= max(kl)
    assert len(view._figure.xaxis.ticker.ticks) <= 11


def test_dead_dimensions_are_gray_and_counted():
    view = DimensionsView(half_dead())
    bars = view._bars.data
    assert bars["name"] == ["z2", "z1", "z3"]
    assert [color == DEAD for color in bars["color"]] == [False, True, True]
    assert "1 of 3 active" in view._title.object


def test_the_traversals_are_decoded_from_the_first_selected_example():
    view = DimensionsView(make_run(latent_dim=12))
    view.state.selection = [4, 2]
    shown = view._shown
    snapshot = view.state.frame.snapshot
    code = snapshot.mu[4].copy()
    code[shown.rows[3]] = traversal_ticks(TICKS)[7]
    expected = to_bytes(decode(snapshot.vae, code[None]))[0, 0]
    tile = shown.picture[3 * 6 : 4 * 6, 7 * 8 : 8 * 8, 0]
    assert np.abs(tile.astype(int) - expected).max() <= 1


def test_with_two_dimensions_too_they_follow_the_selection():
    view = DimensionsView(make_run())
    before = view._shown.picture
    view.state.selection = [4]
    assert (view._shown.picture != before).any()


def test_rows_are_named_with_their_kl_and_more_of_them_are_on_further_pages():
    view = DimensionsView(make_run(make_dataset(3), latent_dim=23))
    view.first = 20
    shown = view._shown
    assert shown.rows.tolist() == shown.order[20:].tolist()
    assert shown.picture.shape == (3 * 6, TICKS * 8, 3)
    columns = view._tiles._words
    assert columns["words"][0] == f"{name(shown.rows[0])} · {shown.kl[shown.rows[0]]:.2f} nats"
    assert view._pages.options == {"rows 1–10": 0, "rows 11–20": 10, "rows 21–23": 20}


def test_a_run_with_fewer_dimensions_begins_on_the_first_page():
    state = ExplorerState(make_run(latent_dim=30))
    view = DimensionsView(state, first=20)
    state.run = make_run(latent_dim=2)
    assert len(view._shown.rows) == 2
    assert view.first == 0
    assert not view._pages.visible


def test_a_tap_on_a_bar_puts_its_dimension_across_and_the_former_one_up():
    view = DimensionsView(make_run(latent_dim=50))
    state = view.state
    state.plane_kind = "PCA"
    fifth = int(view._shown.order[4])
    view._on_tap(Tap(model=None, x=4.3, y=0.1))
    assert (state.axes, state.plane_kind) == ((fifth, 0), "axes")
    assert state.plane.axes == (fifth, 0)
    marked = [word for word, line in zip(view._bars.data["name"], view._bars.data["line"], strict=True) if line == MARK]
    assert sorted(marked) == sorted([name(fifth), "z1"])
    view._on_tap(Tap(model=None, x=4.3, y=0.1))  # once more changes nothing
    view._on_tap(Tap(model=None, x=70.0, y=0.1))  # and where there is no bar, neither
    assert state.axes == (fifth, 0)


def test_a_tap_on_a_row_of_the_traversals_does_the_same():
    view = DimensionsView(make_run(latent_dim=50))
    view._tiles._on_tap(Tap(model=None, x=3.5, y=0.5))  # the lowest row
    assert view.state.axes[0] == view._shown.order[ROWS - 1]


def test_one_dimension_can_be_tapped():
    view = DimensionsView(make_run(latent_dim=1))
    view._on_tap(Tap(model=None, x=0, y=0.1))
    assert view.state.plane.axes == (0,)


def test_what_is_not_on_the_screen_is_not_decoded():
    run = make_run()
    view = DimensionsView(ExplorerState(run), shown=False)
    run.start()
    run.wait()
    look(view.state)
    assert view._shown is None
    view.shown = True
    assert view._shown is not None
    assert view._bars.data["name"]


@pytest.mark.parametrize(("largest", "end"), [(0.0, 0.01), (0.97, 1.0), (1.0, 1.0), (3.1, 4.0), (64.0, 80.0)])
def test_the_axis_ends_at_one_of_a_few_numbers(largest: float, end: float):
    assert limit(largest) == pytest.approx(end)
