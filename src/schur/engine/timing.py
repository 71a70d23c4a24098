"""How long a program takes here."""

from __future__ import annotations

from time import perf_counter

import torch

from schur.engine.routine import Backend, Routine
from schur.errors import FormError
from schur.forms import Program

# Repeated until together they have taken as long, or so often at most; the shortest counts, as
# other work on the machine can only lengthen a run.
_ENOUGH = 0.05
_MOST = 50


def seconds(
    program: Program,
    rows: int,
    dtype: torch.dtype = torch.float32,
    backend: Backend = "auto",
) -> float:
    """Wall time of one evaluation on the CPU, in seconds: the shortest of several.

    Without derivatives, with torch's number of threads, after a first call that compiles.

    Args:
        program: whose operands are all shared or one a row.
        rows: how many rows of random numbers.
        dtype: number type.
        backend: see `Routine`.

    Raises:
        FormError: if an operand is read or summed at an index.

    Example:
        >>> from schur.harmonics import squared_length
        >>> 0 < seconds(squared_length(), 100) < 10
        True
    """
    if program.indices:
        raise FormError("a program with indices has no time without a graph", got=program.indices)
    generator = torch.Generator().manual_seed(0)
    values = [
        torch.randn(
            *((operand.size,) if operand.mode == "shared" else (rows, operand.size)),
            dtype=dtype,
            generator=generator,
        )
        for operand in program.inputs
    ]
    routine, sizes = Routine(program, backend), {"rows": rows}
    with torch.no_grad():
        routine(*values, sizes=sizes)
        best, total = float("inf"), 0.0
        for _ in range(_MOST):
            start = perf_counter()
            routine(*values, sizes=sizes)
            taken = perf_counter() - start
            best, total = min(best, taken), total + taken
            if total > _ENOUGH:
                break
    return best
