"""Do backends compute what the oracle says a program means?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.forms import Operand, Program, derive, evaluate
from schur.testing.law import LawError


def backend_error(
    program: Program,
    backend: Backend = "auto",
    dtype: torch.dtype = torch.float64,
    rows: int = 5,
    sizes: Mapping[str, int] | None = None,
    order: int = 0,
    seed: int = 0,
) -> float:
    """The largest error of a backend against the oracle, as a share of the largest value.

    Args:
        program: what is computed, on standard normal numbers and random indices.
        backend: who computes it.
        dtype: in which number type; the oracle takes the rounded numbers, in float64.
        rows: how many rows.
        sizes: the lengths of indexed tables, 4 if not given.
        order: how often the program is differentiated first.
        seed: of the generator that draws numbers and indices.

    Example:
        >>> from schur.products import convolution
        >>> from schur.reps import Irreps
        >>> program, _, _ = convolution(Irreps("2x0e+2x1o"), Irreps("0e+1o"), Irreps("0e+1o"))
        >>> backend_error(program, "torch", order=1) < 1e-14
        True
    """
    for _ in range(order):
        program = derive(program)
    generator = np.random.default_rng(seed)
    lengths = {name: (sizes or {}).get(name, 4) for name in program.indices}
    indices = {name: generator.integers(0, n, rows) for name, n in lengths.items()}
    lengths["rows"] = rows
    tensors = {
        operand.name: torch.from_numpy(generator.standard_normal(_shape(operand, lengths))).to(
            dtype
        )
        for operand in program.inputs
    }
    exact = evaluate(
        program, {name: t.double().numpy() for name, t in tensors.items()}, indices, lengths
    )
    found = Routine(program, backend)(
        *tensors.values(),
        indices={name: torch.from_numpy(index) for name, index in indices.items()},
        sizes=lengths,
    )
    outputs = found if isinstance(found, tuple) else (found,)
    worst = 0.0
    for name, output in zip(program.outputs, outputs, strict=True):
        size = max(float(np.abs(exact[name]).max(initial=0.0)), 1e-300)
        error = float(np.abs(output.double().numpy() - exact[name]).max(initial=0.0)) / size
        if not error <= worst:  # written so that a NaN stays
            worst = error
    return worst


def assert_agrees_with_oracle(
    program: Program,
    backend: Backend = "auto",
    dtype: torch.dtype = torch.float64,
    rows: int = 5,
    sizes: Mapping[str, int] | None = None,
    order: int = 0,
    seed: int = 0,
) -> None:
    """Raise unless `backend_error` is at most 32 eps √(terms).

    Raises:
        LawError: if the backend computes something else.
    """
    error = backend_error(program, backend, dtype, rows, sizes, order, seed)
    terms = sum(statement.form.terms for statement in program.statements)
    allowed = 32 * torch.finfo(dtype).eps * max(terms, 1) ** 0.5
    if not error <= allowed:
        raise LawError(
            f"backend {backend!r} does not compute what the program means, derivative {order}",
            got=f"a relative error of {error:.2e}",
            expected=f"at most {allowed:.1e}",
        )


def _shape(operand: Operand, lengths: Mapping[str, int]) -> tuple[int, ...]:
    if operand.mode == "shared":
        return (operand.size,)
    return (lengths[operand.index or "rows"], operand.size)
