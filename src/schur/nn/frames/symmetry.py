"""Which group acts on the coordinates, whether translations come with it, and its elements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from schur.errors import RepresentationError
from schur.groups import (
    O2,
    O3,
    SE3,
    SO2,
    SO3,
    Affine,
    Cyclic,
    Dihedral,
    Group,
    Orthogonal,
    Permuting,
    PseudoOrthogonal,
    SpecialOrthogonal,
)
from schur.groups.pseudo_orthogonal import Part
from schur.nn.frames.pose import Pose

_NAME = re.compile(r"(E|SE|O|SO)\((\d+)\)|(C|D)(\d+)|(O|SO|SO\+)\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Symmetry:
    """A group of matrices on d coordinates, with or without all translations.

    Args:
        linear: the group of matrices.
        translations: whether x -> x + t belongs to it too.

    Example:
        >>> Symmetry.of("SE(3)")
        Symmetry(linear=SO3(), translations=True)
        >>> Symmetry.of("E(2)").name
        'E(2)'
    """

    linear: Group
    translations: bool = False

    @classmethod
    def of(cls, group: Group | Symmetry | str) -> Symmetry:
        """The symmetry that a group or a name means.

        Args:
            group: a group of matrices, or one of "O(d)", "SO(d)", "E(d)", "SE(d)", "Cn", "Dn",
                "O(p,q)", "SO(p,q)", "SO+(p,q)". An `Affine` group or SE3 acts on the coordinates
                that its matrices move, not on the one more that they have.

        Raises:
            RepresentationError: the name is not known.
        """
        if isinstance(group, Symmetry):
            return group
        if isinstance(group, SE3):
            return cls(SO3(), True)
        if isinstance(group, Affine):
            return cls(group.linear, True)
        if isinstance(group, Group):
            return cls(group)
        match = _NAME.fullmatch(group) if isinstance(group, str) else None
        if not match:
            raise RepresentationError(
                "no group has this name",
                got=repr(group),
                expected='"O(d)", "SO(d)", "E(d)", "SE(d)", "Cn", "Dn", "O(p,q)", …, or a group',
            )
        family, d, finite, order, part, p, q = match.groups()
        if part:
            return cls(PseudoOrthogonal(int(p), int(q), cast(Part, part)))
        if finite:
            return cls(Cyclic(int(order)) if finite == "C" else Dihedral(int(order)))
        return cls(_orthogonal(int(d), proper=family.startswith("S")), family.endswith("E"))

    @property
    def d(self) -> int:
        """The number of coordinates."""
        return self.linear.n

    @property
    def name(self) -> str:
        """The usual name."""
        if self.is_orthogonal:
            family = "E" if self.translations else "O"
            return f"{'S' if self.is_proper else ''}{family}({self.d})"
        return str(self.linear)

    @property
    def is_orthogonal(self) -> bool:
        """Whether the linear part is all of O(d) or SO(d)."""
        return isinstance(self.linear, (SO2, O2, SO3, O3, Orthogonal, SpecialOrthogonal))

    @property
    def is_proper(self) -> bool:
        """Whether every linear part has determinant 1."""
        return isinstance(self.linear, (SO2, SO3, SpecialOrthogonal, Cyclic))

    @property
    def permutes(self) -> bool:
        """Whether the group permutes rows and leaves coordinates alone."""
        return isinstance(self.linear, Permuting)

    @property
    def elements(self) -> np.ndarray | None:
        """The elements of C_n or D_n; None for other groups."""
        return self.linear.elements() if isinstance(self.linear, (Cyclic, Dihedral)) else None

    def sample(
        self, count: int, rng: np.random.Generator, like: Tensor, scale: float = 1.0
    ) -> Pose:
        """Random elements; translations are normal with standard deviation `scale`."""
        matrix = torch.from_numpy(self.linear.sample(rng, count)).to(like)
        shift = torch.zeros(count, self.d, dtype=like.dtype, device=like.device)
        if self.translations:
            shift = scale * torch.from_numpy(rng.standard_normal((count, self.d))).to(like)
        inverse = matrix.mT if self.linear.is_compact else torch.linalg.inv(matrix)
        return Pose(matrix, inverse, torch.zeros_like(shift), shift)


def _orthogonal(d: int, proper: bool) -> Group:
    small = {(2, True): SO2(), (2, False): O2(), (3, True): SO3(), (3, False): O3()}
    return small.get((d, proper)) or (SpecialOrthogonal(d) if proper else Orthogonal(d))
