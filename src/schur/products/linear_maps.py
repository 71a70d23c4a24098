"""A basis of the equivariant linear maps between any two representations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact

from schur.errors import RepresentationError
from schur.forms import Block, Factor, Form, Operand, Path, Program
from schur.products.diagrams import EquivariantMaps, equivariant_maps
from schur.reps import Representation, Trivial, intertwiners
from schur.reps.terms import tensor_order

# Entries of a basis below this, on a pivot of one, are rounding.
_ZERO = 1e-9


@dataclass(frozen=True, eq=False)
class SolvedMaps:
    """Maps found by a null space, in reduced echelon form: independent, and mostly sparse.

    Args:
        basis: shape (dimension, rows, columns).
    """

    basis: Inexact[np.ndarray, "dimension rows columns"]

    @property
    def dimension(self) -> int:
        return len(self.basis)

    def matrices(self) -> Inexact[np.ndarray, "dimension rows columns"]:
        """The basis as dense matrices."""
        return self.basis

    def squares(self) -> Float[np.ndarray, " dimension"]:
        """For each map the sum of its squared entries."""
        return np.sum(np.abs(self.basis) ** 2, axis=(1, 2))

    def terms(self) -> int:
        """How many entries are not zero."""
        return int(np.count_nonzero(self.basis))

    def program(self, channels_in: int, channels_out: int) -> Program:
        """out[i, w] = Σ_d Σ_j Σ_u D_d[i, j] weight[d, u, w] x[j, u], one term for each entry.

        Raises:
            RepresentationError: the maps are complex; forms hold real numbers.
        """
        if np.iscomplexobj(self.basis):
            raise RepresentationError(
                "a form holds real coefficients",
                got=f"complex maps of {self.basis.shape[1]} rows",
                remedy="multiply by matrices() instead",
            )
        count, rows, columns = self.basis.shape
        x = Operand("x", (Block(columns, (channels_in,)),))
        weight = Operand("weight", (Block(count, (channels_in, channels_out)),), "shared")
        out = Operand("out", (Block(rows, (channels_out,)),))
        factors = (Factor("x", 0, "u"), Factor("weight", 0, "uw"), Factor("out", 0, "w"))
        d, i, j = np.nonzero(self.basis)
        path = Path(factors, np.stack([j, d, i], 1), self.basis[d, i, j])
        return Form((x, weight, out), (path,)).open("out")


def linear_maps(rep_in: Representation, rep_out: Representation) -> EquivariantMaps | SolvedMaps:
    """A basis of Hom_G(rep_in, rep_out), in exact rank.

    Tensor powers of the defining representation of Sym, Alt, O, SO, Sp and permutation groups by
    diagrams, which are never made into matrices; anything else by `schur.reps.intertwiners`,
    whose rank-revealing null space refuses to guess, reduced so that most entries vanish.

    Args:
        rep_in, rep_out: representations of one group; not sums (take their terms).

    Raises:
        RepresentationError: the groups differ, or the system is too large.
        NumberError: the rank is not certain in double precision.

    Source: Finzi, Welling, Wilson, "A practical method for constructing equivariant multilayer
    perceptrons for arbitrary matrix groups", https://arxiv.org/abs/2104.09459.

    Example:
        >>> from schur.groups import Lorentz, Orthogonal
        >>> from schur.reps import Defining
        >>> for group in (Orthogonal(4), Lorentz("O"), Lorentz()):
        ...     v = Defining(group)
        ...     print(group, linear_maps(v * v, v * v).dimension)
        O(4) 3
        O(1,3) 3
        SO+(1,3) 4
    """
    orders = tensor_order(rep_in), tensor_order(rep_out)
    if orders[0] is not None and orders[1] is not None and rep_in.group == rep_out.group:
        try:
            return equivariant_maps(rep_in.group, orders[0], orders[1])
        except RepresentationError:
            pass  # no diagrams are known for this group
    return SolvedMaps(reduced(intertwiners(rep_in, rep_out)))


def invariants(rep: Representation) -> Inexact[np.ndarray, "r dim"]:
    """A basis of the vectors v with ρ(g) v = v, reduced.

    Example:
        >>> from schur.groups import Lorentz
        >>> from schur.reps import Defining
        >>> v = Defining(Lorentz())
        >>> invariants(v * v).reshape(4, 4).diagonal()
        array([ 1., -1., -1., -1.])
    """
    return linear_maps(Trivial(rep.group), rep).matrices()[:, :, 0]


def reduced(
    maps: Inexact[np.ndarray, "r rows columns"],
) -> Inexact[np.ndarray, "r rows columns"]:
    """A basis of the same space in reduced row echelon form, with pivots of the largest size.

    Solutions of equations with small integers mostly become sparse ones with small integers;
    entries within rounding of zero are set to zero.
    """
    flat = np.array(maps.reshape(len(maps), maps.shape[1] * maps.shape[2]))
    for done in range(len(flat)):
        # The largest entry of the rows that are left, so that no digits are lost.
        left = np.abs(flat[done:])
        # Among entries that are as large the first, so that the basis repeats.
        row, column = np.argwhere(left >= left.max() * (1 - 1e-6))[0]
        flat[[done, done + row]] = flat[[done + row, done]]
        flat[done] /= flat[done, column]
        others = np.arange(len(flat)) != done
        flat[others] -= np.outer(flat[others, column], flat[done])
    flat[np.abs(flat) < _ZERO] = 0.0
    order = np.lexsort([np.argmax(np.abs(flat) > _ZERO, axis=1)]) if len(flat) else slice(0)
    return flat[order].reshape(maps.shape)
