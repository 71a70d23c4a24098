"""The battery's pairs are what they say, models do what theory says, and the checker can fail."""

from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schur.harmonics import harmonic_values
from schur.models.registry import ARCHITECTURES
from schur.testing import Ability, LawError, assert_tells_apart, battery
from schur.testing.gwl import Finding
from schur.testing.gwl_models import SUBJECTS, Subject, row
from schur.testing.gwl_pairs import (
    PAIRS,
    GeometricGraph,
    Pair,
    k_chain,
    l_fold,
    mirror_images,
    two_body,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
BODIES = [pair for pair in PAIRS if pair.kind == "body"]


# --- the pairs ----------------------------------------------------------------------------------


def invariants(graph: GeometricGraph, bodies: int) -> list[tuple[float, ...]]:
    """Gram matrices of all choices of bodies - 1 neighbours of atom 0, whatever their order."""
    neighbours = graph.positions[1:] - graph.positions[0]
    gram = np.round(neighbours @ neighbours.T, 9) + 0.0
    upper = np.triu_indices(bodies - 1)
    return sorted(
        min(tuple(gram[np.ix_(p, p)][upper]) for p in permutations(chosen))
        for chosen in combinations(range(len(neighbours)), bodies - 1)
    )


@pytest.mark.parametrize("pair", BODIES, ids=lambda pair: pair.name)
def test_invariants_agree_up_to_the_order_and_no_further(pair: Pair) -> None:
    for bodies in range(2, pair.size + 1):
        assert invariants(pair.first, bodies) == invariants(pair.second, bodies)
    assert invariants(pair.first, pair.size + 1) != invariants(pair.second, pair.size + 1)


@pytest.mark.parametrize("fold", [2, 3, 5])
def test_the_first_moment_that_sees_a_star_is_its_fold(fold: int) -> None:
    pair = l_fold(fold)
    moments = []
    for graph in (pair.first, pair.second):
        moments.append(harmonic_values(fold, graph.positions[1:], "component").sum(0))
    difference = np.abs(moments[0] - moments[1])
    assert difference[: fold**2].max() < 1e-13 < 0.1 < difference[fold**2 :].max()


@pytest.mark.parametrize("k", [2, 3, 4])
def test_a_chain_looks_the_same_along_its_way(k: int) -> None:
    """Bonds and angles agree; the distance of the ends does not."""
    pair = k_chain(k)
    for atom in range(k + 2):
        lengths = []
        for graph in (pair.first, pair.second):
            here = graph.vectors[graph.edges[1] == atom]
            lengths.append(np.sort((here @ here.T).reshape(-1)))
        np.testing.assert_allclose(*lengths, atol=1e-12)
    ends = [np.linalg.norm(graph.positions[-1] - graph.positions[0]) for graph in
            (pair.first, pair.second)]  # fmt: skip
    assert abs(ends[0] - ends[1]) > 0.5


def test_mirror_images_differ_by_no_rotation() -> None:
    """Arms are told apart by their lengths, so the sign of a triple product is an invariant."""
    pair = mirror_images()
    signs = [np.linalg.det(graph.positions[1:4]) for graph in (pair.first, pair.second)]
    assert signs[0] * signs[1] < -1


# --- the models ---------------------------------------------------------------------------------


def test_every_architecture_is_tried() -> None:
    assert {subject.config.architecture for subject in SUBJECTS} == set(ARCHITECTURES)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_model_does_what_theory_says_and_the_page_says_so(subject: Subject) -> None:
    report = subject.report()
    assert report.passed, "\n" + str(report)
    assert row(subject.name, report) in PAGE.read_text("utf-8").splitlines()


# --- the checker can fail -----------------------------------------------------------------------


class Distances(nn.Module):
    """Sums over neighbours of a function of the distance: two bodies and one layer."""

    def forward(self, vectors: Tensor, species: Tensor, edge_index: Tensor) -> Tensor:
        terms = torch.sin(vectors.norm(dim=1) + 1)
        return terms.new_zeros(len(species)).index_add(0, edge_index[1], terms)


class Angles(nn.Module):
    """|Σ r̂|² at each atom: three bodies."""

    def forward(self, vectors: Tensor, species: Tensor, edge_index: Tensor) -> Tensor:
        unit = torch.nn.functional.normalize(vectors, dim=1)
        return unit.new_zeros(len(species), 3).index_add(0, edge_index[1], unit).square().sum(1)


class Heights(nn.Module):
    """Reads coordinates, and is not invariant."""

    def forward(self, vectors: Tensor, species: Tensor, edge_index: Tensor) -> Tensor:
        return vectors.new_zeros(len(species)).index_add(0, edge_index[1], vectors[:, 2] ** 2)


class Nothing(nn.Module):
    """Says that it does not know."""

    def forward(self, vectors: Tensor, species: Tensor, edge_index: Tensor) -> Tensor:
        return vectors.new_full((len(species),), float("nan"))


def test_a_model_of_distances_is_found_out() -> None:
    """It claims angles, separates nothing that distances do not, and is reported."""
    report = battery(Distances(), 5.0, Ability(layers=1, body_order=3))
    faults = {finding.pair: finding.fault for finding in report.findings if finding.fault}
    assert faults == {"2-body": "does not tell apart what it must"}
    assert not any(finding.separated for finding in report.findings)
    with pytest.raises(LawError, match="not what it claims"):
        assert_tells_apart(Distances(), 5.0, Ability(layers=1, body_order=3))
    assert_tells_apart(Distances(), 5.0, Ability(layers=1, body_order=2))


def test_a_model_that_sees_more_than_it_says_is_found_out() -> None:
    report = battery(Angles(), 5.0, Ability(layers=1, body_order=2), [two_body()])
    assert "its claims are wrong" in report.findings[0].fault and not report.passed
    assert battery(Angles(), 5.0, Ability(layers=1, body_order=3)).passed


def test_a_model_that_reads_coordinates_is_found_out() -> None:
    report = battery(Heights(), 5.0)
    assert all(finding.fault for finding in report.findings)
    assert "changes with the position" in report.findings[0].fault
    # Noise is no separation: what a rotation changes as much tells nothing.
    assert not any(finding.separated for finding in report.findings)


def test_what_is_no_number_is_no_agreement() -> None:
    report = battery(Nothing(), 5.0)
    assert {finding.fault for finding in report.findings} == {"not a number"}


def test_layers_of_a_model_are_asked_and_left_alone() -> None:
    """Features are read with hooks that are gone afterwards."""
    from schur.models.egnn import EGNN, EGNNConfig

    model = EGNN(EGNNConfig(layers=2, features=4), 1, 1.0)
    weights = [p.clone() for p in model.parameters()]
    findings = battery(model, 5.0, pairs=[l_fold(2)]).findings
    assert len(findings) == 1 and not findings[0].separated
    assert not any(layer._forward_hooks for layer in model.layers)
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
    assert model.embedding.dtype == torch.float32
    assert not battery(Distances(), 5.0, pairs=[l_fold(2)]).findings


def test_a_gap_counts_by_what_a_rotation_changes() -> None:
    assert Finding("", 1e-3, 1e-6, "may").separated
    assert not Finding("", 1e-3, 1e-4, "may").separated
