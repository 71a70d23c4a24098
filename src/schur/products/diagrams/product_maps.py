"""Local symmetry: a product of groups, each acting on its own part of the space or of the axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod

import numpy as np
from jaxtyping import Float

from schur.products.diagrams.factoring import (
    Factoring,
    Joined,
    Placed,
    Terms,
    side_by_side,
)
from schur.products.diagrams.maps import EquivariantMaps, TensorPowerMaps


@dataclass(frozen=True, eq=False)
class Share:
    """One factor's maps, and where their indices lie.

    Args:
        maps: a basis of the factor's maps.
        axes_in, axes_out: which axes of the input and of the output are the factor's.
        offset: where the factor's part starts on each of them.
    """

    maps: TensorPowerMaps
    axes_in: tuple[int, ...]
    axes_out: tuple[int, ...]
    offset: int


@dataclass(frozen=True, eq=False)
class ProductMaps(EquivariantMaps):
    """Tensor products of the factors' maps, for each way in which the factors share the axes.

    (R^n)^⊗k with R^n = ⊕ R^{n_f} is the sum of the tensor products R^{n_{f_1}} ⊗ … ⊗ R^{n_{f_k}}
    over all f_1 … f_k. Between two of these the maps are the tensor products of the factors' maps;
    most are mixed, and no sum of maps that each factor has on its own.

    Args:
        extents: of the input's axes, and of the output's.
        sharings: each a list of one share a factor; together they have each axis once.
    """

    extents: tuple[tuple[int, ...], tuple[int, ...]]
    sharings: tuple[tuple[Share, ...], ...]

    @property
    def shape_in(self) -> tuple[int, ...]:
        return self.extents[0]

    @property
    def shape_out(self) -> tuple[int, ...]:
        return self.extents[1]

    @property
    def dimension(self) -> int:
        return sum(prod(share.maps.dimension for share in shares) for shares in self.sharings)

    def squares(self) -> Float[np.ndarray, " dimension"]:
        found = [
            reduce(np.multiply.outer, [share.maps.squares() for share in shares]).reshape(-1)
            for shares in self.sharings
        ]
        return np.concatenate([np.zeros(0), *found])

    def factorings(self) -> Iterator[Factoring]:
        for shares in self.sharings:
            bases = [list(share.maps.factorings()) for share in shares]
            for chosen in product(*bases):
                yield self._joined(shares, chosen)

    def _joined(self, shares: Sequence[Share], chosen: Sequence[Factoring]) -> Factoring:
        both = list(zip(shares, chosen, strict=True))
        above = Joined(
            self.shape_out,
            tuple(Placed(one.above, s.maps.n, s.axes_out, s.offset) for s, one in both),
        )
        below = Joined(
            self.shape_in,
            tuple(Placed(one.below, s.maps.n, s.axes_in, s.offset) for s, one in both),
        )
        couplings: Terms = np.zeros((1, 2), np.int64), np.ones(1)
        for one in chosen:
            couplings = side_by_side(couplings, one.couplings, (one.below.size, one.above.size))
        return Factoring(above, below, couplings)


def all_sharings(
    bases: Sequence[Sequence[Sequence[TensorPowerMaps]]],
    offsets: Sequence[int],
    k: int,
    l: int,
) -> Iterator[tuple[Share, ...]]:
    """Each way to give the k and l axes to the factors.

    Args:
        bases: for each factor, for each number of input and of output axes its maps.
        offsets: where each factor's part of the space starts.
        k, l: orders of input and output.
    """
    for owners in product(range(len(bases)), repeat=l + k):
        shares = []
        for factor, offset in enumerate(offsets):
            out = tuple(axis for axis in range(l) if owners[axis] == factor)
            into = tuple(axis for axis in range(k) if owners[l + axis] == factor)
            shares.append(Share(bases[factor][len(into)][len(out)], into, out, offset))
        if all(share.maps.dimension for share in shares):
            yield tuple(shares)


def one_sharing(maps: Sequence[TensorPowerMaps]) -> tuple[Share, ...]:
    """Each factor has the axes that follow those of the factor before."""
    shares, start_in, start_out = [], 0, 0
    for one in maps:
        stop_in, stop_out = start_in + one.k, start_out + one.l
        axes = tuple(range(start_in, stop_in)), tuple(range(start_out, stop_out))
        shares.append(Share(one, *axes, 0))
        start_in, start_out = stop_in, stop_out
    return tuple(shares)
