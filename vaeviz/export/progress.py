"""How far a long export is: a bar on the terminal, or whatever the caller makes of it."""

import sys
from collections.abc import Callable

Progress = Callable[[int, int], object]
"""Called with what is done and what there is to do; what it raises ends the export."""

WIDTH = 30


def reporter(progress: bool | Progress, name: str) -> Progress:
    """Return what to call after each frame: a bar on standard error (True), nothing (False), or the callable given."""
    if callable(progress):
        return progress
    return _Bar(name) if progress else _silent


class _Bar:
    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, done: int, total: int) -> None:
        full = WIDTH * done // total
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r{self._name} {'█' * full}{'░' * (WIDTH - full)} {done} of {total}{end}")
        sys.stderr.flush()


def _silent(done: int, total: int) -> None:
    pass
