import sys
from collections.abc import Iterator

import pytest

from tests.training.small import config, noise, small_model
from vaeviz import TrainingRun
from vaeviz.turns import DEFAULT, SHORT, short_turns


@pytest.fixture(autouse=True)
def _turns_of_python() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(DEFAULT)
    yield
    sys.setswitchinterval(before)


def test_turns_are_short_until_the_last_has_left():
    first, second = short_turns(), short_turns()
    first.__enter__()
    assert sys.getswitchinterval() == pytest.approx(SHORT)
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(SHORT)
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(DEFAULT)


def test_what_somebody_else_has_set_stays():
    sys.setswitchinterval(0.001)
    with short_turns():
        assert sys.getswitchinterval() == pytest.approx(0.001)
    with short_turns():
        sys.setswitchinterval(0.002)
    assert sys.getswitchinterval() == pytest.approx(0.002)


def test_they_are_short_while_a_run_trains_whatever_ends_it():
    seen = []

    class Watched(TrainingRun):
        def _train(self) -> bool:
            seen.append(sys.getswitchinterval())
            if len(seen) == 2:
                raise RuntimeError("broken")
            return super()._train()

    data = noise()
    for status in ("finished", "failed"):
        run = Watched(small_model(data), data, config(steps=2))
        run.start()
        assert run.wait(30) == status
        assert sys.getswitchinterval() == pytest.approx(DEFAULT)
    assert seen == pytest.approx([SHORT, SHORT])
