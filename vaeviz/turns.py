"""How long a thread of Python goes on before another one has its turn.

A turn is 5 ms long unless its thread ends it earlier. A training does so in each of torch's operations, some fifty in a
step, and then waits a whole turn of any other thread that computes in Python: beside a page that opens it was left a
tenth of its speed.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORT = 0.0005
"""Seconds of a short turn. Shorter ones leave a training more, and make all else slower."""

DEFAULT = 0.005
"""Seconds of a turn of Python's own choice (``sys.setswitchinterval``)."""

_changing = threading.Lock()  # guards the number below
_inside = 0  # how many are within `short_turns`


@contextmanager
def short_turns() -> Iterator[None]:
    """Have all threads take short turns as long as anyone is within; what somebody else has set is left as it is."""
    global _inside
    with _changing:
        _inside += 1
        _change(DEFAULT, SHORT)
    try:
        yield
    finally:
        with _changing:
            _inside -= 1
            if not _inside:
                _change(SHORT, DEFAULT)


def _change(before: float, after: float) -> None:
    if abs(sys.getswitchinterval() - before) < before / 100:
        sys.setswitchinterval(after)
