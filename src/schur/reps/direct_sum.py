"""Direct sums of representations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Inexact

from schur.errors import RepresentationError
from schur.groups import Group
from schur.reps.representation import Representation


@dataclass(frozen=True, repr=False)
class DirectSum(Representation):
    """ρ_1 ⊕ ρ_2 ⊕ …: block-diagonal matrices on concatenated vectors.

    Args:
        parts: representations of one group, at least one.

    Raises:
        RepresentationError: no part, or parts of different groups.

    Example:
        >>> from schur.reps import SO2Irrep
        >>> (SO2Irrep(1) + SO2Irrep(0)).dim
        3
    """

    parts: tuple[Representation, ...]

    def __post_init__(self) -> None:
        common_group(self.parts)

    @property
    def group(self) -> Group:
        return self.parts[0].group

    @property
    def dim(self) -> int:
        return sum(part.dim for part in self.parts)

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        return block_diagonal([part.generators() for part in self.parts])

    def discrete(self) -> Inexact[np.ndarray, "d dim dim"]:
        return block_diagonal([part.discrete() for part in self.parts])

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return block_diagonal([part._matrix(g) for part in self.parts])

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        return np.sum([part._character(g) for part in self.parts], axis=0)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))


def block_diagonal(blocks: Sequence[np.ndarray]) -> Inexact[np.ndarray, "*batch dim dim"]:
    """Batches of square matrices along the diagonal of larger ones."""
    size = sum(block.shape[-1] for block in blocks)
    out = np.zeros((*blocks[0].shape[:-2], size, size), dtype=np.result_type(*blocks))
    start = 0
    for block in blocks:
        stop = start + block.shape[-1]
        out[..., start:stop, start:stop] = block
        start = stop
    return out


def common_group(parts: Sequence[Representation]) -> Group:
    """The group that all the representations share.

    Raises:
        RepresentationError: there is none.
    """
    groups = {part.group for part in parts}
    if len(groups) != 1:
        raise RepresentationError(
            "these representations do not belong to one group",
            got=", ".join(f"{part!r} of {part.group}" for part in parts) or "no representation",
            expected="representations of one group",
            remedy="restrict them to a common subgroup with rep.restrict(group)",
        )
    return groups.pop()
