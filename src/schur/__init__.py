"""Trainable functions on geometric tensors: equivariant by construction, compiled.

Public names are loaded when they are first used, so that `import schur` is instant and the exact
parts (`schur.forms`, `schur.groups`, `schur.reps`, `schur.harmonics`, `schur.products`) never
load torch.

Example:
    >>> import schur
    >>> schur.Irreps("2x0e + 1o").dim
    5
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from schur import forms as forms

# public name -> the module that defines it
_HOME: dict[str, str] = {}
_PARTS = {"forms"}

__all__ = ["__version__", *sorted(_HOME), *sorted(_PARTS)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name in _PARTS:
        return importlib.import_module(f"schur.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'schur' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
