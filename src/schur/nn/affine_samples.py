"""Elements of a linear group for the convolutions on affine groups to be evaluated at."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import NumberError
from schur.groups import Affine
from schur.groups.matrix_exponential import matrix_exponential
from schur.groups.reductive import cartan_of


def sampled_elements(
    group: Affine, rng: np.random.Generator, count: int, scale: float = 0.5
) -> tuple[Float[Tensor, "{count} n n"], Float[Tensor, "{count}"]]:
    """Elements of the linear group and their weights, as `Affine.sample_linear` draws them.

    In double precision, whatever the images are in: kernels are laid out before they are rounded.

    Example:
        >>> from schur.groups import Euclidean
        >>> h, w = sampled_elements(Euclidean(2), np.random.default_rng(0), 3)
        >>> h.shape, w
        (torch.Size([3, 2, 2]), tensor([1., 1., 1.], dtype=torch.float64))
    """
    g, weight = group.sample_linear(rng, count, scale)
    return torch.from_numpy(g), torch.from_numpy(weight)


def nearby_elements(
    group: Affine,
    rng: np.random.Generator,
    count: int,
    turn: float = 0.5,
    stretch: float = 0.4,
) -> Float[Tensor, "{count} n n"]:
    """Elements exp(X) exp(S) of the linear group near the identity.

    X is antihermitian and uniform in the ball |X| ≤ √2 turn of the Lie algebra, S hermitian and
    uniform in |S| ≤ stretch, with |X|² = tr X†X. For layers that take no weights, with a pooling
    over the elements behind them: what is pooled changes little under maps that are small beside
    the neighbourhood, and still tells 6 from 9, as a pooling over all turns cannot.

    Args:
        group: H ⋉ R^n.
        rng: source of randomness.
        count: number of elements.
        turn: the largest angle in radians, in two and three dimensions.
        stretch: the largest |S|; e^|S| bounds how much a length may grow.

    Returns:
        In double precision, as `sampled_elements`.

    Raises:
        NumberError: a size is negative.
        RepresentationError: the Lie algebra of H does not hold the adjoints of its elements.

    Example:
        >>> from schur.groups import GeneralLinear
        >>> group = Affine(GeneralLinear(2, positive=True))
        >>> h = nearby_elements(group, np.random.default_rng(0), 5, turn=0.0, stretch=0.1)
        >>> bool(torch.allclose(h, h.mT)), bool((torch.linalg.matrix_norm(h, 2) < 1.106).all())
        (True, True)
    """
    if min(turn, stretch) < 0:
        raise NumberError("sizes of a neighbourhood", got=(turn, stretch), expected=">= 0")
    parts = cartan_of(group.linear)
    factors = [
        matrix_exponential(np.tensordot(_in_ball(rng, count, len(basis), size), basis, axes=1))
        for basis, size in ((parts.compact, 2**0.5 * turn), (parts.hermitian, stretch))
    ]
    return torch.from_numpy(np.ascontiguousarray(factors[0] @ factors[1]))


def _in_ball(rng: np.random.Generator, count: int, n: int, radius: float) -> np.ndarray:
    """Points distributed uniformly in a ball."""
    x = rng.standard_normal((count, n))
    far = radius * rng.random((count, 1)) ** (1 / max(n, 1))
    return far * x / np.linalg.norm(x, axis=-1, keepdims=True)
