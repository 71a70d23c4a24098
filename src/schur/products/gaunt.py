"""The Gaunt tensor product: functions on the sphere multiplied point by point."""

from __future__ import annotations

from schur.products.embedded_product import Weight
from schur.products.field_product import Method, field_product
from schur.products.product import Product
from schur.reps import Irreps


def gaunt(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    method: Method = "grid",
    weight: Weight = "shared",
) -> Product:
    """Read both inputs as functions on the sphere, multiply them, read coefficients off.

        out_lm = w_l ∫ (Σ w'_l' x_l'm' Y_l'm'(p)) (Σ w''_l'' y_l''m'' Y_l''m''(p)) Y_lm(p) dΩ

    with real orthonormal harmonics Y.  Channel by channel; one weight for each term and channel of
    each operand.  Couplings of odd l' + l'' + l are out of reach: no cross product of vectors.

    Args:
        rep_in1, rep_in2, rep_out: representations of one multiplicity, or of single irreps, which
            all channels share.  Irreps of parity (-1)^l are coefficients of functions, the others
            of functions that change sign under inversion; both may occur.
        method: `"grid"` samples a Gauss-Legendre grid, `"fourier"` a torus on which both angles
            have Fourier series, `"coefficients"` sums the integrals of three harmonics.  All are
            exact; they differ in cost, O(L³) operations for a transform on the grid against O(L⁵)
            terms of the coefficients.
        weight: `"shared"` by all rows, one `"row"` each, or None.

    Returns:
        A product with inputs `x`, `y`, `weight` (blocks for x, then y, then out) and output `out`.

    Raises:
        RepresentationError: if multiplicities differ or a term of the output cannot come out.

    Source: Luo, Chen, Krishnapriyan, "Enabling efficient equivariant operations in the Fourier
    basis via Gaunt tensor products" (2024), section 3; on the grid: Xie et al., "The price of
    freedom" (2025), section 3.

    Example:
        >>> product = gaunt(Irreps("8x0e+8x1o"), Irreps("0e+1o"), Irreps("8x0e+8x1o"))
        >>> [operand.name for operand in product.program.inputs], product.missing
        (['x', 'y', 'weight'], ())
        >>> gaunt(Irreps("1o"), Irreps("1o"), Irreps("1e"))
        Traceback (most recent call last):
        schur.errors.RepresentationError: 1e cannot come out of this product
        ...
    """
    return field_product(rep_in1, rep_in2, rep_out, (0, 0, 0), method, weight)
