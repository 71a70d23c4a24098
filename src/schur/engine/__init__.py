"""From programs to callables: torch, compiled C."""

from schur.engine.routine import Routine
from schur.engine.sorting import Sorted
from schur.engine.timing import seconds

__all__ = ["Routine", "Sorted", "seconds"]
