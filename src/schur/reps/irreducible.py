"""What irreducible representations have beyond other representations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

from schur.reps.representation import Representation


class Irreducible(Representation):
    """An irreducible representation, orthogonal or unitary in its basis."""

    __slots__ = ()

    @classmethod
    @abstractmethod
    def up_to(cls, weight: float) -> Sequence[Self]:
        """All irreps of the group whose largest weight is at most `weight`.

        The largest weight is the largest modulus among the eigenvalues of the last generator.
        """

    @property
    def commutant(self) -> int:
        """Dimension of the equivariant maps to itself: 1, or 2 for pairs of conjugate irreps."""
        return 1
