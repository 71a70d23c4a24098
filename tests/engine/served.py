"""The backends that the tests of this folder hold to the same laws."""

from __future__ import annotations

from typing import Any

import pytest

from schur.engine import triton_backend

_LACKING = triton_backend.missing()
needs_triton = pytest.mark.skipif(_LACKING is not None, reason=str(_LACKING))
TRITON: Any = pytest.param("triton", marks=needs_triton)
BACKENDS: list[Any] = ["torch", "c", TRITON]
