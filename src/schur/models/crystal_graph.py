"""A crystal as what its description leaves open: primitive cell, reduced lattice, edges, bases."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float64, Int, Shaped
from torch import Tensor

from ..errors import DataError, ShapeError

MARGIN = 0.3
"""Å that a lattice vector may be longer than the shortest choice, its weight falling to zero."""

_CUBE = np.array(list(product(range(-2, 3), repeat=3)))


@dataclass(frozen=True)
class CrystalGraph:
    """What a network reads of a crystal; made by `crystal_graph`.

    Args:
        numbers: (atoms,) atomic numbers in the primitive cell.
        vectors: (edges, 3) r_receiver - r_sender, Å.
        edge_index: (2, edges) senders and receivers.
        bases: (bases, 3, 3) right-handed bases of the lattice, vectors as rows, Å.
        weights: (bases,) how much each counts; they add up to one.
    """

    numbers: Tensor
    vectors: Tensor
    edge_index: Tensor
    bases: Tensor
    weights: Tensor


def crystal_graph(
    positions: Shaped[np.ndarray, "..."],
    numbers: Shaped[np.ndarray, "..."],
    cell: Shaped[np.ndarray, "..."],
    cutoff: float,
    margin: float = MARGIN,
    dtype: torch.dtype = torch.float64,
) -> CrystalGraph:
    """The graph of a crystal, the same for every cell and supercell that describes it.

    Atoms are those of the primitive cell, edges all pairs and images nearer than the cutoff, and
    the lattice is given by its shortest bases (`lattice_bases`).

    Finding the primitive cell is a yes or no: atoms of a supercell that are moved by more than
    1e-4 Å make it a primitive cell of its own, with another lattice. So what is made of this is a
    function of relaxed crystals, not an energy surface.

    Args:
        positions: shape (atoms, 3), Å.
        numbers: atomic numbers, shape (atoms,).
        cell: rows are lattice vectors, Å, of either handedness.
        cutoff: Å.
        margin: see `lattice_bases`.
        dtype: of the tensors.

    Raises:
        ShapeError, DataError: arrays that do not fit, or a flat cell.

    Source: Yan et al., "Complete and efficient graph transformers" (2024), section 3.

    Example:
        >>> iron = crystal_graph(np.array([[0.0, 0, 0], [1.4, 1.4, 1.4]]), np.array([26, 26]),
        ...                      2.8 * np.eye(3), 3.0)
        >>> iron.numbers, iron.vectors.shape
        (tensor([26]), torch.Size([14, 3]))
    """
    positions, cell = np.asarray(positions, float), np.asarray(cell, float)
    numbers = np.asarray(numbers)
    if positions.shape != (len(numbers), 3) or cell.shape != (3, 3) or not len(numbers):
        raise ShapeError(
            "positions, numbers and cell do not fit",
            got=(positions.shape, numbers.shape, cell.shape),
            expected="(atoms, 3), (atoms,), (3, 3) with one atom or more",
        )
    edge = np.linalg.norm(cell, axis=1).max()
    if not abs(np.linalg.det(cell)) > 1e-6 * edge**3:
        raise DataError("this cell has no volume", got=cell.tolist(), expected="three directions")
    positions, numbers, cell = primitive_cell(positions, numbers, cell)
    vectors, edges = _edges(positions, cell, cutoff)
    bases, weights = lattice_bases(cell, margin)
    return CrystalGraph(
        torch.from_numpy(numbers.astype(np.int64)),
        torch.tensor(vectors, dtype=dtype),
        torch.from_numpy(edges),
        torch.tensor(bases, dtype=dtype),
        torch.tensor(weights, dtype=dtype),
    )


def primitive_cell(
    positions: Float64[np.ndarray, "atoms 3"],
    numbers: Int[np.ndarray, " atoms"],
    cell: Float64[np.ndarray, "3 3"],
    tolerance: float = 1e-4,
) -> tuple[Float64[np.ndarray, "kept 3"], Int[np.ndarray, " kept"], Float64[np.ndarray, "3 3"]]:
    """The fewest atoms, and a reduced cell, that repeat to the same crystal.

    Args:
        positions, cell: Å.
        numbers: atomic numbers.
        tolerance: Å; how far a translation may miss an atom.

    Example:
        >>> two = np.array([[0.0, 0, 0], [2.0, 0, 0]])
        >>> places, _, cell = primitive_cell(two, np.array([6, 6]), np.diag([4.0, 3.0, 3.0]))
        >>> len(places), np.linalg.norm(cell, axis=1)
        (1, array([2., 3., 3.]))
    """
    cell = _reduced(cell)
    inverse = np.linalg.inv(cell)
    kinds, counts = np.unique(numbers, return_counts=True)
    rare = np.flatnonzero(numbers == kinds[counts.argmin()])
    moves = [np.zeros(3)]
    for other in rare[1:]:
        move = (positions[other] - positions[rare[0]]) @ inverse
        if _maps(positions @ inverse, numbers, move, cell, tolerance):
            moves.append(move - np.round(move))
    if len(moves) > 1:
        vectors = (np.array(moves)[:, None] + _CUBE[None]).reshape(-1, 3) @ cell
        cell = _shortest_basis(vectors, abs(np.linalg.det(cell)) / len(moves))
    kept: list[int] = []
    fractional = positions @ np.linalg.inv(cell)
    for atom in range(len(numbers)):
        apart = fractional[kept] - fractional[atom]
        apart = np.linalg.norm((apart - np.round(apart)) @ cell, axis=1)
        if not (apart < 2 * tolerance).any():
            kept.append(atom)
    return positions[kept], numbers[kept], cell


def lattice_bases(
    cell: Float64[np.ndarray, "3 3"], margin: float = MARGIN
) -> tuple[Float64[np.ndarray, "bases 3 3"], Float64[np.ndarray, " bases"]]:
    """All shortest right-handed bases of a lattice, with weights that add up to one.

    "The" three shortest vectors are no function of a lattice: in a cubic one all choices tie, and
    the smallest strain changes which is taken. So every basis counts, with the weight

        w = Π_k f((|v_k| - λ_k) / margin)

    λ_k the k-th successive minimum, a continuous function of the lattice, and f falling smoothly
    from 1 at 0 to 0 at 1. Averages over bases are continuous then, the same for every cell of the
    lattice, and turn with it; only bases of positive determinant count, or mirror images would be
    one.

    Args:
        cell: rows are vectors of any basis, Å.
        margin: Å.

    Example:
        >>> bases, weights = lattice_bases(np.eye(3))
        >>> len(bases), float(np.ptp(weights))  # the rotations of the cube
        (24, 0.0)
    """
    cell = _reduced(cell)
    volume = abs(np.linalg.det(cell))
    vectors = _CUBE[np.any(_CUBE, axis=1)] @ cell
    length = np.linalg.norm(vectors, axis=1)
    minima = np.sort(np.linalg.norm(_shortest_basis(vectors, volume), axis=1))
    factors = [_falling((length - least) / margin) for least in minima]
    near = [np.flatnonzero(factor) for factor in factors]
    first, second, third = (vectors[chosen] for chosen in near)
    determinants = np.einsum("aj,bcj->abc", first, np.cross(second[:, None], third[None]))
    a, b, c = np.nonzero(abs(determinants - volume) < 1e-6 * volume)
    bases = np.stack([first[a], second[b], third[c]], 1)
    weights = factors[0][near[0][a]] * factors[1][near[1][b]] * factors[2][near[2][c]]
    return bases, weights / weights.sum()


def _falling(x: np.ndarray) -> np.ndarray:
    """1 up to 0, 0 from 1 on, with two continuous derivatives."""
    x = np.clip(x, 0, 1)
    return 1 - x**3 * (10 - 15 * x + 6 * x**2)


def _reduced(cell: np.ndarray) -> np.ndarray:
    """A basis of the same lattice in which no vector gets shorter by adding the others."""
    cell = np.array(cell, float)
    shortened = True
    while shortened:
        shortened = False
        for k in range(3):
            others = np.delete(cell, k, axis=0)
            tries = cell[k] + np.array(list(product((-1, 0, 1), repeat=2))) @ others
            length = np.linalg.norm(tries, axis=1)
            if length.min() < (1 - 1e-9) * np.linalg.norm(cell[k]):
                cell[k], shortened = tries[length.argmin()], True
    return cell


def _shortest_basis(vectors: np.ndarray, volume: float) -> np.ndarray:
    """Three of the vectors that span this volume, with the least sum of lengths."""
    length = np.linalg.norm(vectors, axis=1)
    order = np.argsort(length)
    order = order[length[order] > 1e-6][:60]
    tried, lengths = vectors[order], length[order]
    determinants = np.einsum("aj,bcj->abc", tried, np.cross(tried[:, None], tried[None]))
    total = lengths[:, None, None] + lengths[:, None] + lengths
    total = np.where(abs(abs(determinants) - volume) < 1e-4 * volume, total, np.inf)
    if not np.isfinite(total.min()):
        raise DataError(
            "no short basis of this lattice was found",
            got=f"a cell of volume {volume:.3g} Å^3",
            remedy="give the crystal by a cell that is less flat",
        )
    return tried[list(np.unravel_index(total.argmin(), total.shape))]


def _maps(
    fractional: np.ndarray,
    numbers: np.ndarray,
    move: np.ndarray,
    cell: np.ndarray,
    tolerance: float,
) -> bool:
    """Whether a translation takes every atom to an atom of its element."""
    apart = fractional[:, None] + move - fractional[None]
    distance = np.linalg.norm((apart - np.round(apart)) @ cell, axis=-1)
    return bool(((distance < tolerance) & (numbers[:, None] == numbers)).any(1).all())


def _edges(positions: np.ndarray, cell: np.ndarray, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and ends of all pairs of atoms and images that are nearer than the cutoff."""
    # Atoms may lie outside of the cell; what counts is how far apart they are in its units.
    fractional = positions @ np.linalg.inv(cell)
    fractional -= np.floor(fractional)
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = [range(-n, n + 1) for n in np.ceil(cutoff / heights).astype(int) + 1]
    shifts = np.array(list(product(*reach)))
    between = (fractional[None, None] + shifts[:, None, None] - fractional[None, :, None]) @ cell
    distance = np.linalg.norm(between, axis=-1)
    image, sender, receiver = np.nonzero((distance < cutoff) & (distance > 1e-6))
    return between[image, sender, receiver], np.stack([sender, receiver])
