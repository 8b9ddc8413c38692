from types import SimpleNamespace

import pytest

from vaeviz.training import pace
from vaeviz.training.pace import SHORTEST_INTERVAL, SNAPSHOT_SHARE, SnapshotBudget, Speed


class Clock:
    """A clock that stands still until it is set forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=clock))
    return clock


def test_speed_is_examples_a_second(clock):
    speed = Speed()
    speed.begin()
    for second in range(1, 6):
        clock.now += 1
        speed.add(second * 1000)
    assert speed.value == pytest.approx(1000)


def test_speed_is_0_before_anything_was_measured(clock):
    speed = Speed()
    speed.begin()
    speed.add(128)
    assert speed.value == 0


def test_speed_forgets_what_is_more_than_two_seconds_ago(clock):
    speed = Speed()
    speed.begin()
    examples = 0
    for rate, tenths in ((10, 100), (500, 30)):
        for _ in range(tenths):
            clock.now += 0.101
            examples += rate
            speed.add(examples)
    assert speed.value == pytest.approx(500 / 0.101, rel=0.01)


def test_speed_does_not_count_a_pause(clock):
    speed = Speed()
    speed.begin()
    clock.now += 1
    speed.add(1000)
    clock.now += 3600
    speed.begin(1000)
    clock.now += 1
    speed.add(2000)
    assert speed.value == pytest.approx(1000)


def test_a_live_snapshot_is_due_after_the_shortest_interval(clock):
    budget = SnapshotBudget()
    budget.begin()
    assert not budget.due()
    clock.now += SHORTEST_INTERVAL * 1.01
    assert budget.due()


def test_a_cheap_snapshot_leaves_the_interval_at_its_shortest(clock):
    budget = SnapshotBudget()
    budget.spend(0.001)
    assert budget.interval == SHORTEST_INTERVAL
    assert not budget.due()


def test_a_dear_snapshot_is_followed_by_a_wait_of_its_share(clock):
    budget = SnapshotBudget()
    budget.begin()
    clock.now += 1
    budget.spend(1.0)
    assert budget.interval == pytest.approx(1 / SNAPSHOT_SHARE)
    clock.now += 19
    assert not budget.due()
    clock.now += 1.1
    assert budget.due()


@pytest.mark.parametrize("cost", [0.001, 0.05, 2.0])
def test_snapshots_taken_when_due_stay_within_their_share(clock, cost):
    budget = SnapshotBudget()
    budget.begin()
    for _ in range(30):
        while not budget.due():
            clock.now += budget.interval / 10
        clock.now += cost
        budget.spend(cost)
    assert 0 < budget.share <= SNAPSHOT_SHARE


def test_the_share_is_0_before_the_first_snapshot(clock):
    budget = SnapshotBudget()
    budget.begin()
    clock.now += 1
    assert budget.share == 0


def test_a_pause_neither_lowers_the_share_nor_makes_a_snapshot_due(clock):
    budget = SnapshotBudget()
    budget.begin()
    clock.now += 10
    budget.spend(0.1)
    assert budget.share == pytest.approx(0.01)
    clock.now += 3600
    budget.skip(3600)
    assert not budget.due()
    clock.now += 10
    budget.spend(0.1)
    assert budget.share == pytest.approx(0.01)
