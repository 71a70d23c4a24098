"""A product of representations: its program, and what it cannot express."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from schur.decompositions import interactions
from schur.forms import Program
from schur.reps import Irrep, Irreps

Triple = tuple[Irrep, Irrep, Irrep]


@dataclass(frozen=True)
class Product:
    """A bilinear map of representations as a program.

    Args:
        program: of inputs `x` and `y` (and `weight`, where the product has any) and output `out`,
            laid out like the representations.
        rep_in1, rep_in2, rep_out: the representations of x, y and out.

    Example:
        >>> from schur.products import gaunt
        >>> product = gaunt(Irreps("0e+1o"), Irreps("0e+1o"), Irreps("0e+1o"))
        >>> product.missing
        ()
    """

    program: Program
    rep_in1: Irreps
    rep_in2: Irreps
    rep_out: Irreps

    @cached_property
    def missing(self) -> tuple[Triple, ...]:
        """The triples of irreps that O(3) lets couple and that no weights of this product do.

        Found by running the program (`schur.decompositions.interactions`), not from a rule.
        """
        reached = interactions(self.program, self.rep_in1, self.rep_in2, self.rep_out)
        found: dict[Triple, bool] = {}
        for i, (_, ir1) in enumerate(self.rep_in1):
            for j, (_, ir2) in enumerate(self.rep_in2):
                for k, (_, ir) in enumerate(self.rep_out):
                    if ir in tuple(ir1 * ir2):
                        triple = (ir1, ir2, ir)
                        found[triple] = found.get(triple, False) or bool(reached[i, j, k])
        return tuple(triple for triple, is_reached in found.items() if not is_reached)
