"""The timeline turns every view of a state to one step, and back to the newest."""

import asyncio

import numpy as np
import pytest

from tests.views.conftest import look, make_run
from vaeviz import TrainingRun
from vaeviz.views import Explorer, ExplorerState, LossView
from vaeviz.views.timeline import TimelineView


@pytest.fixture(scope="module")
def trained() -> TrainingRun:
    run = make_run(epochs=10)
    run.start()
    run.wait()
    return run


@pytest.fixture
def timeline(trained: TrainingRun) -> TimelineView:
    return TimelineView(ExplorerState(trained))


def test_it_has_a_place_for_each_kept_step(timeline: TimelineView, trained: TrainingRun):
    assert timeline.state.kept == trained.steps == [0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 30]
    assert timeline._slider.end == len(trained.steps) - 1
    assert timeline._slider.value == timeline._slider.end  # live: the newest


def test_a_slide_shows_that_step_in_every_view(trained: TrainingRun):
    explorer = Explorer(trained)
    newest = explorer.latent._dots._data["horizontal"] if explorer.latent._dots._data else None
    tiles = explorer.state.frame.manifold.copy()
    state = explorer.state
    explorer.timeline._slider._handle_msg(3)
    look(state)
    assert (state.at, state.live, state.frame.snapshot.step) == (3, False, 3)
    assert not np.array_equal(state.frame.manifold, tiles)
    shown = explorer.latent._dots._data["horizontal"]
    np.testing.assert_array_equal(shown, trained.snapshot(3).mu[:, 0].astype(np.float32))
    assert newest is None or not np.array_equal(shown, newest)
    assert "shown: step 3" in explorer.status.words()


@pytest.mark.parametrize(("wanted", "kept"), [(0, 0), (5, 6), (7, 8), (13, 11), (14, 16), (10**9, 30), (-4, 0)])
def test_a_step_that_is_not_kept_turns_to_the_nearest_in_logarithmic_time(
    timeline: TimelineView, wanted: int, kept: int
):
    timeline.state.go_to(wanted)
    assert timeline.state.frame.snapshot.step == kept


def test_live_returns_to_the_newest_and_leaving_it_stays_where_one_is(timeline: TimelineView):
    timeline.state.go_to(4)
    assert not timeline.live
    timeline.live = True
    assert timeline.state.frame.snapshot.step == 30
    timeline.live = False
    assert (timeline.state.live, timeline.state.at) == (False, 30)


def test_playing_shows_each_step_in_turn_and_ends_at_the_last(timeline: TimelineView, trained: TrainingRun):
    async def play() -> list[int]:
        timeline.playing = True
        seen = [timeline.state.frame.snapshot.step]
        while timeline.playing:
            timeline.advance()
            seen.append(timeline.state.frame.snapshot.step)
        return seen

    assert list(dict.fromkeys(asyncio.run(play()))) == trained.steps


def test_what_a_browser_tells_back_of_the_knob_does_not_end_live_however_late(timeline: TimelineView):
    timeline._slider.value = 3
    assert timeline.state.live
    timeline.state.go_to(4)
    timeline.state.go_live()
    assert timeline._slider.value == timeline._slider.end


def test_a_place_that_the_run_does_not_have_is_no_wish(timeline: TimelineView):
    for place in (-1, 11, 10**6):
        timeline._slider._handle_msg(place)
        assert timeline.state.live


@pytest.mark.parametrize(("keys", "step"), [(["Home"], 0), (["Home", "ArrowRight", "ArrowRight"], 2),
                                            (["End", "ArrowLeft"], 23), (["Home", "ArrowLeft"], 0)])  # fmt: skip
def test_keys_turn_it(timeline: TimelineView, keys: list[str], step: int):
    for key in keys:
        timeline._keys._handle_msg(key)
    assert timeline.state.frame.snapshot.step == step


def test_while_training_goes_on_the_step_that_is_shown_stays():
    run = make_run(epochs=100_000)
    state = ExplorerState(run)
    run.start()
    try:
        while len(run.steps) < 12:
            look(state)
        state.go_to(8)
        before = run.step
        while run.step < before + 50:
            look(state)
        assert state.frame.snapshot.step == 8
        state.go_live()
        look(state)
        assert state.frame.snapshot.step > 8
    finally:
        run.stop()


def test_a_new_run_begins_live(timeline: TimelineView):
    timeline.state.go_to(2)
    timeline.state.run = make_run()
    assert timeline.state.live
    assert timeline.live
    assert timeline._slider.disabled  # one step only: nothing to turn


def test_the_loss_marks_the_step_and_a_tap_turns_to_the_nearest(trained: TrainingRun):
    view = LossView(ExplorerState(trained))
    assert not view._mark.visible

    class Tap:
        x = 7.6

    view._on_tap(Tap)
    assert (view.state.frame.snapshot.step, view._mark.location, view._mark.visible) == (8, 8.0, True)
    view.log_steps = True
    assert view._mark.location == pytest.approx(np.log10(8))
    Tap.x = 1.2
    view._on_tap(Tap)
    assert view.state.frame.snapshot.step == 16


def test_a_selection_stays_selected_through_time_and_endpoints_follow_their_examples(trained: TrainingRun):
    state = ExplorerState(trained)
    state.selection = [5, 9]
    state.follow_example(0, 5)
    free = state.endpoints[1].copy()
    state.go_to(2)
    assert state.selection == [5, 9]
    np.testing.assert_allclose(state.endpoints[0], trained.snapshot(2).mu[5], rtol=1e-6)
    np.testing.assert_array_equal(state.endpoints[1], free)
    with pytest.raises(ValueError, match="from 0 to"):
        state.follow_example(0, 10_000)
