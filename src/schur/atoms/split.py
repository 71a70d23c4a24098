"""Held-out frames: a split into training, validation and test sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from ..errors import DataError
from .census import fingerprint
from .system import System


@dataclass(frozen=True)
class Split:
    """Three disjoint sequences of systems."""

    train: Sequence[System]
    valid: Sequence[System]
    test: Sequence[System]


@dataclass(frozen=True, eq=False)
class Parts:
    """Three disjoint arrays of frame numbers."""

    train: Int[np.ndarray, " train"]
    valid: Int[np.ndarray, " valid"]
    test: Int[np.ndarray, " test"]


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
    labels = np.array([fingerprint(system) for system in systems], dtype=np.uint64)
    parts = split_groups(labels, valid=valid, test=test, seed=seed)
    train, held, tested = (
        [systems[int(i)] for i in part] for part in (parts.train, parts.valid, parts.test)
    )
    return Split(train, held, tested)


def split_groups(
    groups: Shaped[np.ndarray, " frames"],
    *,
    valid: float,
    test: float,
    seed: int,
    strata: Shaped[np.ndarray, " frames"] | None = None,
) -> Parts:
    """Draws validation and test frames at random; frames of one group stay together.

    Args:
        groups: a value for each frame; equal values are one group.
        valid, test: fractions; a fraction above zero gives at least one frame.
        seed: of a generator of its own; the same seed gives the same split.
        strata: a value for each frame; the fractions hold within each value. A group is of the
            stratum of its first frame; a stratum with too few groups is kept for training.

    Raises:
        DataError: too few groups to split.

    Example:
        >>> parts = split_groups(np.array([0, 0, 1, 1, 2, 2]), valid=0.0, test=0.3, seed=0)
        >>> parts.train, parts.test
        (array([0, 1, 2, 3]), array([4, 5]))
    """
    generator = np.random.default_rng(seed)
    numbered = _by_appearance(groups)
    if strata is None:
        return _draw(numbered, np.arange(len(groups)), valid, test, generator)
    first = np.unique(numbered, return_index=True)[1]
    stratum = _by_appearance(strata)[first][numbered]
    drawn: list[Parts] = []
    needed = 1 + (valid > 0) + (test > 0)
    for value in np.unique(stratum):
        frames = np.flatnonzero(stratum == value)
        enough = len(np.unique(numbered[frames])) >= needed
        fractions = (valid, test) if enough else (0.0, 0.0)
        drawn.append(_draw(_by_appearance(numbered[frames]), frames, *fractions, generator))
    train, held, tested = (
        np.concatenate([getattr(parts, name) for parts in drawn])
        for name in ("train", "valid", "test")
    )
    if (valid > 0 and not len(held)) or (test > 0 and not len(tested)):
        raise _too_few(int(numbered.max(initial=-1)) + 1, needed)
    return Parts(np.sort(train), held, tested)


def _by_appearance(values: np.ndarray) -> np.ndarray:
    """Numbers 0, 1, 2 ... for the different values, in the order of their first appearance."""
    _, first, which = np.unique(values, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[which]


def _draw(
    groups: np.ndarray,
    frames: np.ndarray,
    valid: float,
    test: float,
    generator: np.random.Generator,
) -> Parts:
    """Whole groups in random order until each part has its size; the rest trains."""
    count = int(groups.max(initial=-1)) + 1
    order = generator.permutation(count)
    # Frames sorted by group, in order within; and where each group begins among them.
    by_group = np.argsort(groups, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=count))])
    sizes = [max(1, round(f * len(groups))) if f > 0 else 0 for f in (test, valid)]
    needed = 1 + sum(size > 0 for size in sizes)
    if count < needed:
        raise _too_few(count, needed)
    taken: list[list[int]] = [[], []]
    cursor = 0
    for part, size in zip(taken, sizes, strict=True):
        while len(part) < size and cursor < count - needed + 1:
            group = order[cursor]
            part.extend(by_group[starts[group] : starts[group + 1]].tolist())
            cursor += 1
        needed -= size > 0
    held = np.zeros(len(groups), dtype=bool)
    held[taken[0] + taken[1]] = True
    tested, validated = (frames[np.array(part, dtype=np.int64)] for part in taken)
    return Parts(frames[~held], validated, tested)


def _too_few(count: int, needed: int) -> DataError:
    return DataError(
        "there are too few different frames to hold some out",
        got=f"{count} different frames",
        expected=f"{needed} at least",
        remedy="give --valid and --test files of their own, or more frames",
    )
