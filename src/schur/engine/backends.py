"""Which backends there are, which one a call gets, and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

from torch import Tensor

from schur.engine import c_backend, operator, torch_backend
from schur.engine.sorting import check_bounds
from schur.errors import BackendError
from schur.forms import Program

_log = logging.getLogger("schur")


def require(name: str, example: Tensor | None = None) -> None:
    """Raise unless the backend can serve, for these tensors if given.

    Raises:
        BackendError: with the reason.
    """
    if name == "torch":
        return
    reason = c_backend.unavailable(example) if name == "c" else "there is no such backend"
    if reason is not None:
        raise BackendError(
            f"backend {name!r} cannot serve: {reason}",
            expected="'auto', 'torch' or 'c'",
            remedy="use backend='auto', which takes what can serve",
        )


def choose(asked: str, example: Tensor) -> str:
    """The backend for a call: what was asked for, or compiled C wherever it can serve."""
    if asked != "auto":
        require(asked, example)
        return asked
    if c_backend.unavailable(example) is None:
        return "c"
    if example.device.type == "cpu":
        _say_once(explain(example))
    return "torch"


def explain(example: Tensor) -> str:
    """Why `backend="auto"` takes what it takes.

    Example:
        >>> import torch
        >>> explain(torch.zeros(1, dtype=torch.float16))
        "torch backend: C cannot serve: it computes in float32 and float64 and the tensors are torch.float16"
    """
    reason = c_backend.unavailable(example)
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
    return torch_backend.run(program, values, named, extents)


operator.register_backend("torch", _run_torch)
operator.register_backend("c", c_backend.run)
