"""Sets as vectors: sums of powers along enough directions to be injective."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import NumberError, ShapeError


class SetEmbedding(torch.nn.Module):
    """A linear map and powers of each point, summed: sets of N points in R^D without collisions.

        z[a, p] = Σ_i (w_a · x_i)^p,   a = 1, …, K,   p = 1, …, N,   K = N (D - 1) + 1

    The N power sums along a direction give the N projections, by Newton's identities. Let two sets
    have equal projections along K directions of which any D are independent; leave out what they
    share, and let x be of the first. On each direction some point of the second has the
    projection of x, and each of its at most N points serves for at most D - 1 directions: so
    K <= N (D - 1). One direction more than that and the sets are the same. The width
    L = N (N (D - 1) + 1) is polynomial; a sum over channels apart (K = D) is not injective from
    D = 2 on.

    Injective is not stable: the condition number of power sums is exponential in N. Points should
    lie within the unit ball; `inverse` is for small N.

    Args:
        points: N, the number of points of a set.
        dimension: D, of each point.
        directions: K, to choose another number; fewer than above may collide.
        seed: of the directions, which are normal vectors of length one.

    Attributes:
        width: L, numbers of an embedding.
        directions: the w_a, shape (K, D); a buffer, not trained.

    Source: Wang et al., "Polynomial width is sufficient for set representation with
    high-dimensional features", https://arxiv.org/abs/2307.04001, theorem 3.1 (embeddings of
    linear maps and powers; N (D + 1) <= L <= N^5 D^2). The count of directions is the argument
    above, after Rényi (1952) and Heppes (1956).

    Example:
        >>> embed = SetEmbedding(2, 2)
        >>> sets = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
        >>> embed.width, bool((embed(sets[0]) - embed(sets[1])).abs().max() > 0.1)
        (6, True)
    """

    directions: Tensor

    def __init__(
        self, points: int, dimension: int, directions: int | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if points < 1 or dimension < 1 or (directions is not None and directions < 1):
            raise ShapeError(
                "sets of N points in D dimensions, along K directions",
                got=(points, dimension, directions),
                expected="all at least 1",
            )
        self.points, self.dimension = points, dimension
        count = points * (dimension - 1) + 1 if directions is None else directions
        drawn = np.random.default_rng(seed).standard_normal((count, dimension))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        self.register_buffer("directions", torch.from_numpy(drawn).float())
        self.width = count * points

    def forward(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch L"]:
        """Embed sets of N points.

        Raises:
            ShapeError: another number of points or of coordinates.
        """
        if x.shape[-2:] != (self.points, self.dimension):
            raise ShapeError(
                "sets of points",
                got=tuple(x.shape),
                expected=f"(..., {self.points}, {self.dimension})",
            )
        along = x @ self.directions.to(x.dtype).T
        powers = torch.cumprod(along[..., None].expand(*along.shape, self.points), -1)
        return powers.sum(-3).flatten(-2)

    def inverse(self, z: Float[Tensor, " L"], tolerance: float = 1e-4) -> Float[Tensor, "n d"]:
        """The set of an embedding in float64: roots of polynomials, then points that fit all.

        Points are intersections of the projections along the first D directions; those that meet
        a projection on every other direction, too, are of the set. N^D candidates are tried.

        Args:
            z: one embedding.
            tolerance: how far a candidate's projection may be off.

        Raises:
            NumberError: no set of N points fits: `z` is no embedding, or rounding has lost it.
        """
        sums = z.detach().double().numpy().reshape(-1, self.points)
        w = self.directions.double().numpy()
        values = np.array([_roots(row) for row in sums])
        corners = np.array(list(product(*values[: self.dimension])))
        candidates = np.linalg.solve(w[: self.dimension], corners.T).T
        gaps = np.abs((candidates @ w.T)[..., None] - values).min(-1).max(-1)
        chosen: list[np.ndarray] = []
        left = values.copy()  # projections that no point has taken; taken ones are infinite
        rows = np.arange(len(w))
        for i in np.argsort(gaps, kind="stable"):
            nearest = np.abs(left - (w @ candidates[i])[:, None]).argmin(1)
            found = left[rows, nearest]
            if np.all(np.abs(found - w @ candidates[i]) <= tolerance):
                chosen.append(np.linalg.lstsq(w, found, rcond=None)[0])
                left[rows, nearest] = np.inf
        if len(chosen) != self.points:
            raise NumberError(
                "no set of points has this embedding",
                got=f"{len(chosen)} points that fit all directions to {tolerance:g}",
                expected=self.points,
                remedy="embed in float64, scale the points to the unit ball, use fewer points",
            )
        return torch.from_numpy(np.array(chosen))


def _roots(sums: np.ndarray) -> np.ndarray:
    """The numbers with these power sums, by Newton's identities."""
    elementary = [1.0]
    for m in range(1, len(sums) + 1):
        terms = ((-1) ** (i - 1) * elementary[m - i] * sums[i - 1] for i in range(1, m + 1))
        elementary.append(sum(terms) / m)
    signs = (-1.0) ** np.arange(len(elementary))
    return np.real(np.roots(signs * elementary))
