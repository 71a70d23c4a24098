"""What a model can tell apart: a geometric Weisfeiler-Leman battery.

No training: with generic weights a model separates two graphs or it does not, and a model that is
trained and fails may only have been trained badly.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from schur.testing.equivariance import random_orthogonal
from schur.testing.gwl_pairs import PAIRS, GeometricGraph, Pair
from schur.testing.law import LawError

Expectation = Literal["must", "cannot", "may"]

_SAME, _CLEARLY = 1e-13, 100.0
_ROUNDING = 1e-10
"""More noise than this is no rounding."""

_REACH = 0.4
"""Longest edge as a fraction of the cutoff; envelopes make small what lies farther out."""


@dataclass(frozen=True)
class Ability:
    """What a model claims to be; None where it claims nothing.

    Args:
        layers: how many times messages are passed.
        directions: whether later layers see more of an edge than its length.
        linear: whether a message is linear in the sender's features of degree above zero, and an
            atom never multiplies two of its own.
        body_order: atoms in the largest invariant that a single message passing makes; the highest
            of a model of one layer.
        degree: highest degree of the features that a layer passes on.
        reflections: whether mirror images are the same to it.
        exact: whether it is invariant to rounding; of a model that is not, nothing can be
            demanded, since what it sees may drown in its error.
    """

    layers: int | None = None
    directions: bool = True
    linear: bool = False
    body_order: int | None = None
    degree: int | None = None
    reflections: bool = True
    exact: bool = True


def expectation(pair: Pair, ability: Ability) -> Expectation:
    """What theory says of a pair and a model of this ability with generic weights.

    - chain of k: fewer than ⌊k/2⌋ + 1 layers cannot, nor can lengths alone. Where messages are
      linear the orientations of both ends meet within one walk only, which takes k + 1 layers.
    - invariants of the same values up to n bodies: one layer of body order n cannot, one of n + 1
      must; lengths alone cannot with any number of layers.
    - L-fold axis: features of degree below L cannot, features of degree L and above must.
    - mirror images: a model invariant under reflections cannot.

    Example:
        >>> from schur.testing.gwl_pairs import k_chain
        >>> [expectation(k_chain(4), Ability(layers=n, degree=1)) for n in (2, 3)]
        ['cannot', 'must']
    """
    demanded = _of_exact(pair, ability)
    return "may" if demanded == "must" and not ability.exact else demanded


def _of_exact(pair: Pair, ability: Ability) -> Expectation:
    """The same of a model that is invariant to rounding."""
    if pair.kind == "mirror":
        return "cannot" if ability.reflections else "may"
    if pair.kind == "fold":
        if ability.degree is None:
            return "may"
        return "must" if ability.degree >= pair.size else "cannot"
    if not ability.directions:
        return "cannot"
    if ability.layers is None:
        return "may"
    if pair.kind == "chain":
        needed = pair.size + 1 if ability.linear else pair.size // 2 + 1
        return "must" if ability.layers >= needed else "cannot"
    if ability.layers > 1 or ability.body_order is None:
        return "may"
    return "must" if ability.body_order > pair.size else "cannot"


@dataclass(frozen=True)
class Finding:
    """What a model does with one pair.

    Args:
        pair: its name.
        gap: largest relative difference between the two graphs.
        noise: the same between one graph and itself, moved and numbered otherwise.
        expected: what theory says.
        exact: whether noise beyond rounding is a fault.
    """

    pair: str
    gap: float
    noise: float
    expected: Expectation
    exact: bool = True

    @property
    def separated(self) -> bool:
        """Whether the model tells the graphs apart, by much more than it errs."""
        return self.gap > max(_SAME, _CLEARLY * self.noise)

    @property
    def fault(self) -> str:
        """What is wrong, in words; empty if nothing is."""
        if not np.isfinite(self.gap + self.noise):
            return "not a number"
        if self.exact and self.noise > _ROUNDING:
            return "changes with the position or numbering of one graph"
        if self.expected == "must" and not self.separated:
            return "does not tell apart what it must"
        if self.expected == "cannot" and self.separated:
            return "tells apart what it cannot, so that its claims are wrong"
        return ""


@dataclass(frozen=True)
class Report:
    """Findings for each pair; `str` makes a table of them."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing contradicts theory."""
        return not any(finding.fault for finding in self.findings)

    def __str__(self) -> str:
        lines = [f"{'pair':14}{'told apart':12}{'theory':8}{'gap':>9}{'noise':>9}"]
        for f in self.findings:
            told = "yes" if f.separated else "no"
            line = f"{f.pair:14}{told:12}{f.expected:8}{f.gap:9.1e}{f.noise:9.1e}  {f.fault}"
            lines.append(line.rstrip())
        return "\n".join(lines)


