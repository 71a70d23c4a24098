"""A GPU that is not there: tensors that say they lie on one, computed on the CPU.

What a CPU forgives is an error here, as on a GPU: an operation on tensors of both kinds of memory.
What a GPU would have to be waited for is counted: numbers read, and results whose shape depends
on values. Speed, kernels and the order of sums are those of the CPU.

Graphs of launches are pretended too (`PretendedGraphs`): what is captured is done again, operation
by operation in the memory of the first time, without the Python around it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

import schur
from schur.engine import operator, torch_backend

# Their results have a shape that depends on values.
_SHAPED_BY_VALUES = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive"}
_SHAPED_BY_VALUES |= {"bincount", "repeat_interleave"}
_NUMBERS = {"_local_scalar_dense", "equal", "is_nonzero", "item"}


_NAME = "gpu"
_SOURCE = Path(schur.__file__).parent


class MixedDevices(RuntimeError):
    """Tensors on the CPU and on the GPU in one operation."""


class NotPermitted(RuntimeError):
    """Something has to be waited for where nothing may be."""


class OnGPU(Tensor):
    """A tensor that says it is on the GPU, around one that holds the numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> OnGPU:
        made = torch.Tensor._make_wrapper_subclass(  # pyright: ignore[reportAttributeAccessIssue]
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=device(),
        )
        made.held = inner
        return made

    def tolist(self) -> Any:
        """torch has none for such tensors."""
        return self.cpu().tolist()

    def __repr__(self, *args: Any, **kwargs: Any) -> str:
        return f"OnGPU({self.held!r})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError(f"{func} on a tensor of the pretended GPU, which is not switched on")


