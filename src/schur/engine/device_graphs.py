"""One evaluation on a GPU captured as a graph of launches, and launched again for other input.

A small system's energy and forces are some hundreds of kernels that take less time than Python
takes to launch them.  A captured graph is launched as one.  Its kernels read and write the same
memory each time: new input is copied to where the first one lay, and the results are overwritten.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from schur.errors import BackendError

T = TypeVar("T")

# A repetition may differ from the evaluation by so many roundings of its largest number: sums of
# torch that many threads add to have no fixed order.
_ROUNDINGS = 4096
_quiet = 0


def is_quiet() -> bool:
    """Whether nothing may be asked of a GPU now: what is launched is being captured.

    Holds for all threads, as derivatives are made in threads of their own.
    """
    if _quiet:
        return True
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


class NoGraph(BackendError):
    """An evaluation that cannot be captured, with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "this evaluation cannot be captured as a graph of the device",
            got=reason,
            remedy="evaluate it anew each time",
        )
        self.reason = reason


@runtime_checkable
class GraphDevice(Protocol):
    """What a kind of device offers for capturing."""

    def aside(self, device: torch.device) -> AbstractContextManager[Any]:
        """A place for the launches before a capture, apart from everything else."""
        ...

    def without_waiting(self, device: torch.device) -> AbstractContextManager[Any]:
        """In here RuntimeError is raised wherever the device would have to be waited for."""
        ...

    def captured(
        self, device: torch.device, work: Callable[[], T]
    ) -> tuple[T, Callable[[], object]]:
        """What the work returns, in memory that is filled by each call of the second."""
        ...

    def reserved(self, device: torch.device) -> int:
        """Bytes of the device's memory that this process holds."""
        ...


class _CUDA:
    """Graphs of CUDA, and of ROCm, as torch has them."""

    @contextmanager
    def aside(self, device: torch.device) -> Iterator[None]:
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.device(device), torch.cuda.stream(stream):
            yield
        torch.cuda.current_stream(device).wait_stream(stream)

    @contextmanager
    def without_waiting(self, device: torch.device) -> Iterator[None]:
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings():
            # torch says once that it does not see every wait; the capture itself does.
            warnings.filterwarnings("ignore", message="Synchronization debug mode")
            torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)

    def captured(
        self, device: torch.device, work: Callable[[], T]
    ) -> tuple[T, Callable[[], object]]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.cuda.graph(graph, stream=torch.cuda.Stream(device)):
            made = work()
        return made, graph.replay

    def reserved(self, device: torch.device) -> int:
        return torch.cuda.memory_reserved(device)


_devices: dict[str, GraphDevice] = {"cuda": _CUDA()}


@contextmanager
def known(kind: str, device: GraphDevice) -> Iterator[None]:
    """In here another kind of device is known."""
    _devices[kind] = device
    try:
        yield
    finally:
        del _devices[kind]


def is_known(kind: str) -> bool:
    """Whether evaluations on a kind of device can be captured at all."""
    return kind in _devices


class Captured:
    """What `capture` has captured.

    Args:
        inputs: the tensors that the kernels read.
        outputs: what the function returned; overwritten by each repetition.
        replay: launches the graph.
        nbytes: memory of the device that the graph keeps.
    """

    def __init__(
        self, inputs: Sequence[Tensor], outputs: Any, replay: Callable[[], object], nbytes: int
    ) -> None:
        self.inputs, self.outputs, self.nbytes = tuple(inputs), outputs, nbytes
        self._replay = replay
        self._last: list[tuple[Tensor, int] | None] = [None] * len(self.inputs)

    def __call__(self, *inputs: Tensor) -> Any:
        """The outputs for other input: the same tensors each time, with new values.

        What was given the last time and has not been written to since is not copied again.
        """
        with torch.no_grad():
            for k, (mine, given) in enumerate(zip(self.inputs, inputs, strict=True)):
                last = self._last[k]
                if last is None or last[0] is not given or last[1] != given._version:
                    mine.copy_(given)
                    # A tensor of inference mode does not tell whether it was written to.
                    self._last[k] = None if given.is_inference() else (given, given._version)
            self._replay()
        return self.outputs


def capture(function: Callable[..., Any], *inputs: Tensor) -> Captured:
    """Evaluate a function on a GPU and capture what it launches.

    It is evaluated twice beforehand: first everything is compiled and measured, then it is seen
    whether anything has to be waited for.  Tensors that the function reads besides its inputs are
    read where they stand.  The first repetition is compared with the evaluation.

    Args:
        function: of tensors, to tensors in tuples, lists or dictionaries; neither its control flow
            nor a shape may depend on their values.
        inputs: its arguments, all on one device; copies are made, which the graph owns.

    Raises:
        NoGraph: a function that waits for the device, a device without graphs, or memory that
            does not suffice, with the reason.
    """
    device = inputs[0].device
    graphs = _devices.get(device.type)
    if graphs is None:
        raise NoGraph(f"there are no graphs for {device.type} devices")
    mine = [given.detach().clone() for given in inputs]
    try:
        with graphs.aside(device):
            function(*mine)
            with _quietly(), graphs.without_waiting(device):
                expected = function(*mine)
        held = graphs.reserved(device)
        with _quietly():
            outputs, replay = graphs.captured(device, lambda: function(*mine))
    except (RuntimeError, BackendError) as error:
        raise NoGraph(str(error).strip().splitlines()[0]) from error
    replay()
    _require_same(outputs, expected)
    return Captured(mine, outputs, replay, max(0, graphs.reserved(device) - held))


@contextmanager
def _quietly() -> Iterator[None]:
    global _quiet
    _quiet += 1
    try:
        yield
    finally:
        _quiet -= 1


def _require_same(said: Any, expected: Any) -> None:
    """Raise unless a repetition says what the evaluation has said, rounding apart."""
    found = [
        (one.detach(), other.detach())
        for one, other in zip(tree_leaves(said), tree_leaves(expected), strict=True)
        if isinstance(one, Tensor) and one.numel()
    ]
    kinds = [one.dtype for one, _ in found if one.is_floating_point()]
    eps = max((torch.finfo(kind).eps for kind in kinds), default=0.0)
    for one, other in found:
        size = float(other.nan_to_num().abs().max())
        if not torch.allclose(one, other, rtol=0, atol=_ROUNDINGS * eps * size, equal_nan=True):
            raise NoGraph("a repetition does not say what the evaluation says")
