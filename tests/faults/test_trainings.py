"""Trainings that are driven by many hands at once, in any order."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.training.saves import same_training
from tests.training.small import FOREVER, config, noise, small_model, vaeviz_threads
from tests.views.conftest import at_once
from vaeviz.training import TrainingRun, load_run
from vaeviz.views import ExplorerState
from vaeviz.views.controls import ControlsView
from vaeviz.views.runs import MOST_TRAININGS, begin, is_training, register_run

DATA = noise()


@pytest.fixture(autouse=True)
def _runs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEVIZ_RUNS_DIR", str(tmp_path / "runs"))


@pytest.fixture
def trainings() -> Iterator[list[TrainingRun]]:
    """Runs that are stopped at the end."""
    made: list[TrainingRun] = []
    yield made
    for run in made:
        run.stop()
    assert not vaeviz_threads()


def ready_run(**changes: object) -> TrainingRun:
    return register_run(TrainingRun(small_model(DATA), DATA, config(steps=FOREVER, **changes)))


# How many at once


def test_four_trainings_go_on_at_once_and_a_fifth_is_refused_until_one_has_ended(trainings):
    trainings += [ready_run(seed=seed) for seed in range(MOST_TRAININGS + 1)]
    *some, last = trainings
    for run in some:
        begin(run)
    some[0].pause()  # it holds its memory all the same
    with pytest.raises(ValueError, match=r"^4 trainings go on here already, of at most 4: stop one of them, or wait"):
        begin(last)
    assert last.status == "ready"
    assert [run.status for run in some] == ["paused", "running", "running", "running"]
    some[1].stop()
    begin(last)
    assert last.status == "running"


def test_the_page_tells_of_the_limit_and_the_present_run_stays(trainings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_MAX_TRAININGS", "1")
    trainings += [ready_run(), ready_run()]
    begin(trainings[0])
    controls = ControlsView(ExplorerState(trainings[1]))
    at_once(controls._on_train(None))
    assert controls.state.alert.startswith("1 trainings go on here already, of at most 1: stop one of them")
    assert (controls.state.run, trainings[1].status) == (trainings[1], "ready")
    assert not controls.exchange.busy
    trainings[0].stop()
    at_once(controls._on_train(None))
    assert trainings[1].status == "running"


def test_of_many_who_press_train_in_one_moment_as_many_begin_as_may(trainings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_MAX_TRAININGS", "2")
    trainings += [ready_run(seed=seed) for seed in range(6)]
    pages = [ControlsView(ExplorerState(run)) for run in trainings]

    async def all_press_train() -> None:
        await asyncio.gather(*(page._on_train(None) for page in pages))

    at_once(all_press_train())
    assert sum(is_training(run.id) for run in trainings) == 2
    refused = [page for page in pages if not is_training(page.state.run.id)]
    assert all("trainings go on here already" in page.state.alert for page in refused)


@pytest.mark.parametrize("told", ["0", "-1", "many", "1.5"])
def test_a_limit_that_is_none_is_refused(told: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAEVIZ_MAX_TRAININGS", told)
    with pytest.raises(ValueError, match=r"VAEVIZ_MAX_TRAININGS=.* must be a whole number of at least 1"):
        begin(ready_run())


# Many hands


def test_two_tabs_that_both_press_stop_end_the_run_once(trainings, tmp_path: Path):
    run = register_run(TrainingRun(small_model(DATA), DATA, config(steps=FOREVER), folder=tmp_path / "run"))
    trainings.append(run)
    begin(run)
    tabs = [ControlsView(ExplorerState(run)) for _ in range(2)]

    async def both_press_stop() -> None:
        await asyncio.gather(*(tab._on_stop(None) for tab in tabs))

    at_once(both_press_stop())
    assert run.status == "stopped"
    assert [tab.state.status for tab in tabs] == ["stopped", "stopped"]
    assert [tab.state.alert for tab in tabs] == ["", ""]
    same_training(load_run(tmp_path / "run", DATA), run)


class AnyOrder(RuleBasedStateMachine):
    """One run, whose buttons are pressed in any order, alone or by two hands at once.

    What must hold is written down beside it in the plainest way: where a run stands after each press.
    """

    @initialize()
    def a_run(self) -> None:
        self.run = TrainingRun(small_model(DATA), DATA, config(steps=FOREVER))
        self.expected = "ready"
        self.seen = ("ready", 0)
        self.hands = ThreadPoolExecutor(2)

    @precondition(lambda self: self.expected == "ready")
    @rule()
    def start(self) -> None:
        self.run.start()
        self.expected = "running"

    @precondition(lambda self: self.expected != "ready")
    @rule()
    def start_again(self) -> None:
        with pytest.raises(RuntimeError, match="was started before"):
            self.run.start()

    @rule()
    def pause(self) -> None:
        self.run.pause()
        self.expected = {"running": "paused"}.get(self.expected, self.expected)

    @rule()
    def resume(self) -> None:
        self.run.resume()
        self.expected = {"paused": "running"}.get(self.expected, self.expected)

    @rule()
    def stop(self) -> None:
        self.run.stop()
        self.expected = "stopped"

    @rule()
    def two_pause(self) -> None:
        list(self.hands.map(lambda press: press(), [self.run.pause, self.run.pause]))
        self.expected = {"running": "paused"}.get(self.expected, self.expected)

    @rule()
    def one_resumes_and_another_stops(self) -> None:
        list(self.hands.map(lambda press: press(), [self.run.resume, self.run.stop]))
        self.expected = "stopped"

    @invariant()
    def it_stands_where_it_should(self) -> None:
        if not hasattr(self, "run"):
            return
        assert self.run.status == self.expected
        assert self.run.error is None
        alive = [thread for thread in vaeviz_threads() if thread.name == f"vaeviz-{self.run.id}"]
        assert len(alive) == (self.expected in ("running", "paused"))

    @invariant()
    def steps_are_never_undone_and_none_is_done_while_it_rests(self) -> None:
        if not hasattr(self, "run"):
            return
        (stood, before), step = self.seen, self.run.step
        assert step >= before
        if self.expected == stood != "running":
            assert step == before
        if self.expected in ("paused", "stopped"):
            assert self.run.snapshot().step == step
        self.seen = (self.expected, step)

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.run.stop()
            self.hands.shutdown()


def test_buttons_pressed_in_any_order_leave_a_run_where_it_should_stand_and_no_thread_behind():
    before = threading.active_count()
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert not vaeviz_threads()
    assert threading.active_count() == before
