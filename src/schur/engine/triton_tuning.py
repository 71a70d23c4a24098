"""Which of the ways to cut a program is fastest on this device: measured once, kept on disk.

Switched on by the environment variable SCHUR_AUTOTUNE=1; without it the first candidate of
`triton_model` serves, or what an earlier process has found.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from types import ModuleType

import torch

from schur.engine import triton_model, triton_module
from schur.engine.triton_source import source
from schur.errors import BackendError
from schur.forms import Program

# Fewer rows say nothing: their time is that of the launches.
ROWS = 4096
# As many of the candidates are measured, as many times.
_CANDIDATES, _RUNS = 3, 5


def wanted() -> bool:
    """Whether candidates are measured: SCHUR_AUTOTUNE is set, and not to 0."""
    return os.environ.get("SCHUR_AUTOTUNE", "0") not in ("", "0")


def kernels(program: Program, dtype: str, device: str) -> ModuleType:
    """The kernels that were fastest on a device; where nobody has measured, those of the model."""
    found = triton_module.found(_tuned(program, dtype, device))
    if found is not None:
        return found
    return triton_module.module(
        f"{program.key} {dtype}",
        lambda: source(program, dtype, triton_model.budget(program, dtype)).text,
    )


def is_measured(program: Program, dtype: str, device: str) -> bool:
    """Whether a process has measured the candidates on this kind of device."""
    return triton_module.found(_tuned(program, dtype, device)) is not None


def measured(
    program: Program,
    dtype: str,
    device: str,
    ask: Callable[[ModuleType], object],
    seconds: Callable[[ModuleType], float],
) -> ModuleType:
    """Measure the candidates and keep the fastest for every process to come.

    Args:
        program, dtype, device: what is run, and on what.
        ask: has kernels compiled, those of all candidates before the first is measured.
        seconds: runs kernels and says how long they take.

    Raises:
        BackendError: if none of them can be compiled.
    """
    best: tuple[float, str] | None = None
    refused: BackendError | None = None
    candidates: list[tuple[str, ModuleType]] = []
    for budget in triton_model.candidates(program, dtype)[:_CANDIDATES]:
        text = source(program, dtype, budget).text
        made = triton_module.module(f"{program.key} {dtype} {budget}", lambda text=text: text)
        candidates.append((text, made))
        ask(made)
    for text, made in candidates:
        try:
            took = seconds(made)
        except BackendError as error:
            refused = error
            continue
        if best is None or took < best[0]:
            best = took, text
    if best is None:
        assert refused is not None
        raise refused
    return triton_module.kept(_tuned(program, dtype, device), best[1])


def _tuned(program: Program, dtype: str, device: str) -> str:
    return f"{program.key} {dtype} on {device}"


def clock(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of a run: the median of a few, after one that compiles."""
    run()
    took = _on_device(run) if device.type == "cuda" else _on_host(run)
    return statistics.median(took)


def _on_device(run: Callable[[], object]) -> Sequence[float]:
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(_RUNS + 1)]
    marks[0].record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) / 1e3 for a, b in itertools.pairwise(marks)]


def _on_host(run: Callable[[], object]) -> Sequence[float]:
    took = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return took
