"""What a workload hands to every contender: the same numbers, in one canonical layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PASSES = ("F", "FB", "FBB")

# What a contender computed in one pass, by name, in the canonical layout and float64.
Results = dict[str, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """A function to evaluate and differentiate, given by numbers alone.

    `F` is the output. `FB` adds the gradient of <output, cotangent> to every input. `FBB` is the
    pattern of a force loss: that gradient with its graph kept, then the gradient of
    Σ <gradient, direction> to every input.

    Args:
        inputs: differentiable arrays in float64 and e3nn's layout, in the function's order.
        output_shape: shape of the result, in the same layout.
        indices: integer arrays (edges, species), not differentiable.
        settings: what the workload's contenders need to know to build their function.
    """

    inputs: Mapping[str, np.ndarray]
    output_shape: tuple[int, ...]
    indices: Mapping[str, np.ndarray] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cotangent(self) -> np.ndarray:
        """What the output's gradient is contracted with."""
        return np.random.default_rng(101).standard_normal(self.output_shape)

    @property
    def directions(self) -> dict[str, np.ndarray]:
        """What each input's gradient is contracted with in the force-loss pattern."""
        rng = np.random.default_rng(102)
        return {name: rng.standard_normal(x.shape) for name, x in self.inputs.items()}


@dataclass(frozen=True)
class Layout:
    """How one array travels between the canonical layout and a contender's own."""

    to_native: Callable[[np.ndarray], np.ndarray] = np.asarray
    to_canonical: Callable[[np.ndarray], np.ndarray] = np.asarray


AS_IT_IS = Layout()


def split_bytes(what: str, always: int, cotangent: int, directions: int) -> tuple[int, int]:
    """What `Contender.bytes_held` answers, from the sizes of the parts."""
    idle = {"F": cotangent + directions, "FB": directions, "FBB": 0}[what]
    return always + cotangent + directions - idle, idle


class Contender:
    """One implementation of one problem: built outside the timed part, then run pass by pass."""

    def run(self, what: str) -> object:
        """Run one pass to the end and return what it computed, in the contender's own types."""
        raise NotImplementedError

    def results(self, what: str) -> Results:
        """Run one pass and convert what it computed."""
        raise NotImplementedError

    def bytes_held(self, what: str) -> tuple[int, int]:
        """Inputs plus outputs of one pass, the least that memory must hold; and what idles in it.

        Cotangent and directions are inputs of the passes that read them, and idle in the others.
        """
        raise NotImplementedError


class NotPossible(Exception):
    """A peer that cannot do what is asked, with its reason."""


@dataclass(frozen=True)
class Reference:
    """Exact values of some rows of each result; the other rows go unchecked, and that is said."""

    rows: Mapping[str, np.ndarray]
    values: Results

    def error(self, found: Results) -> float:
        """The worst relative error over the results found, each in the Euclidean norm."""
        return max(self.errors(found).values())

    def errors(self, found: Results) -> dict[str, float]:
        """The relative error of each result."""
        errors = {}
        for name, value in found.items():
            exact = self.values[name]
            scale = float(np.linalg.norm(exact)) or 1.0
            errors[name] = float(np.linalg.norm(value[self.rows[name]] - exact)) / scale
        return errors

    @classmethod
    def whole(cls, values: Results) -> Reference:
        """Every row of every result."""
        return cls({name: np.arange(len(value)) for name, value in values.items()}, values)
