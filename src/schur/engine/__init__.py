"""From programs to callables: torch, compiled C."""

from schur.engine.routine import Routine
from schur.engine.sorting import Sorted

__all__ = ["Routine", "Sorted"]
