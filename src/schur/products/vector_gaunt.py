"""The Gaunt tensor product of vector fields, which reaches the antisymmetric couplings too."""

from __future__ import annotations

from schur.errors import RepresentationError
from schur.products.embedded_product import Weight
from schur.products.field_product import Method, Spins, field_product
from schur.products.product import Product
from schur.reps import Irreps


def vector_gaunt(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    spins: Spins = (0, 1, 1),
    method: Method = "grid",
    weight: Weight = "shared",
) -> Product:
    """Multiply fields on the sphere of which some are vector fields, and project the product.

    A vector field is a sum of vector spherical harmonics: an irrep of degree j enters it at the
    orbital degrees j-1, j and j+1, each with a weight of its own,

        F(p) = Σ_{jl} w_jl Σ_m x_jm Y^l_jm(p),   Y^l_jm(p)_σ = √(2j+1) Σ_m' C^{l1j}_{m'σm} Y_lm'(p).

    At each point the two factors are coupled: scalar times vector, scalar product or vector
    product.  Only the orbital degrees must have an even sum, so that couplings of odd
    j1 + j2 + j3 are within reach: two degree-1 irreps give their cross product.

    Args:
        rep_in1, rep_in2, rep_out: as in `gaunt`.
        spins: 0 for a function and 1 for a vector field, for x, y and out; they must couple.
        method, weight: as in `gaunt`.  A weight for each term, orbital degree and channel.

    Returns:
        As `gaunt`.

    Raises:
        RepresentationError: as `gaunt`, or if the spins do not couple.

    Source: Xie et al., "Asymptotically fast Clebsch-Gordan tensor products with vector spherical
    harmonics" (2026); harmonics as in Varshalovich et al. (1988), 7.3.

    Example:
        >>> vectors = Irreps("4x1o")
        >>> vector_gaunt(vectors, vectors, Irreps("4x1e")).missing
        ()
    """
    allowed = {(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)}
    if spins not in allowed:
        raise RepresentationError(
            "these spins do not couple, or have no vector field",
            got=spins,
            expected=sorted(allowed),
            remedy="for three functions use gaunt" if spins == (0, 0, 0) else None,
        )
    return field_product(rep_in1, rep_in2, rep_out, spins, method, weight)
