"""Wigner's 3j symbol from whole numbers, correctly rounded."""

from __future__ import annotations

from functools import lru_cache
from math import comb, factorial, sqrt


@lru_cache(maxsize=4096)
def binomials(n: int) -> tuple[int, ...]:
    """The row (n choose 0), …, (n choose n) of Pascal's triangle."""
    return tuple(comb(n, k) for k in range(n + 1))


@lru_cache(maxsize=4096)
def triangle_factor(two_j1: int, two_j2: int, two_j3: int) -> tuple[int, int]:
    """Numerator and denominator of (2j1)! (2j2)! (2j3)! / ((J+1)! a! b! c!), see `three_j`."""
    a, b, c, total = _triangle(two_j1, two_j2, two_j3)
    above = factorial(two_j1) * factorial(two_j2) * factorial(two_j3)
    below = factorial(total + 1) * factorial(a) * factorial(b) * factorial(c)
    return above, below


def three_j(two_j: tuple[int, int, int], two_m: tuple[int, int, int], halvings: int = 0) -> float:
    """The 3j symbol (j1 j2 j3; m1 m2 m3) / 2^(halvings / 2), from doubled arguments.

    With J = j1+j2+j3, a = j1+j2-j3, b = j1-j2+j3, c = -j1+j2+j3, Racah's sum is a sum of whole
    numbers, S = Σ_k (-1)^k C(a, k) C(b, j1-m1-k) C(c, j2+m2-k), and

        3j² = (2j1)! (2j2)! (2j3)! S² / ((J+1)! a! b! c! Π_i C(2j_i, j_i-m_i)),

    a ratio of whole numbers: one division and one root, each rounded once. The power of √2 that
    a real basis brings goes under the same root. The triangle rule and m1+m2+m3 = 0 are the
    caller's duty.

    Source: Varshalovich, Moskalev, Khersonskii, "Quantum Theory of Angular Momentum" (1988),
    section 8.2.1, rewritten with binomials.
    """
    a, b, c, _ = _triangle(*two_j)
    lower = [(j - m) // 2 for j, m in zip(two_j, two_m, strict=True)]
    first, second = lower[0], (two_j[1] + two_m[1]) // 2
    row_a, row_b, row_c = binomials(a), binomials(b), binomials(c)
    total = 0
    for k in range(max(0, first - b, second - c), min(a, first, second) + 1):
        product = row_a[k] * row_b[first - k] * row_c[second - k]
        total += -product if k % 2 else product
    if total == 0:
        return 0.0
    above, below = triangle_factor(*two_j)
    for j, place in zip(two_j, lower, strict=True):
        below *= binomials(j)[place]
    size = sqrt((above * total * total) / (below << halvings))
    exponent = (two_j[0] - two_j[1] - two_m[2]) // 2
    return -size if (total < 0) != (exponent % 2 == 1) else size


def _triangle(two_j1: int, two_j2: int, two_j3: int) -> tuple[int, int, int, int]:
    return (
        (two_j1 + two_j2 - two_j3) // 2,
        (two_j1 - two_j2 + two_j3) // 2,
        (two_j2 + two_j3 - two_j1) // 2,
        (two_j1 + two_j2 + two_j3) // 2,
    )
