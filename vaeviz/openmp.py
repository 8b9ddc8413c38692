"""How the threads wait with which torch computes on a CPU; to be imported before torch, which reads it once.

Each thread of Python that has let torch compute something large keeps a team of OpenMP threads for the next time. While
there are more of these than cores, idle ones included, libgomp (PyTorch's OpenMP on Linux) lets none wait actively, and
a training step, with more than a hundred parallel regions, wakes a sleeping thread for each. So whoever computes beside
a training gives the team back. But to wait actively for long, as is libgomp's default, is worse wherever something else
wants the cores: then a thread that waits keeps away the one that it waits for.
"""

import ctypes
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

SPINS, POLICY = "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"
BRIEFLY = 1000
"""How often a thread looks before it sleeps, about 20 microseconds: as long as from one parallel region to the next."""

SOFT = 1
"""`omp_pause_soft`: what the thread has set stays."""

if "torch" not in sys.modules and POLICY not in os.environ:  # somebody else's choice stays
    os.environ.setdefault(SPINS, str(BRIEFLY))

_is_chosen = SPINS in os.environ


def release_threads() -> None:
    """Give back the team of the thread that calls: at once where it has none, else in a sixth of a millisecond.

    Its next large operation makes a new one. This is OpenMP's ``omp_pause_resource_all`` (version 5.0). Elsewhere than
    with libgomp, and where torch was imported before vaeviz and so waits for long, nothing is done.
    """
    libgomp = _libgomp()
    if libgomp is not None:
        libgomp.omp_pause_resource_all(SOFT)


@cache
def _libgomp() -> ctypes.CDLL | None:
    """Return the libgomp with which torch computes, if that is what it computes with, and it waits as was chosen."""
    torch = find_spec("torch")
    if not _is_chosen or torch is None or torch.origin is None:
        return None
    brought = (Path(torch.origin).parent / "lib").glob("libgomp*.so*")
    for name in (*map(str, brought), "libgomp.so.1"):
        try:
            library = ctypes.CDLL(name, mode=os.RTLD_NOLOAD)  # only what is there already
        except (OSError, AttributeError):  # it isn't loaded; Windows has no such mode
            continue
        # LLVM's and Intel's stand in for it under the same name, and do otherwise.
        if hasattr(library, "omp_pause_resource_all") and not hasattr(library, "__kmpc_fork_call"):
            return library
    return None
