"""Which codes a route goes through, without a page."""

import numpy as np
import pytest

import vaeviz as vz
from tests.views.conftest import make_dataset, make_run
from vaeviz.latent import path, random_walk
from vaeviz.views import ExplorerState
from vaeviz.views.journey import (
    LINE_FRAMES,
    MOST_STOPS,
    STOPS,
    Journey,
    checked_stops,
    example_row,
    plan_journey,
    route_line,
    stop_rows,
    typical_rows,
)


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_from_a_to_b_the_frames_are_the_path_between_the_endpoints(state: ExplorerState, kind: str):
    state.path_kind = kind
    journey = plan_journey(state)
    assert not journey.loop
    assert journey.codes == pytest.approx(path(*state.endpoints, LINE_FRAMES, kind))


@pytest.mark.parametrize("latent_dim", [1, 2, 50])
def test_a_morph_passes_each_chosen_example_in_order_and_returns(latent_dim: int):
    state = ExplorerState(make_run(latent_dim=latent_dim), route="morph", frames_per_leg=4)
    state.morph_rows = [7, 2, 11]
    journey = plan_journey(state)
    assert journey.loop
    assert len(journey.codes) == 12
    assert journey.codes[::4] == pytest.approx(state.frame.snapshot.mu[[7, 2, 11]])
    back = journey.codes[8] + 0.75 * (journey.codes[0] - journey.codes[8])
    assert journey.codes[-1] == pytest.approx(back)


def test_a_morph_of_no_chosen_ones_takes_the_most_typical_of_each_class(state: ExplorerState):
    mu, classes = state.frame.snapshot.mu, state.run.dataset.labels.numpy()[state.frame.snapshot.ids]
    rows = stop_rows(state)
    assert classes[rows].tolist() == [0, 1, 2]
    for number, row in enumerate(rows):
        far = np.linalg.norm(mu - mu[classes == number].mean(0), axis=1)
        assert far[row] == far[classes == number].min()


def test_without_labels_typical_ones_are_at_even_distances():
    images = np.random.default_rng(0).integers(0, 256, (100, 6, 6), dtype=np.uint8)
    run = make_run(vz.Dataset.from_arrays(images))
    rows = typical_rows(run.dataset, run.snapshot())
    assert len(set(rows)) == STOPS
    assert rows[0] == 0
    assert rows[-1] == len(run.snapshot().ids) - 1


def test_one_class_alone_is_morphed_through_like_data_without_labels():
    run = make_run(make_dataset(classes=1))
    assert len(typical_rows(run.dataset, run.snapshot())) == STOPS


def test_a_walk_is_the_seeds_own_and_under_the_prior(state: ExplorerState):
    state.param.update(route="walk", walk_seed=3, walk_frames=50)
    assert plan_journey(state).codes == pytest.approx(random_walk(2, 50, seed=3))
    before = plan_journey(state).codes
    state.walk_seed = 4
    assert (plan_journey(state).codes != before).any()


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_a_drawn_line_is_walked_at_an_even_pace(latent_dim: int):
    state = ExplorerState(make_run(latent_dim=latent_dim), route="drawn")
    assert len(plan_journey(state).codes) == 0
    state.drawn = np.array([[-1.0, 0], [-0.9, 0], [1, 0], [1, 0]])
    journey = plan_journey(state)
    assert journey.codes.shape == (LINE_FRAMES, latent_dim)
    assert journey.codes[:, 0] == pytest.approx(np.linspace(-1, 1, LINE_FRAMES))
    assert state.in_plane(journey.codes)[:, 1] == pytest.approx(0)


def test_a_drawn_line_holds_the_other_dimensions_at_the_first_selected_example():
    state = ExplorerState(make_run(latent_dim=4), route="drawn")
    state.drawn = np.array([[0.0, 0], [1, 1]])
    state.selection = [5]
    assert (plan_journey(state).codes[:, 2:] == state.frame.snapshot.mu[5, 2:].astype(float)).all()


def test_another_step_has_the_examples_where_they_are_then(state: ExplorerState):
    state.param.update(route="morph", morph_rows=[1, 2])
    before = plan_journey(state).codes
    state.run.start()
    state.run.wait()
    state.refresh()
    after = plan_journey(state).codes
    assert after[0] == pytest.approx(state.frame.snapshot.mu[1])
    assert after[0] != pytest.approx(before[0])
    state.go_to(0)
    assert plan_journey(state).codes == pytest.approx(before)


def test_t_counts_the_frames_and_wraps_in_a_loop():
    codes = np.arange(4.0)[:, None]
    line, loop = Journey(codes, loop=False), Journey(codes, loop=True)
    assert [line.frame_at(t) for t in (0, 0.3, 0.4, 1)] == [0, 1, 1, 3]
    assert [loop.frame_at(t) for t in (0, 0.25, 0.5, 0.75, 1)] == [0, 1, 2, 3, 0]
    assert line.along(2)[:, 0].tolist() == [0, 3]
    assert loop.along(2)[:, 0].tolist() == [0, 2]


@pytest.mark.parametrize("route", ["A to B", "morph", "walk", "drawn"])
def test_the_line_on_the_planes_has_few_points_and_the_routes_ends(state: ExplorerState, route: str):
    state.param.update(route=route, frames_per_leg=100, drawn=np.array([[0.0, 0], [1, 1]]))
    line, journey = route_line(state), plan_journey(state)
    assert len(line) <= 200
    assert line[0] == pytest.approx(journey.codes[0])
    assert line[-1] == pytest.approx(journey.codes[0 if journey.loop else -1])


@pytest.mark.parametrize("count", [0, 1, MOST_STOPS + 1])
def test_too_few_or_too_many_stops_are_refused_in_words(count: int):
    with pytest.raises(ValueError, match=r"selected: a morph goes through 2 to 50"):
        checked_stops(list(range(count)))


@pytest.mark.parametrize("words", ["12", " #12 ", "1,2"])
def test_the_number_of_an_example_may_be_written_in_several_ways(words: str):
    assert example_row(words, 13) == 12


@pytest.mark.parametrize("words", ["60", "-1", "1.5", "x", "²", "9" * 30])
def test_a_number_out_of_range_is_refused_in_words(words: str):
    with pytest.raises(ValueError, match="must be a whole number from 0 to 59, or empty"):
        example_row(words, 60)
