"""Which backends there are, which one a call gets, and why."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from schur.engine import operator, torch_backend
from schur.engine.sorting import check_bounds
from schur.errors import BackendError
from schur.forms import Program


def require(name: str) -> None:
    """Raise unless the backend can serve on this machine."""
    reason = {"torch": None}.get(name, "there is no such backend")
    if reason is not None:
        raise BackendError(f"backend {name!r} cannot serve: {reason}", expected="auto or torch")


def choose(asked: str, example: Tensor) -> str:
    """The backend for a tensor."""
    return "torch" if asked == "auto" else asked


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
    with torch.no_grad():
        return torch_backend.run(program, values, named, extents)


operator.register_backend("torch", _run_torch)
