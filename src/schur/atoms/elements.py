"""Chemical symbols and atomic numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..errors import DataError

_LIST: Final = """
    X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As
    Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd
    Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am
    Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

SYMBOLS: Final[tuple[str, ...]] = tuple(_LIST.split())
"""The symbol of atomic number Z is `SYMBOLS[Z]`; number 0, `X`, is no element."""

_NUMBERS: Final = {symbol: number for number, symbol in enumerate(SYMBOLS) if number > 0}


def atomic_number(symbol: str) -> int:
    """The atomic number of a chemical symbol.

    Raises:
        DataError: where there is no such element.

    Example:
        >>> atomic_number("O")
        8
    """
    number = _NUMBERS.get(symbol)
    if number is None:
        raise DataError(
            "this is no chemical symbol",
            got=repr(symbol),
            expected="a symbol such as H, C or Cl, written with a capital first letter",
        )
    return number


def formula(numbers: Iterable[int]) -> str:
    """The chemical formula of atoms: carbon, hydrogen, then by the alphabet (Hill's order).

    Example:
        >>> formula([8, 6, 1, 6, 1, 1, 1, 1, 1])
        'C2H6O'
    """
    counts: dict[str, int] = {}
    for number in numbers:
        symbol = SYMBOLS[int(number)]
        counts[symbol] = counts.get(symbol, 0) + 1
    first = [symbol for symbol in ("C", "H") if "C" in counts and symbol in counts]
    order = first + sorted(symbol for symbol in counts if symbol not in first)
    return "".join(s + (str(counts[s]) if counts[s] > 1 else "") for s in order)
