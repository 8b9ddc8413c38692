import asyncio
from weakref import WeakSet

import numpy as np
import pytest
from bokeh.application import Application
from bokeh.document import Document
from bokeh.server.contexts import ApplicationContext
from bokeh.server.session import ServerSession
from panel.io.state import set_curdoc
from scipy.special import ndtri
from tornado.ioloop import IOLoop

from tests.views.conftest import look, make_run
from vaeviz.latent import decode
from vaeviz.views import ExplorerState
from vaeviz.views.pictures import to_bytes
from vaeviz.views.state import LONGEST_OF_MANY, LONGEST_REFRESH, LONGEST_REST, LOOKING_SHARE, WATCHING_SHARE


def test_a_state_begins_at_the_origin_of_the_newest_snapshot(state: ExplorerState):
    assert state.frame.snapshot is state.run.snapshot()
    assert state.cursor.tolist() == [0, 0]
    assert state.frame.manifold.shape == (20 * 6, 20 * 8, 1)


def test_the_manifolds_top_right_tile_is_the_decoded_top_right_code(state: ExplorerState):
    last = ndtri(1 - 0.5 / 20)
    expected = to_bytes(decode(state.frame.snapshot.vae, np.array([[last, last]], np.float32)))[0, 0]
    assert np.abs(state.frame.manifold[:6, -8:, 0].astype(int) - expected).max() <= 1


def test_other_sides_and_ranges_make_the_manifold_anew(state: ExplorerState):
    state.manifold_side = 10
    assert state.frame.manifold.shape == (60, 80, 1)
    before = state.frame.manifold
    state.manifold_range = "z"
    assert state.frame.coordinates == "z"
    assert (state.frame.manifold != before).any()


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 50])
def test_any_number_of_dimensions_has_a_manifold_and_a_cursor(latent_dim: int):
    state = ExplorerState(make_run(latent_dim=latent_dim))
    state.point_at(state.code_at(0.5, -0.5), "latent")
    assert state.cursor.shape == (latent_dim,)
    assert state.frame.manifold.shape == ((1 if latent_dim == 1 else 20) * 6, 160, 1)
    assert state.in_plane(state.endpoints).shape == (2, 2)


def test_other_axes_are_held_at_the_first_selected_example():
    state = ExplorerState(make_run(latent_dim=4))
    state.axes = (1, 3)
    state.selection = [7, 2]
    code = state.code_at(0.25, 0.5)
    mu = state.frame.snapshot.mu[7]
    assert code.tolist() == pytest.approx([mu[0], 0.25, mu[2], 0.5])


def test_one_axis_cannot_be_chosen_twice():
    state = ExplorerState(make_run(latent_dim=3))
    state.axes = (2, 2)
    assert state.axes == (2, 0)


def test_the_nearest_example_is_the_one_with_the_nearest_mean(state: ExplorerState):
    assert state.nearest_row(state.frame.snapshot.mu[11].astype(float)) == 11


def test_placing_an_endpoint_moves_that_one(state: ExplorerState):
    a = state.endpoints[0].copy()
    state.place_endpoint(1, np.array([0.3, 0.4]))
    assert state.endpoints.tolist() == [a.tolist(), [0.3, 0.4]]


def test_another_run_begins_anew(state: ExplorerState):
    state.selection = [1, 2, 3]
    state.point_at(np.array([1.0, 1.0]))
    state.run = make_run(latent_dim=3)
    assert state.selection == []
    assert state.cursor.tolist() == [0, 0, 0]
    assert state.frame.snapshot is state.run.snapshot()


def test_a_look_takes_the_newest_snapshot_and_tells_the_status(state: ExplorerState):
    state.run.start()
    state.run.wait()
    look(state)
    assert state.status == "finished"
    assert state.frame.snapshot is state.run.snapshot()


