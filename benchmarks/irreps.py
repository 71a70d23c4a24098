"""Irreps of O(3) as the workloads need them, on their own so that no contender is its own judge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Part(NamedTuple):
    """`multiplicity` copies of the irrep of degree `l` and parity `p`."""

    multiplicity: int
    l: int  # noqa: E741 - the degree's name everywhere in the field
    p: int

    @property
    def dim(self) -> int:
        return self.multiplicity * (2 * self.l + 1)

    @property
    def irrep(self) -> str:
        return f"{self.l}{'e' if self.p == 1 else 'o'}"


def parse(text: str) -> list[Part]:
    """`"128x0e+1o"` as parts."""
    parts = []
    for term in text.replace(" ", "").split("+"):
        multiplicity, _, irrep = term.rpartition("x")
        parts.append(Part(int(multiplicity or 1), int(irrep[:-1]), {"e": 1, "o": -1}[irrep[-1]]))
    return parts


def dim(parts: Iterable[Part]) -> int:
    """Numbers in one row."""
    return sum(part.dim for part in parts)


def order(part: Part) -> tuple[int, bool]:
    """Where an irrep stands in e3nn's order: 0e 0o 1o 1e 2e 2o ..."""
    return part.l, part.p != (-1) ** part.l


class ChannelwisePath(NamedTuple):
    """One path of a channel-wise product: which parts are multiplied, and what comes out."""

    first: int
    second: int
    out: Part


def channelwise(in1: list[Part], in2: list[Part], out: list[Part]) -> list[ChannelwisePath]:
    """The paths whose irrep occurs in `out`, in e3nn's order: by output, then as they come."""
    allowed = {(part.l, part.p) for part in out}
    paths = [
        ChannelwisePath(i, j, Part(a.multiplicity, l, a.p * b.p))
        for i, a in enumerate(in1)
        for j, b in enumerate(in2)
        for l in range(abs(a.l - b.l), a.l + b.l + 1)  # noqa: E741
        if (l, a.p * b.p) in allowed
    ]
    return sorted(paths, key=lambda path: order(path.out))
