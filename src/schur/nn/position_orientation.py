"""Points with directions: what two of them have in common, and directions that cover the sphere."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from schur.errors import NumberError
from schur.harmonics import harmonic_values


def pair_invariants(
    vector: Float[Tensor, "*batch 3"],
    first: Float[Tensor, "*batch 3"],
    second: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch 5"]:
    """The complete rigid invariants of two points with unit directions.

        |d|, o₁·d, o₂·d, o₁·o₂, det(o₁, d, o₂)       d from the first point to the second

    Two pairs have equal invariants if and only if a rotation and translation takes one into the
    other; without the determinant, a rotation, reflection and translation.  The orbits of pairs
    are of dimension 5 + 5 - 6 = 4, and the determinant is a sign over these: its square is that of
    the Gram matrix.  The three numbers (o₁·d, |d - o₁ o₁·d|, o₁·o₂) of the paper leave out o₂·d:
    they are complete for pairs of equal directions or of equal points, and for no others.

    Source: Bekkers et al., "Fast, Expressive SE(n) Equivariant Networks through Weight-Sharing in
    Position-Orientation Space" (2024), section 3.3; Gram matrices determine vectors up to O(3).

    Example:
        >>> e1, e2, e3 = torch.eye(3)
        >>> pair_invariants(e1, e2, e3)
        tensor([ 1.,  0.,  0.,  0., -1.])
    """
    length = torch.linalg.vector_norm(vector, dim=-1)
    products = [(a * b).sum(-1) for a, b in ((first, vector), (second, vector), (first, second))]
    handed = (first * torch.linalg.cross(vector, second, dim=-1)).sum(-1)
    return torch.stack([length, *products, handed], -1)


@lru_cache(maxsize=8)
def icosahedral_directions(
    frequency: int,
) -> tuple[Float64[np.ndarray, "directions 3"], Float64[np.ndarray, " directions"]]:
    """Directions as symmetric as an icosahedron, and weights that integrate over the sphere.

    The faces of the icosahedron are cut into frequency² triangles, whose 10 frequency² + 2
    corners are moved to the sphere.  The set goes into itself under 120 rotations and reflections,
    and under no others.  The weights are the smallest that integrate all harmonics of degrees l
    with (l + 1)² at most the number of directions; they add up to one.

    Raises:
        NumberError: if the frequency is less than one.

    Example:
        >>> directions, weights = icosahedral_directions(1)
        >>> len(directions), float(weights.sum().round(12))
        (12, 1.0)
        >>> [len(icosahedral_directions(f)[1]) for f in (2, 3, 4)]
        [42, 92, 162]
    """
    if frequency < 1:
        raise NumberError("the frequency is a number of parts", got=frequency, expected=">= 1")
    golden = (1 + 5**0.5) / 2
    signs = [(s, t) for s in (1.0, -1.0) for t in (golden, -golden)]
    corners = np.array([p for s, t in signs for p in ((0.0, s, t), (s, t, 0.0), (t, 0.0, s))])
    steps = range(frequency + 1)
    parts = [(i, j, frequency - i - j) for i in steps for j in steps if i + j <= frequency]
    points = [
        np.array(part) @ corners[list(face)] / frequency
        for face in combinations(range(12), 3)
        if all(np.linalg.norm(corners[a] - corners[b]) < 2.1 for a, b in combinations(face, 2))
        for part in parts
    ]
    directions = np.array(points) / np.linalg.norm(points, axis=1, keepdims=True)
    _, kept = np.unique(directions.round(9) + 0.0, axis=0, return_index=True)
    directions = directions[np.sort(kept)]
    degree = int(len(directions) ** 0.5) - 1
    harmonics = harmonic_values(degree, directions, "component")
    target = np.zeros(harmonics.shape[1])
    target[0] = 1.0
    weights = np.linalg.lstsq(harmonics.T, target, rcond=None)[0]
    for array in (directions, weights):
        array.flags.writeable = False
    return directions, weights
