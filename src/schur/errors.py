"""Exceptions that say what was got, what was expected and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class SchurError(Exception):
    """Base of every error that Schur raises on purpose.

    Args:
        problem: what is wrong, in one sentence.
        got: the offending value, as the caller would recognise it.
        expected: what would have been accepted.
        remedy: what to do about it.

    Example:
        >>> print(SchurError("the array has the wrong shape", got=(3,), expected=(4,)))
        the array has the wrong shape
          got:      (3,)
          expected: (4,)
    """

    def __init__(
        self,
        problem: str,
        *,
        got: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        lines = [problem]
        if got is not None:
            lines.append(f"  got:      {got}")
        if expected is not None:
            lines.append(f"  expected: {expected}")
        if remedy is not None:
            lines.append(f"  remedy:   {remedy}")
        super().__init__("\n".join(lines))


class RepresentationError(SchurError, ValueError):
    """Representations that do not fit together, or a malformed description of one."""


class ShapeError(SchurError, ValueError):
    """An array whose shape does not fit its description."""


class DtypeError(SchurError, TypeError):
    """An array whose number type or device does not fit the others."""


class IndexRangeError(SchurError, IndexError):
    """An index that points outside the array that it reads."""


class FormError(SchurError, ValueError):
    """A form or program that contradicts itself."""


class BackendError(SchurError, RuntimeError):
    """A backend that was asked for by name and cannot serve."""


class NumberError(SchurError, ValueError):
    """A number that is not finite, or outside the domain of a function."""


class DataError(SchurError, ValueError):
    """A data file or data set that would ruin what is made from it."""


class PeerError(SchurError, RuntimeError):
    """Another process of the same run has failed or ended."""


@contextmanager
def optional_package(problem: str, package: str, remedy: str) -> Iterator[None]:
    """Turns the failed import of an optional package into an error that says how to get it.

    Args:
        problem: what needs the package.
        package: its name.
        remedy: the words that install it.

    Raises:
        BackendError: where the import fails.

    Example:
        >>> with optional_package("this needs more", "nowhere", "pip install nowhere"):
        ...     import nowhere
        Traceback (most recent call last):
            ...
        schur.errors.BackendError: this needs more
          got:      No module named 'nowhere'
          expected: nowhere installed
          remedy:   pip install nowhere
    """
    try:
        yield
    except ImportError as error:
        raise BackendError(
            problem, got=str(error), expected=f"{package} installed", remedy=remedy
        ) from error
