"""How the threads wait with which torch computes on a CPU: to be imported before torch, which reads it once.

A training step has more than a hundred parallel regions, and between two of them a thread of libgomp (PyTorch's OpenMP
on Linux) first looks for the next one actively, then sleeps. Where it hardly looks, most regions begin with waking a
thread. Where it looks for milliseconds, it is in the way of what it waits for wherever something else wants the cores.
In between is the time from one region to the next. (https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html)

And while there are more such threads than cores, idle ones included, none looks longer than briefly; and there are:
each thread of Python that has let torch compute something large keeps a team of them. So whoever has computed beside a
training gives the team back.
"""

import ctypes
import os
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

BRIEFLY = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "2000"}
"""A thread looks so often before it sleeps, some 50 to 100 microseconds; half as long where threads are too many."""

SOFT = 1
"""``omp_pause_soft``: what the thread has set, such as its number of threads, stays."""


def _import_torch() -> bool:
    """Import torch such that its threads wait briefly; the environment is afterwards as it was.

    Nothing is done where torch has been imported before, where somebody has set one of these variables, and where torch
    comes without a libgomp of its own: other implementations make other things of them.
    """
    if "torch" in sys.modules or BRIEFLY.keys() & os.environ.keys() or not _brought():
        return False
    os.environ.update(BRIEFLY)
    try:
        import_module("torch")
    finally:
        for name in BRIEFLY:
            del os.environ[name]
    return True


def release_threads() -> None:
    """Give back the team of the thread that calls, which makes a new one for its next large operation.

    That takes a tenth of a millisecond, and nothing where there is none. It is OpenMP's ``omp_pause_resource_all``
    (version 5.0, section 3.2.44). Nothing is done where threads wait otherwise than briefly: those that are let look
    for long beside another program are worse than those that sleep.
    """
    libgomp = _libgomp() if _waits_briefly else None
    if libgomp is not None:
        libgomp.omp_pause_resource_all(SOFT)


@cache
def _libgomp() -> ctypes.CDLL | None:
    """Return torch's own libgomp, if it is loaded, and what is loaded under its name is that."""
    for path in _brought():
        try:
            library = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
        except OSError:
            continue
        if hasattr(library, "omp_pause_resource_all") and not hasattr(library, "__kmpc_fork_call"):  # LLVM's has both
            return library
    return None


def _brought() -> list[Path]:
    """Return the files of the libgomp that torch comes with."""
    torch = find_spec("torch")
    return [] if torch is None or torch.origin is None else list(Path(torch.origin).parent.glob("lib/libgomp*.so*"))


_waits_briefly = _import_torch()
