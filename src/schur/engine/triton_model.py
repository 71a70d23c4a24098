"""How a program is cut into blocks of channels and kernels, by a count of what each way costs."""

from __future__ import annotations

from schur.engine.triton_plan import Budget
from schur.forms import Program


def budget(program: Program, dtype: str) -> Budget:
    """What a program on the device may use."""
    return Budget(32, 150 if dtype != "float64" else 80)
