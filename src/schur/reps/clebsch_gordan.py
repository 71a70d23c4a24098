"""Couplings of three irreps of SO(3) in the real basis, exact to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from schur.errors import RepresentationError
from schur.reps.racah import three_j


@lru_cache(maxsize=4096)
def clebsch_gordan(l1: int, l2: int, l3: int) -> Float64[np.ndarray, "2*{l1}+1 2*{l2}+1 2*{l3}+1"]:
    """The invariant trilinear form on the irreps of degree l1, l2, l3 of SO(3).

    The only tensor C, up to its factor, with

        Σ_{ijk} C_{ijk} D^{l1}_{ia} D^{l2}_{jb} D^{l3}_{kc} = C_{abc}   for every rotation,

    of Frobenius norm 1, in the real basis and with the signs of e3nn 0.6
    (`e3nn.o3.wigner_3j`). Entries are 3j symbols times 1 or 1/√2, computed from whole numbers
    and rounded once, at any degree; entries that vanish are exact zeros.

    Args:
        l1, l2, l3: degrees with |l1 - l2| ≤ l3 ≤ l1 + l2.

    Returns:
        A read-only array of shape (2 l1 + 1, 2 l2 + 1, 2 l3 + 1); the same object each time.

    Raises:
        RepresentationError: the degrees do not obey the triangle rule.

    Source: Varshalovich et al., "Quantum Theory of Angular Momentum" (1988), section 8.2;
    basis of Geiger and Smidt, https://arxiv.org/abs/2207.09453.

    Example:
        >>> clebsch_gordan(1, 1, 0)[:, :, 0] * 3**0.5
        array([[1., 0., 0.],
               [0., 1., 0.],
               [0., 0., 1.]])
    """
    indices, values = sparse_clebsch_gordan(l1, l2, l3)
    dense = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1))
    dense[tuple(indices.T)] = values
    dense.flags.writeable = False
    return dense


@lru_cache(maxsize=4096)
def sparse_clebsch_gordan(
    l1: int, l2: int, l3: int
) -> tuple[Int64[np.ndarray, "n 3"], Float64[np.ndarray, " n"]]:
    """Entries of `clebsch_gordan(l1, l2, l3)` that are not zero, in lexicographic order.

    Returns:
        Read-only arrays: indices (n, 3) and values (n,).

    Raises:
        RepresentationError: the degrees do not obey the triangle rule.

    Example:
        >>> indices, values = sparse_clebsch_gordan(1, 1, 1)
        >>> indices.tolist()
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        >>> (values * 6**0.5).round(12)
        array([ 1., -1., -1.,  1.,  1., -1.])
    """
    _check_degrees(l1, l2, l3)
    entries = sorted(_entries((l1, l2, l3)))
    indices = np.array([place for place, _ in entries], dtype=np.int64).reshape(-1, 3)
    values = np.array([value for _, value in entries], dtype=np.float64)
    indices.flags.writeable = values.flags.writeable = False
    return indices, values


@lru_cache(maxsize=1024)
def complex_clebsch_gordan(
    j1: int | float, j2: int | float, j3: int | float
) -> Float64[np.ndarray, "n1 n2 n3"]:
    """Clebsch-Gordan coefficients ⟨j1 m1 j2 m2 | j3 m3⟩ of SU(2), half-integer spins included.

    The isometry from spin j3 into spin j1 ⊗ spin j2 in the basis m = -j … j of `SU2Irrep`,
    with the phases of Condon and Shortley:

        ⟨j1 m1 j2 m2 | j3 m3⟩ = (-1)^(j1 - j2 + m3) √(2 j3 + 1) (j1 j2 j3; m1 m2 -m3).

    Raises:
        RepresentationError: a spin is no multiple of 1/2, or the triangle rule fails.

    Example:
        >>> complex_clebsch_gordan(0.5, 0.5, 0)[:, :, 0].round(4)
        array([[ 0.    , -0.7071],
               [ 0.7071,  0.    ]])
    """
    two_j1, two_j2, two_j3 = doubled = _doubled(j1, j2, j3)
    out = np.zeros((two_j1 + 1, two_j2 + 1, two_j3 + 1))
    for i in range(two_j1 + 1):
        for k in range(two_j2 + 1):
            m1, m2 = 2 * i - two_j1, 2 * k - two_j2
            if abs(m1 + m2) <= two_j3:
                sign = (-1) ** ((two_j1 - two_j2 + m1 + m2) // 2)
                value = sign * three_j(doubled, (m1, m2, -m1 - m2))
                out[i, k, (m1 + m2 + two_j3) // 2] = value * (two_j3 + 1) ** 0.5
    out.flags.writeable = False
    return out


def _entries(degrees: tuple[int, int, int]) -> Iterator[tuple[tuple[int, ...], float]]:
    # A real basis vector mixes the complex ones of order m and -m only. The entry of the
    # orders (m1, m2, m3 = m1 + m2) and that of (-m1, -m2, -m3) give equal contributions to a
    # real entry, or opposite ones where it vanishes: so half of the orders are visited, and
    # each real entry is one 3j symbol times a power of √2.
    l1, l2, l3 = degrees
    for m1 in range(l1 + 1):
        for m2 in range(-l2 if m1 else 0, l2 + 1):
            m3 = m1 + m2
            if abs(m3) > l3:
                continue
            mixed = (m1 != 0) + (m2 != 0) + (m3 != 0)
            halvings = mixed - 2 if mixed else 0
            doubled = (2 * l1, 2 * l2, 2 * l3)
            value = three_j(doubled, (2 * m1, 2 * m2, -2 * m3), halvings)
            if value == 0.0:
                continue
            turns = 2 * (l1 - l2 + m3)  # the sign between 3j symbol and coupling, as i^turns
            for place, quarter in _real_orders(degrees, (m1, m2, m3)):
                phase = (quarter + turns) % 4
                if phase % 2 == 0:
                    yield place, -value if phase else value


def _real_orders(
    degrees: tuple[int, int, int], orders: tuple[int, int, int]
) -> Iterator[tuple[tuple[int, ...], int]]:
    first, second, third = (
        _row_of_basis_change(degree, m) for degree, m in zip(degrees, orders, strict=True)
    )
    for place1, turns1 in first:
        for place2, turns2 in second:
            for place3, turns3 in third:  # the output is conjugated
                yield (place1, place2, place3), turns1 + turns2 - turns3


def _row_of_basis_change(degree: int, m: int) -> list[tuple[int, int]]:
    # Row m of the unitary matrix from e3nn's real basis to the complex one: real places and
    # the exponents of i; the moduli (1 or 1/√2) are counted by the caller. The factor (-i)^l
    # makes every coupling real.
    common = 3 * degree
    if m == 0:
        return [(degree, common)]
    if m < 0:
        return [(degree - m, common), (degree + m, common + 3)]
    return [(degree + m, common + 2 * m), (degree - m, common + 1 + 2 * m)]


def _check_degrees(*degrees: Any) -> None:
    whole = all(isinstance(degree, (int, np.integer)) and degree >= 0 for degree in degrees)
    if not whole or not abs(degrees[0] - degrees[1]) <= degrees[2] <= degrees[0] + degrees[1]:
        raise RepresentationError(
            "these degrees do not couple",
            got=degrees,
            expected="whole numbers with |l1 - l2| <= l3 <= l1 + l2",
        )


def _doubled(*spins: int | float) -> tuple[int, int, int]:
    doubled = tuple(round(2 * spin) for spin in spins)
    exact = all(two == 2 * spin and two >= 0 for two, spin in zip(doubled, spins, strict=True))
    j1, j2, j3 = doubled
    if not exact or not abs(j1 - j2) <= j3 <= j1 + j2 or (j1 + j2 + j3) % 2:
        raise RepresentationError(
            "these spins do not couple",
            got=spins,
            expected="multiples of 1/2 with |j1 - j2| <= j3 <= j1 + j2 and a whole sum",
        )
    return j1, j2, j3
