"""How arguments and results transform: points, vectors, matrices, irreps, sums of them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.nn.frames.image import turn_images
from schur.nn.frames.pose import Pose
from schur.reps import Irreps
from schur.tensors import rotate

_TERM = re.compile(r"\s*(?:(\d+)\s*\*?\s*)?([a-z]+)\s*")
_WIDTHS = {
    "scalars": lambda d: 1,
    "pseudoscalars": lambda d: 1,
    "points": lambda d: d,
    "vectors": lambda d: d,
    "covectors": lambda d: d,
    "pseudovectors": lambda d: d,
    "matrices": lambda d: d * d,
}


class Kind(ABC):
    """How one argument or result transforms.

    Arrays have the axes of the batch first; what follows is the kind's affair.
    """

    moves: bool = True
    is_mask: bool = False
    axes: int = 2  # of a cloud, besides those of the batch

    @abstractmethod
    def act(self, x: Shaped[Tensor, "frames ..."], pose: Pose) -> Shaped[Tensor, "frames ..."]:
        """The image of each line under its element."""

    def check(self, x: Tensor, d: int) -> None:
        """Raise unless the array has the shape that the kind needs; any will do by default."""
        return None

    def cloud(self, x: Tensor, d: int) -> Tensor | None:
        """The coordinates from which frames are made, as (batch, n, d); None if it has none."""
        return None


@dataclass(frozen=True)
class Constant(Kind):
    """An argument that no element changes and that has no batch axis."""

    moves = False

    def act(self, x: Shaped[Tensor, "..."], pose: Pose) -> Shaped[Tensor, "..."]:
        return x


@dataclass(frozen=True)
class Mask(Kind):
    """Which points are there: (batch, n), true or false. Frames are made of those alone."""

    is_mask = True

    def act(self, x: Shaped[Tensor, "frames ..."], pose: Pose) -> Shaped[Tensor, "frames ..."]:
        return x


@dataclass(frozen=True)
class Rows(Kind):
    """(batch, n, channels): the rows are permuted."""

    def act(self, x: Shaped[Tensor, "frames ..."], pose: Pose) -> Shaped[Tensor, "frames ..."]:
        return pose.matrix.to(x.dtype) @ x

    def check(self, x: Tensor, d: int) -> None:
        if x.ndim < 2 or x.shape[-2] != d:
            raise ShapeError(
                "rows to permute", got=tuple(x.shape), expected=f"(..., {d}, channels)"
            )

    def cloud(self, x: Tensor, d: int) -> Tensor | None:
        return x


@dataclass(frozen=True)
class Images(Kind):
    """(batch, channels, height, width): the grid is turned; see `turn_images`."""

    axes = 3

    def act(
        self, x: Float[Tensor, "frames channels height width"], pose: Pose
    ) -> Float[Tensor, "frames channels height width"]:
        return turn_images(x, pose.matrix)

    def check(self, x: Tensor, d: int) -> None:
        if x.ndim < 3 or x.shape[-1] != x.shape[-2]:
            raise ShapeError(
                "images that are turned are square",
                got=tuple(x.shape),
                expected="(..., channels, size, size)",
            )

    def cloud(self, x: Tensor, d: int) -> Tensor | None:
        return x


@dataclass(frozen=True)
class OfIrreps(Kind):
    """Irreps of O(3) on the last axis, in Schur's layout."""

    rep: Irreps

    def act(self, x: Float[Tensor, "frames ..."], pose: Pose) -> Float[Tensor, "frames ..."]:
        return rotate(x, self.rep, _spread(pose.matrix, x.ndim - 2))

    def check(self, x: Tensor, d: int) -> None:
        if d != 3 or x.shape[-1] != self.rep.dim:
            raise ShapeError(
                f"{self.rep} in three dimensions",
                got=f"{tuple(x.shape)} in {d} dimensions",
                expected=f"(..., {self.rep.dim}) in 3",
            )


