"""The dense coupling tensors U of MACE: every way to couple copies of x one after another."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from e3nn import o3

from benchmarks.irreps import Part, parse
from benchmarks.problem import Problem


def _chains(parts: list[Part], degree: int) -> list[list[tuple[int, int, torch.Tensor]]]:
    """For degrees 1 to `degree`, every way to couple that many copies one after another.

    Each entry is (l, parity, tensor of shape (2l+1, S, ..., S)), S components of one channel.
    """
    size = sum(2 * part.l + 1 for part in parts)
    eye = torch.eye(size, dtype=torch.float64)
    starts = np.cumsum([0, *(2 * part.l + 1 for part in parts)])
    single = [(p.l, p.p, eye[a : a + 2 * p.l + 1]) for p, a in zip(parts, starts, strict=False)]
    found = [single]
    for _ in range(degree - 1):
        longer = []
        for l12, p12, chain in found[-1]:
            for l3, p3, last in single:
                for l in range(abs(l12 - l3), l12 + l3 + 1):  # noqa: E741
                    coupling = o3.wigner_3j(l12, l3, l, dtype=torch.float64) * sqrt(2 * l + 1)
                    both = torch.einsum("ijk,i...,jz->k...z", coupling, chain, last)
                    longer.append((l, p12 * p3, both))
        found.append(longer)
    return found


def dense_bases(problem: Problem) -> list[list[torch.Tensor]]:
    """For each output irrep and degree the dense tensor (2l+1, S, ..., S, paths)."""
    with torch.device("cpu"):
        chains = _chains(parse(problem.settings["in"]), problem.settings["degree"])
    return [
        [
            torch.stack([t for *irrep, t in chain if irrep == [part.l, part.p]], dim=-1)
            for chain in chains
        ]
        for part in parse(problem.settings["out"])
    ]


def single_channel_values(bases: list[list[torch.Tensor]], points: torch.Tensor) -> torch.Tensor:
    """What each path gives at points of one channel: (points, components of all outputs, paths)."""
    blocks = []
    for per_degree in bases:
        paths = []
        for basis in per_degree:
            value = torch.einsum("m...p->p...m", basis)[:, None].expand(
                -1, len(points), *basis.shape[1:-1], -1
            )
            for _ in range(basis.ndim - 2):
                value = torch.einsum("pni...,ni->pn...", value, points)
            paths.append(value)
        blocks.append(torch.cat(paths).permute(1, 2, 0))
    return torch.stack([torch.block_diag(*at_point) for at_point in zip(*blocks, strict=True)])
