"""Whether what is asked for fits into memory: told in a sentence before the work begins, and not by its end.

What is needed is estimated, and so a little room is left.
"""

import os
from pathlib import Path

import torch
from torch import Tensor

from vaeviz.data import Dataset
from vaeviz.models import VAE

ROOM = 0.8
"""Share of the free memory that may be asked for."""

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free on a device; None where that cannot be told."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu":
        return None
    try:
        available = next(line for line in _MEMINFO.read_text().splitlines() if line.startswith("MemAvailable:"))
        free = int(available.split()[1]) * 1024
    except (OSError, StopIteration):
        try:  # not Linux: all memory that there is
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):
            return None
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return free
    return free if limit == "max" else min(free, int(limit) - int(used))


def check_step(model: VAE, dataset: Dataset, batch_size: int, device: torch.device) -> None:
    """Refuse a batch, or a dataset, that the device has no memory for.

    Parameters
    ----------
    model : VAE
        Anywhere; it fits the images.
    dataset : Dataset
    batch_size : int
    device : torch.device
        Where it is to be trained.

    Raises
    ------
    ValueError
        With the largest power of 2 that would do.
    """
    free = free_memory(device)
    if free is None:
        return
    if device != dataset.images.device:  # all images move there
        if dataset.images.nbytes > ROOM * free:
            raise ValueError(
                f"device={str(device)!r}: the images of {dataset.name} take {_size(dataset.images.nbytes)}, but only"
                f" {_size(free)} are free there; take device='cpu', or a part of the images"
            )
        free -= dataset.images.nbytes
    each = bytes_per_example(model, dataset)
    if batch_size * each > ROOM * free:
        most = max(1, int(ROOM * free / each))
        raise ValueError(
            f"batch_size={batch_size}: a step would take about {_size(batch_size * each)}, but only {_size(free)} of"
            f" memory are free; take a batch of {2 ** (most.bit_length() - 1):,}"
        )


def check_embedded(dataset: Dataset, latent_dim: int, embedded: int, *, copied: bool) -> None:
    """Refuse to embed more examples than there is memory for.

    Parameters
    ----------
    dataset : Dataset
    latent_dim : int
    embedded : int
        How many there would be.
    copied : bool
        Whether their images are copied.

    Raises
    ------
    ValueError
        With the largest number, of one digit and zeros, that would do.
    """
    free = free_memory(torch.device("cpu"))
    # Means and variances of three snapshots, and what is drawn from them; and the images.
    each = 3 * 2 * 4 * latent_dim + 100 + (dataset.images[0].nbytes if copied else 0)
    if free is None or embedded * each <= ROOM * free:
        return
    most = max(1, int(ROOM * free / each))
    digit = 10 ** (len(str(most)) - 1)
    raise ValueError(
        f"embedded={embedded}: to look at so many examples takes about {_size(embedded * each)}, but only {_size(free)}"
        f" of memory are free; take embedded={most // digit * digit:,} at most"
    )


def bytes_per_example(model: VAE, dataset: Dataset) -> int:
    """Return about how many bytes a training step needs for each example: what is kept for the gradients, twice."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()  # a tensor that is kept by the graph behind it would never be let go of

    few = dataset.pixels(dataset.train[:2])
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model.elbo(few.to(device), generator=torch.Generator(device)).loss
    model.train(was_training)
    del loss  # until now its graph holds them: no two have one place
    return 2 * (sum(kept.values()) + few.nbytes) // len(few)


def _size(count: float) -> str:
    return f"{count / 2**30:,.1f} GB" if count >= 2**30 else f"{count / 2**20:,.0f} MB"
