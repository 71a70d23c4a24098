"""Held-out frames: a split into training, validation and test sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .system import System


@dataclass(frozen=True)
class Split:
    """Three disjoint lists of systems."""

    train: list[System]
    valid: list[System]
    test: list[System]


def split_systems(systems: Sequence[System], *, valid: float, test: float, seed: int) -> Split:
    """Draws validation and test frames at random; frames with equal geometry stay together.

    Args:
        systems: what to split, without isolated atoms.
        valid, test: fractions; a fraction above zero gives at least one frame.
        seed: of a generator of its own; the same seed gives the same split.

    Raises:
        DataError: too few frames to split.

    Example:
        >>> frames = [System([1], [[0.0, 0.0, x]]) for x in range(10)]
        >>> parts = split_systems(frames, valid=0.1, test=0.2, seed=0)
        >>> len(parts.train), len(parts.valid), len(parts.test)
        (7, 1, 2)
    """
    groups: dict[bytes, list[int]] = {}
    for index, system in enumerate(systems):
        groups.setdefault(fingerprint(system), []).append(index)
    members = list(groups.values())
    order = np.random.default_rng(seed).permutation(len(members))
    sizes = [max(1, round(f * len(systems))) if f > 0 else 0 for f in (test, valid)]
    needed = 1 + sum(size > 0 for size in sizes)
    if len(members) < needed:
        raise DataError(
            "there are too few different frames to hold some out",
            got=f"{len(members)} different frames",
            expected=f"{needed} at least",
            remedy="give --valid and --test files of their own, or more frames",
        )
    taken: list[list[System]] = [[], []]
    cursor = 0
    for part, size in zip(taken, sizes, strict=True):
        while len(part) < size and cursor < len(members) - needed + 1:
            part.extend(systems[i] for i in members[order[cursor]])
            cursor += 1
        needed -= size > 0
    train = [systems[i] for i in sorted(i for g in order[cursor:] for i in members[g])]
    return Split(train=train, valid=taken[1], test=taken[0])


def fingerprint(system: System) -> bytes:
    """Equal for frames whose elements, positions and cell agree to 1e-6 Å."""
    rounded = [np.round(a, 6) + 0.0 for a in (system.positions, system.cell)]
    return b"".join(a.tobytes() for a in [system.numbers, *rounded, system.pbc])
