"""Which backends there are, which one a call gets, and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from schur.engine import c_backend, operator, torch_backend
from schur.engine.sorting import check_bounds
from schur.errors import BackendError
from schur.forms import Program

_log = logging.getLogger("schur")


def require(name: str) -> None:
    """Raise unless the backend can serve on this machine.

    Raises:
        BackendError: with the reason.
    """
    if name == "torch":
        return
    reason = c_backend.missing() if name == "c" else "there is no such backend"
    if reason is not None:
        raise _refusal(name, reason)


def _refusal(name: str, reason: str) -> BackendError:
    return BackendError(
        f"backend {name!r} cannot serve: {reason}",
        expected="'auto', 'torch' or 'c'",
        remedy="use backend='auto', which takes what can serve",
    )


def choose(asked: str, example: Tensor, missing: str | None) -> str:
    """The backend for a call: what was asked for, or compiled C wherever it can serve.

    Args:
        asked: the routine's backend.
        example: one of the tensors.
        missing: what this machine lacks for C, as `c_backend.missing` found it.
    """
    if asked == "torch":
        return asked
    reason = missing or c_backend.unfit(example)
    if asked == "c" and reason is not None:
        raise _refusal(asked, reason)
    if missing is not None and example.device.type == "cpu" and not torch.compiler.is_compiling():
        _say_once(explain(example))
    return "c" if reason is None else "torch"


def explain(example: Tensor) -> str:
    """Why `backend="auto"` takes what it takes for a tensor.

    Example:
        >>> import torch
        >>> explain(torch.zeros(1, dtype=torch.float16)).split(":")[0]
        'torch backend'
    """
    reason = c_backend.missing() or c_backend.unfit(example)
    return "C backend" if reason is None else f"torch backend: C cannot serve: {reason}"


@lru_cache(maxsize=64)
def _say_once(line: str) -> None:
    _log.warning(line)


def _run_torch(
    program: Program,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> list[Tensor]:
    named = dict(zip(program.indices, indices[::3], strict=True))
    extents = dict(zip(("rows", *program.indices), lengths, strict=True))
    for name, index in named.items():
        check_bounds(index, extents[name], f"index {name!r}")
    with torch.autocast(values[0].device.type, enabled=False):  # as C: in the type of the operands
        return torch_backend.run(program, values, named, extents)


operator.register_backend("torch", _run_torch)
operator.register_backend("c", c_backend.run)
