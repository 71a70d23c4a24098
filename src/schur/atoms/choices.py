"""Settings that the data decide, each with its reason, where the user has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .config import RunConfig
from .neighbours import neighbour_list
from .streaming import has_stress, sizes_of
from .system import System

_ATOMS_A_STEP = 75
_LARGEST_BATCH = 10
_USUAL_STEPS_AN_EPOCH = 90
"""A preset's epochs are those for about 450 molecules in batches of five."""
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 3000
_VALIDATIONS = 300
_RAREST_VALIDATION = 10
"""Validations cost little against so many epochs, and a clock may end a run before the last."""
_FINE_TUNING = 0.1


@dataclass(frozen=True)
class Choice:
    """One setting and why.

    Args:
        key: dotted, as in overrides.
        value: what is chosen.
        reason: half a line.
    """

    key: str
    value: int | float
    reason: str

    def __str__(self) -> str:
        return f"chosen {self.key} = {self.value}: {self.reason}"


def choose(
    config: RunConfig, systems: Sequence[System], given: Mapping[str, Any]
) -> dict[str, Choice]:
    """What fits a training set, by dotted key.

    The number of steps is the preset's, so that many frames get fewer epochs and few frames
    more; batches hold about as many atoms whatever a frame's size.

    Args:
        config: resolved from preset and user.
        systems: the training set.
        given: the tree of what the user has set, which is never chosen.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 0.74]], energy=-31.0)
        >>> tree = {"data": {"train": ["h2.xyz"]}}
        >>> for choice in choose(RunConfig.model_validate(tree), [h2] * 40, tree).values():
        ...     print(choice)
        chosen training.batch_size = 10: frames of 2 atoms, about 75 atoms a step
        chosen training.epochs = 3000: 4 steps an epoch, 12000 steps in all
        chosen training.validate_every = 10: 300 validations in all
    """
    training, chosen = config.training, _Choices(given)
    atoms = float(np.mean(sizes_of(systems)))
    batch = int(min(max(round(_ATOMS_A_STEP / atoms), 1), _LARGEST_BATCH, len(systems)))
    reason = f"frames of {atoms:.0f} atoms, about {_ATOMS_A_STEP} atoms a step"
    batch = int(chosen.take("training.batch_size", batch, training.batch_size, reason))

    a_pass = -(-len(systems) // batch)
    wanted = round(training.epochs * _USUAL_STEPS_AN_EPOCH / a_pass)
    epochs = min(max(wanted, _FEWEST_EPOCHS), _MOST_EPOCHS)
    limit = ", or the time limit" if training.time_limit is not None else ""
    reason = f"{a_pass} steps an epoch, {epochs * a_pass} steps in all{limit}"
    epochs = int(chosen.take("training.epochs", epochs, training.epochs, reason))

    every = min(max(1, epochs // _VALIDATIONS), _RAREST_VALIDATION)
    if every > 1:
        reason = f"{epochs // every} validations in all"
        chosen.take("training.validate_every", every, training.validate_every, reason)
    stressed = systems if has_stress(systems) else []
    rooms = [s.volume / len(s) for s in stressed if s.stress is not None and s.periodic]
    if rooms:
        room = float(np.mean(rooms))
        reason = f"{len(rooms)} frames have it; ({room:.1f} Å^3 an atom)^2, as forces weigh"
        chosen.take("loss.stress", float(f"{room**2:.3g}"), config.loss.stress, reason)
    if config.start is not None:
        rate = float(f"{_FINE_TUNING * training.learning_rate:.3g}")
        reason = "a tenth of the usual rate, so that what the model knows is kept"
        chosen.take("training.learning_rate", rate, training.learning_rate, reason)
    return chosen.found


def describe_neighbourhood(systems: Sequence[System], cutoff: float) -> str:
    """How many neighbours an atom has within the cutoff, over at most twenty frames.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 0.74]])
        >>> describe_neighbourhood([h2], 4.0)
        'cutoff 4.0 Å: 1.0 neighbours an atom on average'
    """
    some = systems[:: max(1, len(systems) // 20)]
    edges = sum(len(neighbour_list(system, cutoff)) for system in some)
    mean = edges / sum(len(system) for system in some)
    return f"cutoff {cutoff} Å: {mean:.1f} neighbours an atom on average"


def as_tree(choices: Mapping[str, Choice]) -> dict[str, Any]:
    """Choices as the tree that `resolve` reads."""
    tree: dict[str, Any] = {}
    for key, choice in choices.items():
        section, name = key.split(".")
        tree.setdefault(section, {})[name] = choice.value
    return tree


class _Choices:
    """Choices made so far, beside what the user has set."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.found: dict[str, Choice] = {}

    def take(self, key: str, chosen: int | float, present: int | float, reason: str) -> int | float:
        """The value that will hold: the user's where there is one."""
        section, name = key.split(".")
        if name in (self._given.get(section) or {}):
            return present
        self.found[key] = Choice(key, chosen, reason)
        return chosen
