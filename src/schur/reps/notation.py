"""Reading sums of irreps of O(3) as e3nn writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from schur.errors import RepresentationError
from schur.reps.irrep import Irrep, MulIrrep

_TERM = re.compile(r"\s*(?:(-?\d+)\s*x)?\s*(\d+\s*[eoy])\s*", re.ASCII)


def read_terms(value: Any) -> tuple[MulIrrep, ...]:
    """Terms of a sum of irreps: from a string, an irrep, a term, or an iterable of those.

    Raises:
        RepresentationError: the value cannot be read, or a multiplicity is negative.

    Example:
        >>> read_terms("64x0e + 1o")
        (64x0e, 1x1o)
    """
    if value is None:
        return ()
    if isinstance(value, Irrep):
        return (MulIrrep(1, value),)
    if isinstance(value, MulIrrep):
        return (value,)
    if isinstance(value, str):
        return tuple(map(_read_term, value.split("+"))) if value.strip() else ()
    if not isinstance(value, Iterable):
        raise _not_irreps(value)
    return tuple(map(_read_term, value))


def _read_term(term: Any) -> MulIrrep:
    if isinstance(term, MulIrrep):
        return term
    if isinstance(term, Irrep):
        return MulIrrep(1, term)
    if isinstance(term, str):
        match = _TERM.fullmatch(term)
        if match is None:
            raise RepresentationError(
                "the string does not describe a sum of irreps of O(3)",
                got=repr(term),
                expected="terms such as '32x1o' or '0e', joined by '+'",
                remedy="write the multiplicity, 'x', the degree, then 'e' (even) or 'o' (odd)",
            )
        return MulIrrep(1 if match[1] is None else int(match[1]), match[2])
    try:
        mul, ir = term
    except (TypeError, ValueError):
        raise _not_irreps(term) from None
    return MulIrrep(mul, ir)


def _not_irreps(value: Any) -> RepresentationError:
    return RepresentationError(
        "this does not describe a sum of irreps of O(3)",
        got=repr(value),
        expected="a string such as '64x0e + 32x1o', or terms (mul, irrep)",
    )
