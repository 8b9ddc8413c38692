"""Several processes that train one model together, each on its share of every batch, as torchrun starts them."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vaeviz.training.device import resolve_device

AGREE_EVERY = 10
"""Steps from one question whether anybody wishes to end to the next: asking costs a message."""

T = TypeVar("T")


class LostRankError(RuntimeError):
    """Another process of the training is gone, or has failed."""


class Share(NamedTuple):
    """What one rank does of a batch of B examples.

    A batch with fewer examples than ranks is done as a whole by each of them, and each result counts for its part.
    """

    rows: slice
    """Which of the batch."""

    batch: int
    """How many there are in the batch, B."""

    weight: float
    """Of a mean over these rows in the mean over the batch; the weights of all ranks have the sum 1."""

    part: float
    """Of a sum over these rows in the sum over the batch."""


class Ranks:
    """The processes that train together; this very class is one alone, for which nothing below costs anything.

    Parameters
    ----------
    rank : int
        Number of this process, from 0. Rank 0 writes the folder and tells how it goes.
    size : int
        How many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    @property
    def first(self) -> bool:
        """Whether this is the one that tells and writes."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Return the device of this process; see `resolve_device`.

        Raises
        ------
        ValueError
            If there is no such device, or not one for each process.
        """
        return resolve_device(name)

    def share(self, count: int) -> Share:
        """Return what this rank does of a batch of so many examples: shares differ by one example at most."""
        if count < self.size:
            return Share(slice(0, count), count, 1 / self.size, 1 / self.size)
        rows = slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)
        return Share(rows, count, (rows.stop - rows.start) / count, 1.0)

    def drawing(self, generator: torch.Generator, share: Share) -> AbstractContextManager[object]:
        """Within it, what is drawn from this generator for the rows of a share is what one process would draw.

        Every rank draws for the whole batch and takes its rows, so that the generators of all ranks stay alike. This
        goes for ``torch.randn`` and ``torch.rand`` and for methods that fill a tensor, such as ``Tensor.bernoulli_``,
        when the first dimension is that of the batch.
        """
        return nullcontext() if self.size == 1 else _WholeBatch(generator, share)

    def combine(self, share: Share, gradients: Sequence[Tensor], sums: Tensor) -> None:
        """Turn gradients of the mean over a share, and sums over it, into those of the whole batch, in place.

        Raises
        ------
        LostRankError
        """

    def total(self, sums: Tensor) -> None:
        """Add up the ranks' sums, in place.

        Raises
        ------
        LostRankError
        """

    def agree(self, step: int, wish: bool) -> bool:
        """Whether to end after this step, since a rank wishes it; all ranks get one answer, every `AGREE_EVERY` steps.

        Raises
        ------
        LostRankError
        """
        return wish

    def begin(self, tensors: Iterable[Tensor], settings: Mapping[str, object]) -> None:
        """See that all ranks have the same settings, and give all of them rank 0's tensors, in place.

        Raises
        ------
        ValueError
            If a rank has other settings, on all ranks.
        LostRankError
        """

    def end(self) -> None:
        """Return when all ranks have come here, or one is gone: a launcher would end those that are still at work."""

    def together(self) -> AbstractContextManager[object]:
        """Within it, what can't be done on one rank fails on all: there with its error, elsewhere with a ValueError."""
        return nullcontext()