def test_a_failed_run_is_told_with_its_reason(state: ExplorerState, monkeypatch: pytest.MonkeyPatch):
    def explode(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the decoder <b>broke</b>")

    monkeypatch.setattr(state.run.model, "elbo", explode)
    state.run.start()
    state.run.wait()
    look(state)
    assert state.status == "failed"
    assert "the decoder <b>broke</b>" in state.alert


def test_a_snapshot_that_cannot_be_shown_is_told_once_and_the_last_one_stays(
    state: ExplorerState, monkeypatch: pytest.MonkeyPatch
):
    shown = state.frame

    def explode(_snapshot: object) -> None:
        raise RuntimeError("no picture")

    monkeypatch.setattr(state, "_make_frame", explode)
    state.run.start()
    state.run.wait()
    look(state)
    assert "no picture" in state.alert
    assert state.frame is shown
    state.alert = ""
    look(state)
    assert state.alert == ""


async def session_that_watches(state: ExplorerState) -> tuple[ServerSession, ApplicationContext]:
    """Let a state watch its run in a session of its own, which lives as long as its application."""
    context = ApplicationContext(Application(), io_loop=IOLoop.current())
    session = await context.create_session_if_needed("visit")
    with set_curdoc(session.document):
        state.watch_run()
    return session, context


def test_what_comes_after_its_session_has_ended_is_not_done(state: ExplorerState):
    done = []

    async def visit() -> None:
        session, _context = await session_that_watches(state)
        state.schedule(lambda: done.append("while it lasts"))
        while not done:
            await asyncio.sleep(0)
        session.destroy()
        state.schedule(lambda: done.append("afterwards"))

    asyncio.run(visit())
    assert done == ["while it lasts"]


def test_for_a_visitor_who_has_not_come_back_yet_nothing_is_done(state: ExplorerState):
    async def visit() -> None:
        session, _context = await session_that_watches(state)
        assert session.document.session_callbacks == []
        state.unwatch_run()
        session.destroy()

    asyncio.run(visit())


class Connection:
    """Somebody who is connected to a session."""

    def __init__(self, state: ExplorerState) -> None:
        self.session = state._document.session_context.session
        self.session.subscribe(self)

    def close(self) -> None:
        self.session.unsubscribe(self)


def test_of_a_page_that_everybody_has_left_nothing_goes_on(state: ExplorerState):
    async def visit() -> None:
        session, _context = await session_that_watches(state)
        connection = Connection(state)
        await state._look_again()
        assert state.tick == 1
        connection.close()
        await state._look_again()
        assert state.tick == 1
        connection = Connection(state)  # the same session, after a moment without a line
        await state._look_again()
        assert state.tick == 2
        connection.close()
        session.destroy()

    asyncio.run(visit())


def test_all_who_watch_a_training_share_what_looking_may_cost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vaeviz.views.state._watching", WeakSet())
    run = make_run()
    clock = [100.0]
    monkeypatch.setattr("vaeviz.views.state.time.perf_counter", lambda: clock[0])
    present, *others = states = [ExplorerState(run) for _ in range(4)]
    for state in states:
        with set_curdoc(Document()):
            state.watch_run()
        state.status = "running"
    monkeypatch.setattr(ExplorerState, "look", lambda self: self.param.update(tick=self.tick + 1))

    def ticks_after(seconds: float, cost: float) -> int:
        present._look_cost = cost
        clock[0] += seconds
        before = present.tick
        asyncio.run(present._look_again())
        return present.tick - before

    assert ticks_after(1, 0.01) == 1
    assert ticks_after(0.9 * 4 * 0.01 / LOOKING_SHARE, 0.01) == 0
    assert ticks_after(0.2 * 4 * 0.01 / LOOKING_SHARE, 0.01) == 1
    assert ticks_after(0.9 * LONGEST_REST, 60) == 0  # it is never put off for longer
    assert ticks_after(0.2 * LONGEST_REST, 60) == 1
    for other in others:
        other.status = "finished"
    assert ticks_after(1.1 * 0.01 / LOOKING_SHARE, 0.01) == 1  # alone, it may look four times as often
    present.status = "finished"
    assert ticks_after(0.0, 0.01) == 1  # and as often as it likes, where nothing trains
    assert present._look_cost < 0.01


def test_all_who_watch_a_training_share_what_watching_may_cost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vaeviz.views.state._watching", WeakSet())
    run = make_run()
    present, *others = states = [ExplorerState(run) for _ in range(4)]
    for state in states:
        with set_curdoc(Document()):
            state.watch_run()
        state.status = "running"
    present._cost = 0.06
    assert present._pause == pytest.approx(4 * 0.06 / WATCHING_SHARE)
    present._cost = 60
    assert present._pause == LONGEST_OF_MANY
    present._cost = 0.06
    others[0].unwatch_run()
    others[1].status = "finished"
    others[2]._is_served = True  # and its session has ended
    assert present._pause == pytest.approx(0.06 / WATCHING_SHARE)
    present._cost = 60
    assert present._pause == LONGEST_REFRESH
