"""The error of a broken law."""

from __future__ import annotations

from schur.errors import SchurError


class LawError(SchurError, AssertionError):
    """A function that breaks a law it should obey, by how much, and how much was allowed.

    Example:
        >>> raise LawError("not equivariant", got=1.0, expected="at most 1e-12")
        Traceback (most recent call last):
        schur.testing.law.LawError: not equivariant
          got:      1.0
          expected: at most 1e-12
    """
