"""Which point-wise functions commute exactly with a representation in its basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Inexact

from schur.groups.group import Group
from schur.groups.matrix_exponential import matrix_exponential

Activations = Literal["all", "odd", "positively homogeneous", "odd and homogeneous", "linear"]

_ZERO = 1e-9
# Elements beside the generators: a property of all of them need not be one of the generators.
_SAMPLES = 16


@runtime_checkable
class Matrices(Protocol):
    """What is asked of a representation (those of `schur.reps` have it)."""

    @property
    def group(self) -> Group:
        """The group."""
        ...

    def generators(self) -> np.ndarray:
        """dρ(X_a), shape (k, dim, dim)."""
        ...

    def discrete(self) -> np.ndarray:
        """ρ(h_j), shape (d, dim, dim)."""
        ...

    def matrix(self, g: np.ndarray) -> np.ndarray:
        """ρ(g) for a batch of elements."""
        ...


@dataclass(frozen=True)
class Admissible:
    """The functions f: R -> R with f(ρ(g) x) = ρ(g) f(x), applied to each component.

    Args:
        activations: the class: `"all"`; `"odd"`, f(-t) = -f(t); `"positively homogeneous"`,
            f(s t) = s f(t) for s > 0, which are the leaky rectifiers a max(t, 0) + b min(t, 0);
            `"odd and homogeneous"`, which are t -> a t; `"linear"` likewise, for another reason.
        affine: whether f(t) = a t + b is admissible with b ≠ 0.
        reason: the shape of the matrices that decides, in words.
    """

    activations: Activations
    affine: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.activations}: {self.reason}"


def admissible_activations(rep: Matrices) -> Admissible:
    """The point-wise functions that keep a layer exactly equivariant, by the theorem.

    A continuous f commutes with all matrices of a group in a given basis exactly if

    - they are permutation matrices: any f;
    - they are signed permutation matrices: f odd;
    - they have one entry in each row and column, positive: f positively homogeneous. (Only
      numbers s that occur as entries are asked for; a compact group has none but one, so this is
      for groups that are not compact);
    - they have one entry in each row and column, of both signs: f linear;
    - anything else: f linear. f affine too if every row sums to one.

    The basis matters: a change of basis moves a representation from one case to another, and a
    connected group has no permutations but the unit, so beyond the trivial representation only
    linear functions are left. The theorem is about functions of one component in finite
    dimension: gates, norms, tensor products and functions on a grid over the group are outside.

    The discrete generators, exponentials of the Lie generators, and random elements are looked at.

    Source: Pacini, Dong, Lepri and Santin, "A characterization theorem for equivariant networks
    with point-wise activations", https://arxiv.org/abs/2401.09235; Wood and Shawe-Taylor,
    "Representation theory and invariant neural networks" (1996).

    Example:
        >>> from schur.groups import Sym, SO3
        >>> from schur.reps import Defining
        >>> print(admissible_activations(Defining(Sym(3))))
        all: every matrix permutes the components
        >>> print(admissible_activations(Defining(SO3())))
        linear: a row of some matrix mixes several components
    """
    matrices = _matrices(rep)
    affine = bool(np.abs(matrices.sum(axis=-1) - 1.0).max(initial=0.0) <= _ZERO * _size(matrices))
    entries = np.abs(matrices) > _ZERO * _size(matrices)
    single = np.all(entries.sum(axis=-1) == 1) and np.all(entries.sum(axis=-2) == 1)
    if not single:
        return Admissible("linear", affine, "a row of some matrix mixes several components")
    if np.iscomplexobj(matrices) and np.abs(np.imag(matrices)).max(initial=0.0) > _ZERO:
        return Admissible("linear", affine, "components are multiplied by phases")
    values = np.real(matrices[entries])
    signs, unit = bool(np.any(values < 0)), bool(np.all(np.abs(np.abs(values) - 1.0) <= _ZERO))
    if unit and not signs:
        return Admissible("all", affine, "every matrix permutes the components")
    if unit:
        return Admissible("odd", affine, "every matrix permutes the components and changes signs")
    if not signs:
        return Admissible(
            "positively homogeneous",
            affine,
            "every matrix permutes the components and scales them by positive numbers",
        )
    return Admissible(
        "odd and homogeneous",
        affine,
        "every matrix permutes the components and scales them by numbers of both signs",
    )


def _matrices(rep: Matrices) -> Inexact[np.ndarray, "count dim dim"]:
    rng = np.random.default_rng(0)
    flows = matrix_exponential(0.5 * rep.generators())
    found = [flows, rep.discrete(), rep.matrix(rep.group.sample(rng, _SAMPLES))]
    return np.concatenate(found)


def _size(matrices: np.ndarray) -> float:
    return max(1.0, float(np.abs(matrices).max(initial=0.0)))
