"""How the threads wait with which torch computes on a CPU: to be imported before torch, which reads it once.

A training step has more than a hundred parallel regions, and between two of them a thread of libgomp (PyTorch's OpenMP
on Linux) first looks for the next one actively, then sleeps. While there are more such threads than cores, idle ones
included, it hardly looks; and there are: each thread of Python that has let torch compute something large keeps a team
of them, such as that of a page. Then most regions begin with waking a thread. Else it looks for milliseconds, and is in
the way of what it waits for wherever something else wants the cores. In between is the time from one region to the
next. (https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html)
"""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

BRIEFLY = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "1000"}
"""A thread looks a thousand times before it sleeps, some 20 microseconds, however many threads there are."""


def _import_torch() -> None:
    """Import torch such that its threads wait briefly; the environment is afterwards as it was.

    Nothing is done where torch has been imported before, where somebody has set one of these variables, and where torch
    comes without a libgomp of its own: other implementations make other things of them.
    """
    if "torch" in sys.modules or BRIEFLY.keys() & os.environ.keys() or not _brings_libgomp():
        return
    os.environ.update(BRIEFLY)
    try:
        import_module("torch")
    finally:
        for name in BRIEFLY:
            del os.environ[name]


def _brings_libgomp() -> bool:
    torch = find_spec("torch")
    return torch is not None and torch.origin is not None and any(Path(torch.origin).parent.glob("lib/libgomp*.so*"))


_import_torch()
