"""Which backends there are, which one a call gets, and why."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from schur.engine import c_backend, operator, torch_backend, triton_backend
from schur.engine.autocast import switched_off
from schur.engine.sorting import check_bounds
from schur.errors import BackendError
from schur.forms import Program

_log = logging.getLogger("schur")


# Who can be asked for by name and needs something of the machine or the tensors.
_COMPILED = {"c": c_backend, "triton": triton_backend}
# What `auto` hands to Triton: torch takes a program or a derivative of it that Triton refuses.
_TRITON_OR_TORCH = "triton or torch"
NAMES = ("torch", *_COMPILED, _TRITON_OR_TORCH)


def missing() -> dict[str, str | None]:
    """For each compiled backend what this machine lacks for it, or None."""
    return {name: backend.missing() for name, backend in _COMPILED.items()}


def require(name: str) -> None:
    """Raise unless the backend can serve on this machine.

    Raises:
        BackendError: with the reason.
    """
    if name == "torch":
        return
    backend = _COMPILED.get(name)
    reason = "there is no such backend" if backend is None else backend.missing()
    if reason is not None:
        raise _refusal(name, reason)


def _refusal(name: str, reason: str) -> BackendError:
    return BackendError(
        f"backend {name!r} cannot serve: {reason}",
        expected="'auto', 'torch', 'c' or 'triton'",
        remedy="use backend='auto', which takes what can serve",
    )


def choose(asked: str, example: Tensor, lacking: Mapping[str, str | None]) -> str:
    """The backend for a call: what was asked for, or what is compiled wherever it can serve.

    Args:
        asked: the routine's backend.
        example: one of the tensors.
        lacking: what this machine lacks, as `missing` found it.
    """
    if asked == "torch":
        return asked
    if asked != "auto":
        reason = lacking[asked] or _COMPILED[asked].unfit(example)
        if reason is not None:
            raise _refusal(asked, reason)
        return asked
    name = _natural(example)
    reason = lacking[name] or _COMPILED[name].unfit(example)
    # On a CPU a number type that C does not know is no surprise; a lack of a compiler is.
    telling = lacking[name] if name == "c" else reason
    if telling is not None and not torch.compiler.is_compiling():
        _say_once(explain(example))
    if reason is not None:
        return "torch"
    return "c" if name == "c" else _TRITON_OR_TORCH


def _natural(example: Tensor) -> str:
    return "c" if example.device.type == "cpu" else "triton"


def explain(example: Tensor) -> str:
    """Why `backend="auto"` takes what it takes for a tensor.

    Example:
        >>> import torch
        >>> explain(torch.zeros(1, dtype=torch.float16)).split(":")[0]
        'torch backend'
    """
    name = _natural(example)
    reason = _COMPILED[name].missing() or _COMPILED[name].unfit(example)
    title = "C" if name == "c" else "Triton"
    return (
        f"{title} backend" if reason is None else f"torch backend: {title} cannot serve: {reason}"
    )


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
    for (name, index), start in zip(named.items(), indices[2::3], strict=True):
        if not start.numel():  # else the bounds were checked when the sort was made
            check_bounds(index, extents[name], f"index {name!r}")
    with switched_off(values[0].device):  # as C: in the type of the operands
        return torch_backend.run(program, values, named, extents)


def _run_triton_or_torch(
    program: Program,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> list[Tensor]:
    try:
        return triton_backend.run(program, values, indices, lengths)
    except triton_backend.Refused as refused:
        _say_once(f"torch backend: Triton cannot serve: {refused.reason}")
    return _run_torch(program, values, indices, lengths)


operator.register_backend("torch", _run_torch)
operator.register_backend("c", c_backend.run)
operator.register_backend("triton", triton_backend.run)
operator.register_backend(_TRITON_OR_TORCH, _run_triton_or_torch)
