"""A step of training on a GPU, recorded once as a CUDA graph and replayed: one launch takes the place of a hundred."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from vaeviz.training.memory import is_out_of_memory

BEFORE_RECORDING = 2
"""Steps with a batch of one size that are done as they are before it is recorded: in them libraries are set up."""

_streams: dict[torch.device, torch.cuda.Stream] = {}
_one_at_a_time = Lock()


@contextmanager
def _recording_stream(device: torch.device) -> Iterator[torch.cuda.Stream]:
    """Give the stream on which steps are recorded: one for all trainings, since each holds memory of its libraries."""
    with _one_at_a_time:
        if device not in _streams:
            _streams[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        yield _streams[device]


class RecordedStep:
    """Does a step as it is at first, then by replaying its record, with one for each size of the batch.

    What is replayed are the kernels: Python that is not seen by the GPU runs only while a step is recorded.

    Parameters
    ----------
    step : callable
        Does one step on the images of these rows, a tensor of indices on the device. It neither gives anything nor
        waits for the GPU, and draws from the generator or the global one.
    optimizer : torch.optim.Optimizer
        Of the parameters that the step gives a gradient; the step may be the optimizer's, too.
    generator : torch.Generator
        On the device; what is drawn in a replay is what would have been drawn in the step.

    References
    ----------
    PyTorch's documentation, "CUDA semantics", CUDA graphs.
    """

    def __init__(
        self, step: Callable[[Tensor], None], optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        self._step, self._optimizer, self._generator = step, optimizer, generator
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self._device = generator.device
        self._pool = torch.cuda.graph_pool_handle()
        self._done: dict[int, int] = {}  # steps by the size of their batch
        self._records: dict[int, _Record] = {}

    def __call__(self, rows: Tensor) -> None:
        """Do the step on these rows."""
        size = len(rows)
        record = self._records.get(size)
        if record is None and self._done.get(size, 0) == BEFORE_RECORDING:
            record = self._records[size] = self._record(rows)
        if record is not None:
            record.rows.copy_(rows)
            record.graph.replay()
            for parameter, gradient in zip(self._parameters, record.gradients, strict=True):
                parameter.grad = gradient  # of the size that was done last
            return
        self._done[size] = self._done.get(size, 0) + 1
        current = torch.cuda.current_stream(self._device)
        with _recording_stream(self._device) as stream:
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                self._step(rows)
            current.wait_stream(stream)

    def _record(self, rows: Tensor) -> "_Record":
        graph, rows = torch.cuda.CUDAGraph(), rows.clone()
        graph.register_generator_state(self._generator)
        with _recording_stream(self._device) as stream, torch.cuda.stream(stream), self._optimizer_that_is_recorded():
            try:
                with torch.cuda.graph(graph, self._pool, stream, capture_error_mode="thread_local"):
                    self._step(rows)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise
                raise RuntimeError(
                    f"a step of this model can't be recorded ({_first_line(error.__context__ or error)});"
                    " take cuda_graphs='off'"
                ) from error
        return _Record(graph, rows, [parameter.grad for parameter in self._parameters])

    @contextmanager
    def _optimizer_that_is_recorded(self) -> Iterator[None]:
        """Tell the optimizer so; fused, it computes the same, and told always, it would warn of the steps before."""
        for group in self._optimizer.param_groups:
            group["capturable"] = True
        try:
            yield
        finally:
            for group in self._optimizer.param_groups:
                group["capturable"] = False


class _Record(NamedTuple):
    graph: torch.cuda.CUDAGraph
    rows: Tensor
    gradients: list[Tensor | None]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
