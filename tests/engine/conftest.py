"""What runs in processes of its own is not collected with the rest; a budget for Triton."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import pytest

from schur.engine import triton_backend, triton_check, triton_module, triton_tuning
from schur.engine.triton_kernels import Budget
from schur.engine.triton_source import source
from schur.forms import Program

collect_ignore = ["ahead.py", "bad_input.py", "compiling.py"]


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Budget], None]]:
    """Sets what a program may use."""

    def use(chosen: Budget) -> None:
        triton_backend._compiled.cache_clear()
        triton_check._passed.clear()
        monkeypatch.setattr(triton_tuning, "kernels", partial(_kernels, budget=chosen))

    yield use
    triton_backend._compiled.cache_clear()


def _kernels(program: Program, dtype: str, device: str, budget: Budget) -> ModuleType:
    return triton_module.kept(
        f"{program.key} {dtype} {budget}", source(program, dtype, budget).text
    )
