"""The Triton backend: a program's passes as kernels of a GPU, or of Triton's interpreter."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from schur.engine import triton_ahead, triton_check, triton_tuning
from schur.engine.device_graphs import is_quiet
from schur.engine.triton_ahead import INTERPRETED
from schur.engine.triton_calls import Compiled, Refused
from schur.engine.triton_source import COMPUTE
from schur.forms import Program

DTYPES = tuple(getattr(torch, name) for name in COMPUTE)
# More terms than this would be compiled for minutes.
_TERMS = 60_000


@lru_cache(maxsize=1)
def missing() -> str | None:
    """What this machine lacks for the Triton backend, or None."""
    if importlib.util.find_spec("triton") is None:
        return "the triton package is not installed (pip install 'schur[triton]')"
    return None


def unfit(example: Tensor) -> str | None:
    """Why the Triton backend cannot work on these tensors, or None."""
    device = example.device.type
    if device != "cuda" and not (device == "cpu" and INTERPRETED):
        return f"it computes on CUDA and ROCm devices and the tensors are on {example.device}"
    if example.dtype not in DTYPES:
        names = ", ".join(COMPUTE)
        return f"it computes in {names} and the tensors are {example.dtype}"
    return None


def refusal(program: Program, device: torch.device) -> str | None:
    """Why no kernels of a program are made for a device, or None."""
    terms = sum(statement.form.terms for statement in program.statements)
    if terms > _TERMS:
        return f"the form has {terms:,} terms and it compiles at most {_TERMS:,}"
    return _too_old(device.index or 0) if device.type == "cuda" else None


@lru_cache(maxsize=64)
def _too_old(number: int) -> str | None:
    if torch.version.hip is not None:
        return None
    major, minor = torch.cuda.get_device_capability(number)
    if major >= 8:
        return None
    return f"Triton needs compute capability 8.0 and the device has {major}.{minor}"


def run(
    program: Program,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> list[Tensor]:
    """Evaluate a program; the arguments are those of the operator `schur::run`.

    Raises:
        Refused: if the program is too large or cannot be compiled, with the reason.
    """
    reason = refusal(program, values[0].device)
    if reason is not None:
        raise Refused(reason)
    dtype, device = values[0].dtype, values[0].device
    compiled = _compiled(program, dtype, _model(device))
    with _on(device):
        if triton_ahead.is_asking():
            return compiled.run(values, indices, lengths)
        if triton_tuning.wanted() and lengths[0] >= triton_tuning.ROWS:
            compiled = _tuned(compiled, program, values, indices, lengths)
        if triton_check.wanted() and not is_quiet():
            name = compiled.module.__name__
            rounding = compiled.rounding(dtype)
            triton_check.checked(program, name, dtype, device, compiled.run, rounding)
        return compiled.run(values, indices, lengths)


def _on(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def _model(device: torch.device) -> str:
    """What kernels are measured for: a kind of device."""
    return _name(device.index or 0) if device.type == "cuda" else device.type


@lru_cache(maxsize=64)
def _name(number: int) -> str:
    return torch.cuda.get_device_name(number)


@lru_cache(maxsize=4096)
def _compiled(program: Program, dtype: torch.dtype, model: str) -> Compiled:
    name = _short(dtype)
    return Compiled(program, name, triton_tuning.kernels(program, name, model))


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# What candidates were compared for in this process, and what is taken since.
_taken: dict[tuple[Program, torch.dtype, str], Compiled] = {}


def _tuned(
    compiled: Compiled,
    program: Program,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> Compiled:
    """The fastest kernels for a program; measured on these tensors where nobody has."""
    dtype, device = values[0].dtype, values[0].device
    key = (program, dtype, _model(device))
    if key not in _taken and not is_quiet():
        name = _short(dtype)
        if not triton_tuning.is_measured(program, name, key[2]):

            def seconds(module: ModuleType) -> float:
                made = Compiled(program, name, module)
                return triton_tuning.clock(lambda: made.run(values, indices, lengths), device)

            def ask(module: ModuleType) -> None:
                if triton_ahead.wanted():
                    with triton_ahead.asking():
                        Compiled(program, name, module).run(values, indices, lengths)

            module = triton_tuning.measured(program, name, key[2], ask, seconds)
            compiled = Compiled(program, name, module)
        _taken[key] = compiled
    return _taken.get(key, compiled)
