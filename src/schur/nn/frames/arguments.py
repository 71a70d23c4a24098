"""What the makers of frames are told when they are built, or an error that says what was meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import TypeVar

from schur.errors import NumberError, RepresentationError

F = TypeVar("F", bound=Callable[..., object])


def function(name: str, value: F) -> F:
    """A module, or another thing that can be called.

    Raises:
        RepresentationError: it is something else.

    Example:
        >>> function("a backbone", abs)(-3)
        3
    """
    if not callable(value):
        raise RepresentationError(name, got=repr(value), expected="a module or a function")
    return value


def whole(name: str, value: int, least: int = 1) -> int:
    """A whole number that is not below `least`.

    Raises:
        NumberError: it is something else.

    Example:
        >>> whole("how many slots", 3)
        3
    """
    if not isinstance(value, Integral) or value < least:
        raise NumberError(name, got=repr(value), expected=f"a whole number, {least} or more")
    return int(value)


def between(name: str, value: float, least: float, below: float = float("inf")) -> float:
    """A number from `least` on and smaller than `below`.

    Raises:
        NumberError: it is something else.

    Example:
        >>> between("sharpness", 0.5, 0.0, 1.0)
        0.5
    """
    if not isinstance(value, Real) or not least <= value < below:
        end = "" if below == float("inf") else f" < {below}"
        raise NumberError(name, got=repr(value), expected=f"{least} <= number{end}")
    return float(value)


def one_of(name: str, value: str, words: Sequence[str]) -> str:
    """One of some words.

    Raises:
        RepresentationError: it is something else.

    Example:
        >>> one_of("when frames are drawn", "never", ("never", "always"))
        'never'
    """
    if value not in words:
        raise RepresentationError(name, got=repr(value), expected=" or ".join(map(repr, words)))
    return value