class PretendedGPU(TorchDispatchMode):
    """Every operation inside the block is looked at.

    Attributes:
        waits: for each wait for the GPU what for, and which function of schur asked for it.
        launches: how many operations were asked for one by one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self.launches = 0
        self.forbids = False
        self.captured: list[Callable[[], None]] | None = None
        self._lifted: list[bool] = []

    def __enter__(self) -> PretendedGPU:
        # torch.tensor(..., device=...) then copies to the device by an operation that is seen here.
        self._lifted.append(torch._C._only_lift_cpu_tensors())
        torch._C._set_only_lift_cpu_tensors(True)
        return super().__enter__()

    def __exit__(self, *reason: Any) -> None:
        super().__exit__(*reason)
        torch._C._set_only_lift_cpu_tensors(self._lifted.pop())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.ops.schur.run.default:
            with self:  # what the backend does is looked at too
                return operator._execute(*args)
        with self:  # an operation made of others is seen as such where autograd is at work
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_gpu = [leaf for leaf in leaves if isinstance(leaf, OnGPU)]
        name = func.overloadpacket.__name__
        asked = kwargs.get("device")
        to_gpu = asked is not None and torch.device(asked).type == _NAME
        if to_gpu:
            kwargs["device"] = torch.device("cpu")
        copies = name in ("_to_copy", "copy_")
        if on_gpu and not copies:
            self._require_one_device(func, leaves)
        if on_gpu and (name in _NUMBERS or name in _SHAPED_BY_VALUES or _is_masked(name, args)):
            self._wait(name)
        there = to_gpu or bool(on_gpu)
        if (name == "_to_copy" and asked is not None and not to_gpu) or name in _NUMBERS:
            there = False
            if on_gpu and name == "_to_copy":
                self._wait("copied to the CPU")
        if name == "copy_":
            there = isinstance(args[0], OnGPU)
            if not there and on_gpu:
                self._wait("copied to the CPU")
        from_cpu = not on_gpu and any(leaf.ndim for leaf in leaves)
        if there and (from_cpu or (name == "copy_" and len(on_gpu) < len(leaves))):
            self._refuse(f"copied from the CPU for {_who()}")
        known = {id(leaf.held): leaf for leaf in on_gpu}
        inner = tree_map(_inner, args), tree_map(_inner, kwargs)
        result = func(*inner[0], **inner[1])
        self.launches += there
        if self.captured is not None and there:
            self.captured.append(lambda: _do_again(func, *inner, result))

        def outer(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            known_as = known.get(id(value))
            return known_as if known_as is not None else OnGPU(value) if there else value

        return tree_map(outer, result)

    def _require_one_device(self, func: Any, leaves: list[Tensor]) -> None:
        for leaf in leaves:
            if not isinstance(leaf, OnGPU) and leaf.ndim > 0:
                raise MixedDevices(f"{func}: {tuple(leaf.shape)} on the CPU with the rest on a GPU")

    def _refuse(self, what: str) -> None:
        if self.forbids:
            raise NotPermitted(f"not permitted while nothing is waited for: {what}")

    def _wait(self, what: str) -> None:
        asked = f"{what} for {_who()}"
        self._refuse(asked)
        self.waits.append(asked)


def _who() -> str:
    """The function of schur at work."""
    where = "somebody else"
    for frame in traceback.extract_stack():
        file = Path(frame.filename)
        if file.is_relative_to(_SOURCE) and not frame.name.startswith("<"):
            where = f"{frame.name} of {file.relative_to(_SOURCE).as_posix()}"
    return where


def _is_masked(name: str, args: tuple[Any, ...]) -> bool:
    if name not in ("index", "index_put", "index_put_"):
        return False
    return any(index is not None and index.dtype == torch.bool for index in args[1])


def _inner(value: Any) -> Any:
    return value.held if isinstance(value, OnGPU) else value


def _do_again(func: Any, args: Any, kwargs: Any, result: Any) -> None:
    """An operation once more, into the memory that it filled the first time."""
    again = func(*args, **kwargs)
    for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
        if isinstance(old, Tensor) and old is not new:
            old.copy_(new)


class PretendedGraphs:
    """Graphs of launches on the pretended GPU; see `schur.engine.device_graphs.GraphDevice`.

    Attributes:
        replays: how often a graph was launched.
    """

    def __init__(self, gpu: PretendedGPU) -> None:
        self.gpu, self.replays = gpu, 0

    @contextmanager
    def aside(self, device: torch.device) -> Iterator[None]:
        """As anywhere else."""
        yield

    @contextmanager
    def without_waiting(self, device: torch.device) -> Iterator[None]:
        """Waits, and copies from memory that may be moved, are errors."""
        self.gpu.forbids = True
        try:
            yield
        finally:
            self.gpu.forbids = False

    def captured(
        self, device: torch.device, work: Callable[[], Any]
    ) -> tuple[Any, Callable[[], None]]:
        """As CUDA, a capture computes nothing: what it leaves behind is no number."""
        steps: list[Callable[[], None]] = []
        self.gpu.captured = steps
        try:
            with self.without_waiting(device):
                made = work()
        finally:
            self.gpu.captured = None
        for tensor in tree_leaves(made):
            if isinstance(tensor, OnGPU) and tensor.held.is_floating_point():
                tensor.held.fill_(float("nan"))

        def replay() -> None:
            self.replays += 1
            with torch.no_grad(), _disable_current_modes():
                for step in steps:
                    step()

        return made, replay

    def reserved(self, device: torch.device) -> int:
        """Nothing is known of memory."""
        return 0


class _Module(_DummyBackendModule):
    """What `torch.gpu` is."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """For autocast."""
        return [torch.bfloat16]


def start() -> None:
    """Makes the device known to torch, for the rest of this process."""
    _setup_privateuseone_for_python_backend(_NAME, backend_module=_Module())
    # It is a mode of torch as tracers are, but its tensors last: constants are kept as on a GPU.
    torch_backend.is_traced = torch.compiler.is_compiling


def device() -> torch.device:
    """The GPU."""
    return torch.device(_NAME, 0)
