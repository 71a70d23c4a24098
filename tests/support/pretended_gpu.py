"""A GPU that is not there: tensors that say they lie on one, computed on the CPU.

What a CPU forgives is an error here, as on a GPU: an operation on tensors of both kinds of memory.
What a GPU would have to be waited for is counted: numbers read, and results whose shape depends
on values. Speed, kernels and the order of sums are those of the CPU.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

import schur
from schur.engine import operator

# Their results have a shape that depends on values.
_SHAPED_BY_VALUES = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive"}
_SHAPED_BY_VALUES |= {"bincount", "repeat_interleave"}
_NUMBERS = {"_local_scalar_dense", "equal", "is_nonzero", "item"}


_NAME = "gpu"
_SOURCE = Path(schur.__file__).parent


class MixedDevices(RuntimeError):
    """Tensors on the CPU and on the GPU in one operation."""


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
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
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
        known = {id(leaf.held): leaf for leaf in on_gpu}
        result = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))

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

    def _wait(self, what: str) -> None:
        where = "somebody else"
        for frame in traceback.extract_stack():
            file = Path(frame.filename)
            if file.is_relative_to(_SOURCE) and not frame.name.startswith("<"):
                where = f"{frame.name} of {file.relative_to(_SOURCE).as_posix()}"
        self.waits.append(f"{what} for {where}")


def _is_masked(name: str, args: tuple[Any, ...]) -> bool:
    if name not in ("index", "index_put", "index_put_"):
        return False
    return any(index is not None and index.dtype == torch.bool for index in args[1])


def _inner(value: Any) -> Any:
    return value.held if isinstance(value, OnGPU) else value


class _Module(_DummyBackendModule):
    """What `torch.gpu` is."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """For autocast."""
        return [torch.bfloat16]


def start() -> None:
    """Makes the device known to torch, for the rest of this process."""
    _setup_privateuseone_for_python_backend(_NAME, backend_module=_Module())


def device() -> torch.device:
    """The GPU."""
    return torch.device(_NAME, 0)
