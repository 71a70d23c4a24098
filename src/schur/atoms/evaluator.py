"""One system at a time, quickly: what dynamics calls again and again."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..engine.recording import Recording, record
from ..errors import BackendError, NumberError, RepresentationError
from .agreement import disagreement
from .batch import Batch, species_index, unlabelled
from .device_list import DeviceList
from .potential import Potential, Prediction
from .repeated import repeated_prediction
from .system import System
from .verlet import VerletList

_log = logging.getLogger("schur")

# Above so many pairs arithmetic outweighs what a recording saves, and pairs in the skin cost more.
_MOST_RECORDED = 4000
# A list that has served less often than this is no occasion to record the next one.
_WORTH_RECORDING = 8


@dataclass(frozen=True)
class Outcome:
    """What a potential says of one system, in eV, eV/Å and eV/Å^3."""

    energy: float
    energies: Float[np.ndarray, " atoms"]
    forces: Float[np.ndarray, "atoms 3"]
    stress: Float[np.ndarray, "3 3"] | None

    @property
    def finite(self) -> bool:
        """Whether energy and forces are numbers."""
        return bool(np.isfinite(self.energy)) and bool(np.isfinite(self.forces).all())


class Evaluator:
    """A potential with a Verlet list, which repeats a recorded evaluation where that is faster.

    The list holds all pairs within cutoff + skin; see `VerletList`.  A small system is evaluated
    on the whole list, where pairs beyond the cutoff add nothing: then each call does the same
    operations, which are recorded once (`schur.engine.recording`).  There the radial networks are
    replaced by splines (`schur.models.tabulated`).  A recording serves only where its forces are
    those of the ordinary evaluation to 1e-6 eV/Å, rounding apart.

    Where the potential is on another device, the list is made and kept there (`DeviceList`).  A
    small system's evaluation is then captured as a graph of launches
    (`schur.engine.device_graphs`), without splines; it serves new lists of as many pairs too.

    Args:
        potential: what to evaluate; pairs as long as its cutoff add nothing to it.
        skin: Å; zero makes a new list each time.
        repeat: whether to record, or to capture.
        splines: whether to replace radial networks in recordings.
    """

    def __init__(
        self, potential: Potential, skin: float = 0.5, repeat: bool = True, splines: bool = True
    ) -> None:
        self.potential = potential
        self.skin = skin
        self.repeat, self.splines = repeat, splines
        self._faster: Potential | None = None
        self.lists_made = 0
        self._list: VerletList | None = None
        self._species = torch.empty(0, dtype=torch.int64)
        self._served = _WORTH_RECORDING
        self._worth = True
        self._recordings: dict[bool, Recording] = {}
        self._weights: list[Tensor] = []
        self._state: list[tuple[int, int]] = []
        self._there: DeviceList | None = None
        self._repeated = {
            asked: repeated_prediction(potential, forces=True, stress=asked)
            for asked in (False, True)
        }

    def __call__(self, system: System, stress: bool = False) -> Outcome:
        """Energy and forces, and the stress where asked for.

        Raises:
            DataError: an element that the potential does not know.
        """
        if self.potential.device.type != "cpu":
            return self._elsewhere(system, stress)
        pairs = self._pairs(system)
        vectors = pairs.vectors(system)
        self._served += 1
        if self.repeat and 0 < len(vectors) <= _MOST_RECORDED and self._state == self._seen():
            recording = self._recordings.get(stress)
            if recording is not None:
                outcome = _outcome(recording(torch.from_numpy(vectors)))
                if outcome.finite:
                    return outcome  # else the ordinary evaluation says what is wrong
            elif self._worth and self._served > 1:
                return self._record(system, vectors, stress)
        return self._ordinary(system, vectors, stress)

    def _pairs(self, system: System) -> VerletList:
        if self._list is None or not self._list.serves(system):
            self.lists_made += 1
            self._species = torch.from_numpy(species_index(system, self.potential.elements))
            self._list = VerletList(system, self.potential.cutoff, self.skin)
            self._worth = self._served >= _WORTH_RECORDING
            self._served = 0
            self._recordings.clear()
            self._weights = [*self.potential.parameters(), *self.potential.buffers()]
            self._state = self._seen()
        return self._list

    def _seen(self) -> list[tuple[int, int]]:
        """What tells that no weight has been changed; recordings take weights for constants."""
        return [(weight._version, weight.data_ptr()) for weight in self._weights]

    def _ordinary(self, system: System, vectors: np.ndarray, stress: bool) -> Outcome:
        assert self._list is not None
        near = self._list.near(vectors)
        both = np.concatenate([vectors[near], -vectors[near]])
        batch = self._batch(system, torch.from_numpy(both).to(self._dtype), near)
        return _outcome(self.potential(batch, forces=True, stress=stress))

    def _elsewhere(self, system: System, stress: bool) -> Outcome:
        """On another device, where the list of pairs is made too."""
        if self._there is None or not self._there.serves(system, self.potential):
            self.lists_made += 1
            self._there = DeviceList(system, self.potential, self.skin)
        batch, repeated = self._there.batch(system), self._repeated[stress]
        if not (self.repeat and repeated.takes(self._there.pairs)):
            return _outcome(self.potential(batch, forces=True, stress=stress).on_host())
        energies, atoms, *rest = repeated.of(self._there.key, batch)
        assert energies is not None and atoms is not None
        return _outcome(Prediction(energies, atoms, *rest).on_host())

    def _record(self, system: System, vectors: np.ndarray, stress: bool) -> Outcome:
        """The ordinary outcome; and a recording for later calls, if it says the same."""
        outcome = self._ordinary(system, vectors, stress)
        while self.repeat and outcome.finite:
            potential = self._for_recording()
            deviation = self._try(potential, system, vectors, stress, outcome)
            if deviation is None:
                break
            if potential is self.potential:
                self.repeat = False
            self.splines = False
            _log.debug("no recording: %s", deviation)
        return outcome

    def _for_recording(self) -> Potential:
        """The potential with tables, or as it is where it has none."""
        if self.splines and self._faster is None:
            try:
                self._faster = self.potential.tabulated()
            except (RepresentationError, NumberError) as error:
                self.splines = False
                _log.debug("no splines: %s", error)
        return self._faster if self.splines and self._faster is not None else self.potential

    def _try(
        self,
        potential: Potential,
        system: System,
        vectors: np.ndarray,
        stress: bool,
        expected: Outcome,
    ) -> str | None:
        """Record, and keep the recording if it gives what is expected; else what is wrong."""
        batch = self._batch(system, torch.empty(0, dtype=self._dtype), np.ones(len(vectors), bool))

        def evaluate(half: Tensor) -> Prediction:
            now = replace(batch, vectors=torch.cat([half, -half]))
            return potential(now, forces=True, stress=stress)

        half = torch.from_numpy(vectors)
        try:
            recording = record(evaluate, half.to(self._dtype))
        except BackendError as error:
            return str(error)
        said = _outcome(recording(half))
        wrong = disagreement(said.forces, expected.forces, torch.finfo(self._dtype).eps)
        if wrong is None:
            self._recordings[stress] = recording
        return wrong

    @property
    def _dtype(self) -> torch.dtype:
        return self.potential.dtype

    def _batch(self, system: System, vectors: Tensor, chosen: np.ndarray) -> Batch:
        assert self._list is not None
        half = self._list.half
        edges = np.stack([half.senders[chosen], half.receivers[chosen]])
        both = torch.from_numpy(np.concatenate([edges, edges[::-1]], axis=1))
        return unlabelled(system, self._species, vectors, both)


def _outcome(said: Prediction) -> Outcome:
    """The prediction for one system, in memory of its own."""
    assert said.forces is not None  # always asked for
    return Outcome(
        float(said.energies),
        said.atom_energies.numpy().copy(),
        said.forces.numpy().astype(np.float64),
        None if said.stresses is None else said.stresses[0].numpy().copy(),
    )
