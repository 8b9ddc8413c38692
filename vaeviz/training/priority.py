"""How far a training gives way to what else wants its cores."""

import os
import sys
import threading
from contextlib import suppress

NICENESS = 5
"""Of a training thread, unless told otherwise: it then weighs a third of a page on the same core."""


def check_niceness(niceness: int) -> None:
    """Refuse what is no niceness that a thread can be given.

    Raises
    ------
    ValueError
        If it is not a whole number from 0 to 19.
    """
    if niceness not in range(20):
        raise ValueError(f"niceness={niceness!r}: must be a whole number from 0 to 19")


def give_way(niceness: int) -> None:
    """Lower the calling thread's priority, and that of the threads which torch will start from it.

    Linux alone has a niceness for each thread, by its number (``man 2 setpriority``, notes).
    """
    if sys.platform == "linux" and niceness:
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it: then the training is as important as all else
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + niceness))
