"""Conversions between e3nn's layout (channels first) and those with components first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.irreps import Part
from benchmarks.problem import Layout


def components_first(parts: Sequence[Part], order: Sequence[int] | None = None) -> Layout:
    """Each block transposed to components first; native block k is canonical block `order[k]`."""
    places = list(order if order is not None else range(len(parts)))
    starts = np.cumsum([0, *(part.dim for part in parts)])
    source = []
    for place in places:
        part = parts[place]
        block = starts[place] + np.arange(part.dim)
        source.append(block.reshape(part.multiplicity, -1).T.reshape(-1))
    gather = np.concatenate(source)
    scatter = np.argsort(gather)
    return Layout(lambda x: x[..., gather], lambda x: x[..., scatter])


def channels_first(parts: Sequence[Part], order: Sequence[int]) -> Layout:
    """Blocks as they are in e3nn, in another order."""
    return components_first([Part(part.dim, 0, 1) for part in parts], order)


def channel_blocks(parts: Sequence[Part], order: Sequence[int]) -> Layout:
    """For weights, one number a channel: only the blocks are permuted."""
    return components_first([Part(part.multiplicity, 0, 1) for part in parts], order)


def basis_change(matrix: np.ndarray, channels: int) -> Layout:
    """Weights of one basis as weights of another, native = matrix @ canonical, path by path.

    Both have a last axis of channels; the native one may be flattened into the paths' axis. What
    comes back is a gradient, and gradients travel by the transpose.
    """

    def to_native(weight: np.ndarray) -> np.ndarray:
        return np.einsum("qp,spc->sqc", matrix, weight).reshape(len(weight), -1)

    def to_canonical(gradient: np.ndarray) -> np.ndarray:
        blocks = gradient.reshape(len(gradient), -1, channels)
        return np.einsum("qp,sqc->spc", matrix, blocks)

    return Layout(to_native, to_canonical)
