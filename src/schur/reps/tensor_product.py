"""Tensor products of representations, of one group and of two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Inexact

from schur.groups import DirectProduct, Group
from schur.reps.direct_sum import common_group
from schur.reps.representation import Representation


@dataclass(frozen=True, repr=False)
class TensorProduct(Representation):
    """ρ_1 ⊗ ρ_2 ⊗ … on Kronecker products of vectors, the first factor slowest.

    Args:
        factors: representations of one group, at least one.

    Raises:
        RepresentationError: no factor, or factors of different groups.

    Example:
        >>> from schur.reps import SO2Irrep
        >>> (SO2Irrep(1) * SO2Irrep(2)).decompose().irreps
        SO2Irrep(m=1) + SO2Irrep(m=3)
    """

    factors: tuple[Representation, ...]

    def __post_init__(self) -> None:
        common_group(self.factors)

    @property
    def group(self) -> Group:
        return self.factors[0].group

    @property
    def dim(self) -> int:
        return int(np.prod([factor.dim for factor in self.factors]))

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        return sum_of_actions([factor.generators() for factor in self.factors])

    def discrete(self) -> Inexact[np.ndarray, "d dim dim"]:
        return reduce(kronecker, [factor.discrete() for factor in self.factors])

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return reduce(kronecker, [factor._matrix(g) for factor in self.factors])

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        return np.prod([factor._character(g) for factor in self.factors], axis=0)

    def __repr__(self) -> str:
        return " * ".join(f"({factor!r})" for factor in self.factors)


@dataclass(frozen=True, repr=False)
class OuterProduct(Representation):
    """ρ_1 ⊠ ρ_2 ⊠ …: each factor of a direct product of groups acts on its own index.

    Args:
        factors: one representation for each factor of the group, two or more.

    Example:
        >>> from schur.reps import Irrep, SO2Irrep
        >>> both = OuterProduct((Irrep("1o"), SO2Irrep(2)))
        >>> str(both.group), both.dim
        ('O3 x SO2', 6)
    """

    factors: tuple[Representation, ...]

    @property
    def group(self) -> DirectProduct:
        return DirectProduct(tuple(factor.group for factor in self.factors))

    @property
    def dim(self) -> int:
        return int(np.prod([factor.dim for factor in self.factors]))

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        blocks = []
        for acting in range(len(self.factors)):
            count = self.factors[acting].group.dim
            padded = [
                factor.generators() if i == acting else np.zeros((count, factor.dim, factor.dim))
                for i, factor in enumerate(self.factors)
            ]
            blocks.append(sum_of_actions(padded))
        return np.concatenate(blocks)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        parts = [f._matrix(self.group.project(i, g)) for i, f in enumerate(self.factors)]
        return reduce(kronecker, parts)

    def __repr__(self) -> str:
        return f"OuterProduct({', '.join(map(repr, self.factors))})"


def kronecker(
    a: Inexact[np.ndarray, "*batch m m"], b: Inexact[np.ndarray, "*batch n n"]
) -> Inexact[np.ndarray, "*batch mn mn"]:
    """Kronecker products of two batches of square matrices."""
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    size = a.shape[-1] * b.shape[-1]
    return product.reshape(*product.shape[:-4], size, size)


def sum_of_actions(
    generators: list[np.ndarray],
) -> Inexact[np.ndarray, "k dim dim"]:
    """Σ_i 1 ⊗ … ⊗ X_i ⊗ … ⊗ 1, the derivative of a Kronecker product."""
    total = generators[0]
    for x in generators[1:]:
        left = np.broadcast_to(np.eye(total.shape[-1]), total.shape)
        right = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
        total = kronecker(total, right) + kronecker(left, x)
    return total
