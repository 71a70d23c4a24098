"""The checker of equivariance passes what is, and catches what is not."""

from __future__ import annotations

import pytest
import torch

from schur.testing import LawError, assert_equivariant, equivariance_error, random_orthogonal


def cross(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.linalg.cross(x, y)


@pytest.fixture
def vectors() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return list(torch.randn(2, 4, 3, dtype=torch.float64, generator=generator))


def test_a_cross_product_is_a_pseudovector(vectors: list[torch.Tensor]) -> None:
    assert_equivariant(cross, ["1o", "1o"], "1e", vectors)


def test_a_wrong_parity_is_caught_and_only_by_improper_samples(
    vectors: list[torch.Tensor],
) -> None:
    assert_equivariant(cross, ["1o", "1o"], "1o", vectors, improper=False)
    with pytest.raises(LawError, match="not equivariant"):
        assert_equivariant(cross, ["1o", "1o"], "1o", vectors)


def test_a_small_fault_is_caught(vectors: list[torch.Tensor]) -> None:
    def faulty(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cross(x, y) + 1e-10 * x.square()

    with pytest.raises(LawError):
        assert_equivariant(faulty, ["1o", "1o"], "1e", vectors)


def test_nan_is_no_agreement(vectors: list[torch.Tensor]) -> None:
    with pytest.raises(LawError):
        assert_equivariant(lambda x: x * torch.nan, ["1o"], "1o", vectors[:1])


@pytest.mark.parametrize("proper", [True, False])
def test_random_orthogonal(proper: bool) -> None:
    R = random_orthogonal(torch.Generator().manual_seed(3), proper)
    eps = torch.finfo(torch.float64).eps
    assert float((R @ R.T - torch.eye(3)).abs().max()) < 16 * eps
    assert bool(torch.linalg.det(R) > 0) == proper


def test_the_state_of_the_global_generator_is_left_alone(vectors: list[torch.Tensor]) -> None:
    before = torch.get_rng_state()
    equivariance_error(cross, ["1o", "1o"], "1e", vectors)
    assert torch.equal(before, torch.get_rng_state())
