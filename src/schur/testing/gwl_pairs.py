"""Pairs of geometric graphs that are hard to tell apart, each hard for a reason of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True, eq=False)
class GeometricGraph:
    """Atoms of one species, and which of them see each other.

    Args:
        positions: in any unit.
        edges: senders and receivers, both directions of each bond.
    """

    positions: Float64[np.ndarray, "atoms 3"]
    edges: Int64[np.ndarray, "2 edges"]

    @property
    def vectors(self) -> Float64[np.ndarray, "edges 3"]:
        """r_receiver - r_sender."""
        return self.positions[self.edges[1]] - self.positions[self.edges[0]]

    def turned(self, matrix: Float64[np.ndarray, "3 3"]) -> GeometricGraph:
        """The same graph after a rotation or reflection."""
        return replace(self, positions=self.positions @ matrix.T)

    def scaled(self, longest: float) -> GeometricGraph:
        """The same graph with its longest edge of this length."""
        present = np.linalg.norm(self.vectors, axis=1).max()
        return replace(self, positions=self.positions * (longest / present))


@dataclass(frozen=True, eq=False)
class Pair:
    """Two graphs.

    Args:
        name: what a table calls it.
        kind: what makes it hard: the length of a `chain`, the `body` order of the invariants that
            agree, the `fold` of a symmetry axis, or that it is a `mirror` image.
        size: that length, order or fold.
        first, second: the graphs.
        oriented: whether they are the same up to a rotation, so that equivariant features alone,
            and no energy, can tell them apart.
    """

    name: str
    kind: Literal["chain", "body", "fold", "mirror"]
    size: int
    first: GeometricGraph
    second: GeometricGraph
    oriented: bool = False


def star(neighbours: Float64[np.ndarray, "neighbours 3"]) -> GeometricGraph:
    """Atom 0 at the origin, and neighbours that see it and not each other.

    Example:
        >>> star(np.array([[1.0, 0, 0], [0, 2, 0]])).edges
        array([[1, 2, 0, 0],
               [0, 0, 1, 2]])
    """
    leaves = np.arange(1, len(neighbours) + 1)
    centre = np.zeros_like(leaves)
    edges = np.stack([np.concatenate([leaves, centre]), np.concatenate([centre, leaves])])
    return GeometricGraph(np.concatenate([np.zeros((1, 3)), neighbours]), edges)


def _circle(angles: Float64[np.ndarray, " neighbours"]) -> GeometricGraph:
    """A star with neighbours on a circle."""
    return star(np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], 1))


def k_chain(k: int) -> Pair:
    """A chain of k atoms with an end on the same side, and on opposite sides.

    All bonds are of equal length and all angles along the chain agree.  Only an atom that hears of
    both ends can tell: ⌊k/2⌋ + 1 message passings.

    Example:
        >>> k_chain(4).first.positions.shape
        (6, 3)
    """
    line = [[0.0, 5.0 * i, 0.0] for i in range(k)]
    bonds = np.stack([np.arange(k + 1), np.arange(1, k + 2)])
    edges = np.concatenate([bonds, bonds[::-1]], axis=1)

    def ending(x: float) -> GeometricGraph:
        return GeometricGraph(np.array([[-4.0, -3.0, 0.0], *line, [x, 5.0 * k - 2.0, 0.0]]), edges)

    return Pair(f"{k}-chain", "chain", k, ending(-4.0), ending(4.0))


def l_fold(fold: int) -> Pair:
    """A flat star of equal arms, and the same star turned by half of the angle between them.

    A feature at the centre is as symmetric as the star.  Tensors of degree below L that do not
    change under turns by 2π/L about an axis do not change under any turn about it.

    Example:
        >>> l_fold(3).oriented
        True
    """
    angles = 2 * pi * np.arange(fold) / fold + 0.3
    turned = _circle(angles + pi / fold)
    return Pair(f"{fold}-fold", "fold", fold, _circle(angles), turned, oriented=True)


def two_body() -> Pair:
    """The same distances from the centre, another angle."""
    bent, straight = np.array([[5.0, 0, 0], [3, 0, 4]]), np.array([[5.0, 0, 0], [-5, 0, 0]])
    return Pair("2-body", "body", 2, star(bent), star(straight))


def three_body() -> Pair:
    """The same distances and the same angles between neighbours, otherwise put together."""
    up, down = (star(np.array([[5.0, 0, 5], [5, 5, 5], [-5, -5, 5], [0, y, 5]])) for y in (5, -5))
    return Pair("3-body", "body", 3, up, down)


def three_body_circle() -> Pair:
    """Homometric sets on a circle: {0, 1, 3, 4} and {0, 1, 2, 5} eighths of a turn.

    Their differences are the same numbers (Patterson's cyclotomic sets).
    """
    one, other = (_circle(pi / 4 * np.array(eighths)) for eighths in ([0, 1, 3, 4], [0, 1, 2, 5]))
    return Pair("3-body, flat", "body", 3, one, other)


def four_body() -> Pair:
    """A tetrahedron, and three atoms on axes through its edges: (x, y, z) or (-x, -y, -z).

    The centre sees the same tetrahedra of itself and three neighbours in both, mirror images
    taken for the same; the product xyz, which four neighbours make, has opposite signs.  Found by
    a search among the directions of a cube.  (Two isosceles triangles twisted against each other
    and an atom above or below them, as in the literature, are the same graph turned by a half.)
    """
    tetrahedron = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    one, other = (star(np.concatenate([tetrahedron, sign * np.eye(3)])) for sign in (1, -1))
    return Pair("4-body", "body", 4, one, other)


def mirror_images() -> Pair:
    """A centre with four neighbours at four distances, and its mirror image."""
    arms = np.array([[1.0, 1, 1], [-1.2, -1.2, 1.2], [-1.4, 1.4, -1.4], [1.6, -1.6, -1.6]])
    graph = star(arms)
    return Pair("mirror", "mirror", 0, graph, graph.turned(np.diag([1.0, 1.0, -1.0])))


PAIRS: tuple[Pair, ...] = (
    two_body(),
    three_body(),
    three_body_circle(),
    four_body(),
    k_chain(2),
    k_chain(4),
    l_fold(2),
    l_fold(3),
    l_fold(5),
    mirror_images(),
)
"""The battery.

Source: Joshi, Bodnar, Mathis, Cohen, Liò, "On the Expressive Power of Geometric Graph Neural
Networks", ICML 2023, section 5; the first pair of three bodies is that of Pozdnyakov, Willatt,
Bartók, Ortner, Csányi, Ceriotti, "Incompleteness of Atomic Structure Representations", Physical
Review Letters 125, 166001 (2020), figure 1.
"""
