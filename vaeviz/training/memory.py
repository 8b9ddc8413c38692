"""Whether an error says that there was not enough memory: NumPy, torch on the CPU and CUDA each say it in their way."""

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had, on the host or on a device."""
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