@dataclass(frozen=True)
class Sum(Kind):
    """Terms one after the other on the last axis.

    Alone and without a number, "scalars" and "pseudoscalars" stand for any axes, and "matrices"
    for two axes; within a sum a term without a number counts one, and a matrix is flattened row by
    row.
    """

    terms: tuple[tuple[int | None, str], ...]

    def widths(self, d: int) -> list[int]:
        """How much of the last axis each term takes."""
        return [(count or 1) * _WIDTHS[name](d) for count, name in self.terms]

    def act(self, x: Float[Tensor, "frames ..."], pose: Pose) -> Float[Tensor, "frames ..."]:
        if self._is_free:
            return x if self.terms[0][1] == "scalars" else _term("pseudoscalars", x, pose)
        if self._is_matrix:
            return _term("matrices", x.unsqueeze(-3), pose).squeeze(-3)
        d = pose.matrix.shape[-1]
        parts = []
        for (_, name), part in zip(self.terms, x.split(self.widths(d), -1), strict=True):
            shape = (-1, d, d) if name == "matrices" else (-1, _WIDTHS[name](d))
            parts.append(_term(name, part.unflatten(-1, shape), pose).flatten(x.ndim - 1))
        return torch.cat(parts, -1)

    def check(self, x: Tensor, d: int) -> None:
        if self._is_free:
            return
        expected = (d, d) if self._is_matrix else (sum(self.widths(d)),)
        if x.shape[x.ndim - len(expected) :] != expected:
            raise ShapeError(
                f"{self} in {d} dimensions",
                got=tuple(x.shape),
                expected=f"(..., {', '.join(map(str, expected))})",
            )

    def cloud(self, x: Tensor, d: int) -> Tensor | None:
        for wanted in ("points", "vectors"):
            places = [i for i, (_, name) in enumerate(self.terms) if name == wanted]
            if places:
                part = x.split(self.widths(d), -1)[places[0]]
                return part.unflatten(-1, (-1, d)).flatten(-3, -2)
        return None

    @property
    def _is_free(self) -> bool:
        return self.terms in (((None, "scalars"),), ((None, "pseudoscalars"),))

    @property
    def _is_matrix(self) -> bool:
        return self.terms == ((None, "matrices"),)

    def __str__(self) -> str:
        return " + ".join(
            name if count is None else f"{count} {name}" for count, name in self.terms
        )


_ALONE: dict[str, Kind] = {
    "constant": Constant(),
    "mask": Mask(),
    "rows": Rows(),
    "images": Images(),
}


def kind_of(description: str | Irreps | Kind) -> Kind:
    """The kind that a description means.

    Raises:
        RepresentationError: a word is not known, or it is no description.

    Example:
        >>> kind_of("points + 2 vectors + 3 scalars").widths(3)
        [3, 6, 3]
    """
    if isinstance(description, Kind):
        return description
    if isinstance(description, Irreps):
        return OfIrreps(description)
    if not isinstance(description, str):
        raise RepresentationError("a kind of argument", got=repr(description), expected="a word")
    if description in _ALONE:
        return _ALONE[description]
    terms = []
    for part in description.split("+"):
        match = _TERM.fullmatch(part)
        if not match or match[2] not in _WIDTHS:
            raise RepresentationError(
                "a kind of argument that is not known",
                got=part.strip(),
                expected=f"a sum of {', '.join(_WIDTHS)}; one of {', '.join(_ALONE)}; or Irreps",
            )
        terms.append((int(match[1]) if match[1] else None, match[2]))
    return Sum(tuple(terms))


def _term(name: str, x: Tensor, pose: Pose) -> Tensor:
    """One term, its components on an axis (or two) of their own, at the end."""
    if name == "scalars":
        return x
    if name == "pseudoscalars":
        return x * _spread(pose.sign.to(x.dtype), x.ndim - 1)
    if name == "matrices":
        matrix = _spread(pose.matrix, x.ndim - 3)
        return matrix @ x @ matrix.mT
    if name == "points":
        shift = x - _spread(pose.before, x.ndim - 2)
        return shift @ _spread(pose.matrix.mT, x.ndim - 3) + _spread(pose.after, x.ndim - 2)
    turned = x @ _spread(pose.inverse if name == "covectors" else pose.matrix.mT, x.ndim - 3)
    return (
        turned * _spread(pose.sign.to(x.dtype), x.ndim - 1) if name == "pseudovectors" else turned
    )


def _spread(value: Tensor, axes: int) -> Tensor:
    """With axes of length one after that of the frames."""
    return value.reshape(len(value), *[1] * axes, *value.shape[1:])