def battery(
    model: nn.Module, cutoff: float, ability: Ability | None = None, pairs: Sequence[Pair] = PAIRS
) -> Report:
    """Try a model on pairs of graphs, in float64.

    Outputs of all atoms are compared, sorted. Pairs that differ by a rotation are compared by the
    features of atom 0 after each of `model.layers`, found with hooks; a model without such layers
    is not asked.

    Args:
        model: (vectors, species, edge_index) -> one row an atom, of generic weights; it is not
            changed.
        cutoff: of the model; the graphs' longest edge is 0.4 of it.
        ability: what the model claims; by default nothing but invariance.
        pairs: of graphs.

    Example:
        >>> from schur.models.egnn import EGNN, EGNNConfig
        >>> from schur.testing.gwl_pairs import two_body
        >>> model = EGNN(EGNNConfig(layers=1, features=4), 1, 2.0)
        >>> ability = Ability(layers=1, body_order=2, degree=0, linear=True)
        >>> report = battery(model, 5.0, ability, [two_body()])
        >>> report.passed, report.findings[0].separated
        (True, False)
    """
    claimed = Ability() if ability is None else ability
    exact = copy.deepcopy(model).double().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    findings = []
    for pair in pairs:
        read = _features if pair.oriented else _outputs
        if pair.oriented and not len(getattr(model, "layers", ())):
            continue
        first, second = (graph.scaled(_REACH * cutoff) for graph in (pair.first, pair.second))
        base = read(exact, first)
        gap = _difference(base, read(exact, second))
        noise = _difference(base, read(exact, _same_as(pair, first, generator)))
        findings.append(Finding(pair.name, gap, noise, expectation(pair, claimed), claimed.exact))
    return Report(tuple(findings))


def assert_tells_apart(model: nn.Module, cutoff: float, ability: Ability) -> None:
    """Raise unless `battery` finds what theory says.

    Raises:
        LawError: with the table.
    """
    report = battery(model, cutoff, ability)
    if not report.passed:
        raise LawError(
            "the model is not what it claims to be", got="\n" + str(report), expected=ability
        )


def _same_as(pair: Pair, graph: GeometricGraph, generator: torch.Generator) -> GeometricGraph:
    """The graph moved in a way that must not matter, its edges in another order."""
    if pair.oriented:
        turn = 2 * np.pi / pair.size  # the star onto itself
        c, s = np.cos(turn), np.sin(turn)
        matrix = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    else:
        matrix = random_orthogonal(generator, proper=True).numpy()
    order = torch.randperm(graph.edges.shape[1], generator=generator).numpy()
    return GeometricGraph(graph.turned(matrix).positions, graph.edges[:, order])


def _arguments(graph: GeometricGraph) -> tuple[Tensor, Tensor, Tensor]:
    species = torch.zeros(len(graph.positions), dtype=torch.int64)
    edges = torch.from_numpy(np.ascontiguousarray(graph.edges))
    return torch.from_numpy(graph.vectors), species, edges


def _outputs(model: nn.Module, graph: GeometricGraph) -> Tensor:
    """What the model says of each atom, sorted over atoms."""
    said = model(*_arguments(graph))
    return said.reshape(len(graph.positions), -1).sort(0).values


def _features(model: nn.Module, graph: GeometricGraph) -> Tensor:
    """Features of atom 0 after each layer, one after another."""
    found: list[Tensor] = []

    def keep(module: nn.Module, arguments: object, output: object) -> None:
        parts = output if isinstance(output, tuple) else (output,)
        found.extend(part[0].reshape(-1) for part in parts if isinstance(part, Tensor))

    layers = list(model.layers)  # pyright: ignore[reportArgumentType, reportCallIssue]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        model(*_arguments(graph))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(found) if found else torch.zeros(1, dtype=torch.float64)


def _difference(one: Tensor, other: Tensor) -> float:
    """Largest difference as a share of the largest number; NaN stays."""
    scale = max(float(one.abs().max()), torch.finfo(one.dtype).tiny)
    return float((one - other).abs().max()) / scale
