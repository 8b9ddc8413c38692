"""On how many cores torch computes, in each thread of Python.

`torch.set_num_threads` sets it for the thread that calls, and for all that have not computed yet: a training that
begins while somebody else computes with one thread for a moment would stay with one for good. So whoever sets it does
it here, and whoever may be new asks here first.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_changing = threading.Lock()  # guards the two below
_inside = 0  # how many threads are within `one_thread`
_given = 1  # the number that the first of them had

_here = threading.local()


def settle_threads() -> int:
    """Have torch compute, in the thread that calls, on as many cores as it has been given; return how many.

    To be called before a thread's first computation, which settles it; later calls do nothing.
    """
    with _changing:
        return _settle()


def _settle() -> int:
    if not hasattr(_here, "settled"):
        _here.settled = True
        if _inside and torch.get_num_threads() == 1:  # it has just taken over what is meant for others
            torch.set_num_threads(_given)
    return torch.get_num_threads()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one CPU thread here, and in no other thread of Python.

    A few rows are done sooner so: a second thread would have to be woken, and waited for where the cores are busy with
    a training. Many rows beside a training are not done later, and the training is held up less.
    """
    global _inside, _given
    with _changing:
        threads = _settle()
        if not _inside:
            _given = threads
        _inside += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _changing:
            _inside -= 1
            torch.set_num_threads(threads)
