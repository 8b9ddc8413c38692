"""That the memory which one step lets go of is there for the next one."""

import torch

LARGEST = 32 * 2**20
"""Bytes up to which glibc's malloc learns from a block that is freed (DEFAULT_MMAP_THRESHOLD_MAX)."""


def keep_freed_memory() -> None:
    """Let glibc's malloc keep twice 32 MB of what is freed, for what comes next, instead of giving it back.

    What has been given back comes anew as pages that the system clears first: thousands at each step of a convolutional
    network. malloc learns it from a block of that size which is freed (mallopt(3), on M_MMAP_THRESHOLD); nothing is
    written into this one, so that it takes no memory. Where malloc is another one, or was told what to do
    (``MALLOC_TRIM_THRESHOLD_`` and the like), all stays as it is.
    """
    torch.empty(LARGEST - 2**16, dtype=torch.uint8)