ALONE = Ranks()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """Join the processes that torchrun started beside this one, until the context ends; alone if it started none.

    They find each other as `torch.distributed` does, by the variables that torchrun sets (``RANK``, ``WORLD_SIZE``,
    ``LOCAL_RANK``, ``MASTER_ADDR``, …), on one machine or several. They talk by gloo, and between GPUs by nccl.

    On the CPU, who waits for a process that is gone learns it at once. Between GPUs nccl may end the process instead,
    or wait until the launcher ends it: then the last regular save is what is left.

    Raises
    ------
    ValueError, RuntimeError
        If they do not find each other.

    Examples
    --------
    A script for ``torchrun --nproc-per-node 2``, the same for every rank::

        with join_ranks() as ranks:
            run = TrainingRun(model, data, config, folder="runs/a", live=True, ranks=ranks)
            run.start()
            run.wait()
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    if not dist.is_available():
        raise ValueError(f"WORLD_SIZE={size}: this build of torch has no torch.distributed; train in one process")
    with_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if with_gpus else "gloo")
    try:
        yield _Group(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


class _Group(Ranks):
    """Ranks that are joined.

    `DistributedDataParallel` would ask for equal shares, and for a forward pass of its own; one weighted sum after the
    backward pass serves ragged batches too, and carries the metrics along.
    """

    def device(self, name: str) -> torch.device:
        here = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        device = resolve_device(name)
        if device.type == "mps":
            raise ValueError(f"device={name!r}: several processes train together on CUDA or the CPU; take 'cpu'")
        if device.type != "cuda":
            return device
        if device.index is not None and here > 1:
            raise ValueError(f"device={name!r}: each of {here} processes here takes a GPU of its own; take 'cuda'")
        if torch.cuda.device_count() < here:
            raise ValueError(
                f"device={name!r}: there are {torch.cuda.device_count()} GPUs for {here} processes on this machine;"
                " start as many processes as GPUs, or take 'cpu'"
            )
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", self.rank)) if here > 1 else device.index or 0)

    def combine(self, share: Share, gradients: Sequence[Tensor], sums: Tensor) -> None:
        ours = [*(gradient.mul_(share.weight) for gradient in gradients), sums.mul_(share.part)]
        flat = torch.cat([each.reshape(-1) for each in ours])  # one message a step
        self._talk(partial(dist.all_reduce, flat))
        for each, whole in zip(ours, torch.split(flat, [each.numel() for each in ours]), strict=True):
            each.copy_(whole.view_as(each))

    def total(self, sums: Tensor) -> None:
        self._talk(partial(dist.all_reduce, sums))

    def agree(self, step: int, wish: bool) -> bool:
        if step % AGREE_EVERY:
            return False
        wishes = torch.tensor(int(wish))  # on the CPU: no GPU is waited for
        self.total(wishes)
        return bool(wishes)

    def begin(self, tensors: Iterable[Tensor], settings: Mapping[str, object]) -> None:
        first, *others = self._told({name: str(value) for name, value in settings.items()})
        for rank, theirs in enumerate(others, start=1):
            for name, value in theirs.items():
                if value != first[name]:
                    raise ValueError(
                        f"{name}: rank {rank} has {value}, but rank 0 has {first[name]};"
                        " start every process with the same options and data"
                    )
        for tensor in tensors:
            self._talk(partial(dist.broadcast, tensor, 0))

    def end(self) -> None:
        with suppress(LostRankError):
            self.total(torch.zeros(()))

    @contextmanager
    def together(self) -> Iterator[None]:
        error: Exception | None = None
        try:
            yield
        except (ValueError, OSError, RuntimeError) as caught:
            error = caught
        told = self._told(None if error is None else str(error))
        if not any(told):
            return
        if error is not None:
            raise error
        rank, why = next((rank, each) for rank, each in enumerate(told) if each)
        raise ValueError(f"rank {rank}: {why}")

    def _told(self, mine: T) -> list[T]:
        """Return what each rank tells."""
        told: list[Any] = [None] * self.size
        self._talk(partial(dist.all_gather_object, told, mine))
        return told

    def _talk(self, message: Callable[[], object]) -> None:
        try:
            message()
        except RuntimeError as error:
            why = re.sub(r"^\[.*?\] ", "", str(error)).partition(". ")[0]  # without the source file's name
            raise LostRankError(f"another process of this training is gone ({why})") from error


class _WholeBatch(TorchFunctionMode):
    """Draws for a whole batch where its share is asked for, and gives the share's rows."""

    def __init__(self, generator: torch.Generator, share: Share) -> None:
        super().__init__()
        self._generator = generator
        self._share = share

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is not self._generator or not args:
            return func(*args, **kwargs)
        rows, batch = self._share.rows, self._share.batch
        first, *others = args
        if func in (torch.randn, torch.rand):
            size = tuple(args) if isinstance(first, int) else tuple(first)
            if size and size[0] == rows.stop - rows.start:
                return func((batch, *size[1:]), **kwargs)[rows]
        elif func.__name__.endswith("_") and first.ndim and len(first) == rows.stop - rows.start:
            return first.copy_(func(first.new_empty(batch, *first.shape[1:]), *others, **kwargs)[rows])
        return func(*args, **kwargs)
