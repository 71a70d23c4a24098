"""Integrals of three spherical harmonics."""

from __future__ import annotations

from functools import lru_cache
from math import pi, sqrt

import numpy as np
from jaxtyping import Float64

from schur.reps import clebsch_gordan


@lru_cache(maxsize=4096)
def gaunt_coefficients(l1: int, l2: int, l3: int) -> Float64[np.ndarray, "m1 m2 m3"]:
    """The integrals ∫ Y_l1m1 Y_l2m2 Y_l3m3 dΩ of real orthonormal harmonics.

    A multiple of the coupling C of `clebsch_gordan`.  At the pole only order 0 is not zero, where
    (2l+1) Y_l0² = (2l+1)² / 4π; so with c = C_000, which is a 3j symbol of orders 0 up to sign,

        G = c √((2l1+1)(2l2+1)(2l3+1) / 4π) C,

    and G vanishes where c does: for odd l1 + l2 + l3.

    Returns:
        A read-only array of shape (2l1+1, 2l2+1, 2l3+1), components as in `solid_harmonics`.

    Raises:
        RepresentationError: if the degrees do not obey the triangle rule.

    Source: Luo et al., "Enabling efficient equivariant operations in the Fourier basis via Gaunt
    tensor products" (2024), eq. 3; Varshalovich et al. (1988), 5.9.1.

    Example:
        >>> bool(np.allclose(gaunt_coefficients(0, 2, 2)[0], np.eye(5) / (4 * np.pi) ** 0.5))
        True
        >>> gaunt_coefficients(1, 1, 1).any()
        np.False_
    """
    coupling = clebsch_gordan(l1, l2, l3)
    scale = sqrt((2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1) / (4 * pi))
    integrals = scale * float(coupling[l1, l2, l3]) * coupling
    integrals.flags.writeable = False
    return integrals
