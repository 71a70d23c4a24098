"""One irreducible representation of O(3), and one with a multiplicity."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import total_ordering
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Float

from schur.conventions import PARITY_LETTER
from schur.errors import RepresentationError
from schur.groups import O3
from schur.reps.euler import rotation_generators
from schur.reps.irreducible import Irreducible
from schur.reps.rotation import rotation_character, rotation_matrix

if TYPE_CHECKING:
    from schur.reps.irreps import Irreps

_NOTATION = re.compile(r"\s*(\d+)\s*([eoy])\s*", re.ASCII)


@total_ordering
class Irrep(Irreducible):
    """The irreducible representation of O(3) of degree `l` and parity `p`.

    A rotation acts by the Wigner matrix D^l in the real basis of e3nn, the inversion by `p`.
    Irreps are immutable values: equal ones compare and hash equal, also to the pair `(l, p)`;
    they unpack as `l, p = irrep` and sort by `(l, p)` as in e3nn.

    Args:
        l: degree, 0, 1, 2, …; or a string such as `"1o"` (`e` even, `o` odd, `y` the parity
            (-1)^l of the spherical harmonics); or a pair `(l, p)`.
        p: parity, +1 or -1; left out where `l` is a string or a pair.

    Raises:
        RepresentationError: the degree is negative or the parity is not ±1.

    Source: notation of Geiger and Smidt, "e3nn: Euclidean neural networks",
    https://arxiv.org/abs/2207.09453, section 3.

    Example:
        >>> Irrep("1o"), Irrep(2, 1).dim, Irrep("3y").p
        (1o, 5, -1)
        >>> list(Irrep("1o") * Irrep("1o"))
        [0e, 1e, 2e]
        >>> Irrep("1o") + "2e"
        1x1o+1x2e
    """

    __slots__ = ("l", "p")

    l: int  # noqa: E741
    p: int

    def __init__(self, l: Any, p: Any = None) -> None:  # noqa: E741
        degree, parity = _read(l) if p is None else (l, p)
        if not _is_int(degree) or degree < 0:
            raise RepresentationError(
                "the degree of an irrep is a whole number that is not negative",
                got=repr(degree),
                expected="0, 1, 2, …",
            )
        if not _is_int(parity) or parity not in (1, -1):
            raise RepresentationError(
                "the parity of an irrep is a sign",
                got=repr(parity),
                expected="1 (even, 'e') or -1 (odd, 'o')",
            )
        object.__setattr__(self, "l", int(degree))
        object.__setattr__(self, "p", int(parity))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Irrep is immutable; its {name} cannot be set")

    def __reduce__(self) -> tuple[type[Irrep], tuple[int, int]]:
        return Irrep, (self.l, self.p)

    @property
    def dim(self) -> int:
        """Dimension, 2 l + 1."""
        return 2 * self.l + 1

    @classmethod
    def up_to(cls, weight: float) -> Sequence[Self]:
        """Both parities of the degrees 0, 1, …, weight."""
        return [cls(degree, p) for degree in range(int(weight) + 1) for p in (-1, 1)]

    @property
    def group(self) -> O3:
        """O(3)."""
        return O3()

    def generators(self) -> Float[np.ndarray, "3 dim dim"]:
        """Antisymmetric matrices of the turns about x, y and z."""
        return rotation_generators(self.l)

    def discrete(self) -> Float[np.ndarray, "1 dim dim"]:
        """The matrix of the inversion, p times the unit matrix."""
        return self.p * np.eye(self.dim)[None]

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        sign = np.where(np.linalg.det(g) < 0, -1.0, 1.0)
        matrices = rotation_matrix(self.l, sign[..., None, None] * g)
        return matrices * sign[..., None, None] if self.p < 0 else matrices

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        sign = np.where(np.linalg.det(g) < 0, -1.0, 1.0)
        traces = rotation_character(self.l, sign[..., None, None] * g)
        return traces * sign if self.p < 0 else traces

    def is_scalar(self) -> bool:
        """Whether this is the trivial representation `0e`."""
        return self.l == 0 and self.p == 1

    def __iter__(self) -> Iterator[int]:
        return iter((self.l, self.p))

    def __repr__(self) -> str:
        return f"{self.l}{PARITY_LETTER[self.p]}"

    def __hash__(self) -> int:
        return hash((self.l, self.p))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Irrep):
            return self.l == other.l and self.p == other.p
        if isinstance(other, (str, tuple)):
            try:
                return self == Irrep(other)
            except RepresentationError:
                return False
        return NotImplemented

    def __lt__(self, other: Irrep) -> bool:
        return (self.l, self.p) < (other.l, other.p)

    def __mul__(self, other: Irrep | str | tuple[int, int]) -> Iterator[Irrep]:
        """Irreps of the tensor product: degrees |l1 - l2| … l1 + l2, parity p1 p2."""
        right = Irrep(other)
        degrees = range(abs(self.l - right.l), self.l + right.l + 1)
        return (Irrep(degree, self.p * right.p) for degree in degrees)

    def __rmul__(self, mul: int) -> Irreps:
        from schur.reps.irreps import Irreps

        return Irreps([(mul, self)])

    def __add__(self, other: object) -> Irreps:
        from schur.reps.irreps import Irreps

        return Irreps(self) + other


class MulIrrep:
    """An irrep with a multiplicity: `mul` copies of `ir`. Unpacks as `mul, ir = item`.

    Raises:
        RepresentationError: the multiplicity is not a whole number or is negative.

    Example:
        >>> MulIrrep(3, Irrep("1o")), MulIrrep(3, "1o").dim
        (3x1o, 9)
    """

    __slots__ = ("ir", "mul")

    mul: int
    ir: Irrep

    def __init__(self, mul: Any, ir: Any) -> None:
        if not _is_int(mul) or mul < 0:
            raise RepresentationError(
                "a multiplicity is a whole number that is not negative",
                got=f"{mul!r} x {ir}",
                expected="0, 1, 2, …",
                remedy="write a term as MULxIRREP, for example '32x1o'",
            )
        object.__setattr__(self, "mul", int(mul))
        object.__setattr__(self, "ir", Irrep(ir))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a MulIrrep is immutable; its {name} cannot be set")

    def __reduce__(self) -> tuple[type[MulIrrep], tuple[int, Irrep]]:
        return MulIrrep, (self.mul, self.ir)

    @property
    def dim(self) -> int:
        """Dimension, mul (2 l + 1)."""
        return self.mul * self.ir.dim

    def __iter__(self) -> Iterator[Any]:
        return iter((self.mul, self.ir))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return (self.mul, self.ir)[index]

    def __repr__(self) -> str:
        return f"{self.mul}x{self.ir}"

    def __hash__(self) -> int:
        return hash((self.mul, self.ir))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (MulIrrep, tuple)):
            return (self.mul, self.ir) == tuple(other)
        return NotImplemented


def _is_int(value: object) -> bool:
    # numpy's integers have __index__ too; a truth value is an int only by accident.
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _read(value: Any) -> tuple[Any, Any]:
    if isinstance(value, str):
        match = _NOTATION.fullmatch(value)
        if match is None:
            raise RepresentationError(
                "the string does not describe an irrep of O(3)",
                got=repr(value),
                expected="a degree and a parity, such as '0e', '1o' or '2y'",
            )
        degree = int(match[1])
        parity = {"e": 1, "o": -1, "y": (-1) ** degree}[match[2]]
        return degree, parity
    try:
        degree, parity = value
    except (TypeError, ValueError):
        raise RepresentationError(
            "this does not describe an irrep of O(3)",
            got=repr(value),
            expected="'1o', (1, -1) or an Irrep",
            remedy="give the parity as second argument: Irrep(l, p)",
        ) from None
    return degree, parity
