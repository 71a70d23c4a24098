"""What is known of each frame after one pass: numbers in columns, no positions and no forces."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable

import numpy as np

from .isolated import is_isolated_atom
from .system import System


class Census:
    """One row a frame, of about 100 bytes, so that data sets larger than memory can be judged.

    Everything that is decided on a whole data set (E0, scale and shift, the split, duplicates,
    elements) is computed from these columns, whether the frames stay in memory or on disk; the
    results are therefore the same to the last bit.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 0.74]], energy=-31.0)
        >>> census = Census.of([h2, h2])
        >>> len(census), census.energies.tolist(), census.elements(np.arange(2))
        (2, [-31.0, -31.0], [1])
    """

    def __init__(self) -> None:
        self.isolated: list[System] = []
        self.compositions: list[dict[int, int]] = []
        self.config_types: list[str] = []
        self._composition_ids: dict[tuple[int, ...], int] = {}
        self._type_ids: dict[str, int] = {}
        self._energies, self._squares = array("d"), array("d")
        self._sizes, self._pairs, self._components = array("q"), array("q"), array("q")
        self._composition, self._type = array("i"), array("i")
        self._fingerprints = array("Q")
        self._alone, self._stressed = array("b"), array("b")
        self._origins, self._ends = bytearray(), array("q")

    @classmethod
    def of(cls, systems: Iterable[System]) -> Census:
        """The census of some systems, without their neighbours."""
        census = cls()
        for system in systems:
            census.add(system)
        return census

    def add(self, system: System, pairs: int = 0) -> None:
        """Takes down a frame.

        Args:
            system: the frame.
            pairs: how many directed pairs of neighbours it has.
        """
        alone = is_isolated_atom(system)
        if alone:
            self.isolated.append(system)
        self._alone.append(alone)
        self._energies.append(np.nan if system.energy is None else system.energy)
        self._sizes.append(len(system))
        self._pairs.append(pairs)
        self._composition.append(self._composition_of(system))
        self._type.append(self._type_of(system.config_type))
        self._fingerprints.append(fingerprint(system))
        forces = system.forces
        self._components.append(0 if forces is None else forces.size)
        self._squares.append(0.0 if forces is None else float(np.square(forces).sum()))
        self._stressed.append(system.stress is not None)
        self._origins += system.origin.encode()
        self._ends.append(len(self._origins))

    def _composition_of(self, system: System) -> int:
        numbers, counts = np.unique(system.numbers, return_counts=True)
        key = (*numbers.tolist(), *counts.tolist())
        if key not in self._composition_ids:
            self._composition_ids[key] = len(self.compositions)
            pairs = zip(numbers.tolist(), counts.tolist(), strict=True)
            self.compositions.append(dict(pairs))
        return self._composition_ids[key]

    def _type_of(self, name: str) -> int:
        if name not in self._type_ids:
            self._type_ids[name] = len(self.config_types)
            self.config_types.append(name)
        return self._type_ids[name]

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def energies(self) -> np.ndarray:
        """(frames,) eV; NaN where unknown."""
        return np.array(self._energies)

    @property
    def sizes(self) -> np.ndarray:
        """(frames,) numbers of atoms."""
        return np.array(self._sizes, dtype=np.int64)

    @property
    def pairs(self) -> np.ndarray:
        """(frames,) directed pairs of neighbours."""
        return np.array(self._pairs, dtype=np.int64)

    @property
    def composition(self) -> np.ndarray:
        """(frames,) index in `compositions`."""
        return np.array(self._composition, dtype=np.int64)

    @property
    def types(self) -> np.ndarray:
        """(frames,) index in `config_types`."""
        return np.array(self._type, dtype=np.int64)

    @property
    def fingerprints(self) -> np.ndarray:
        """(frames,) equal for equal geometries."""
        return np.array(self._fingerprints, dtype=np.uint64)

    @property
    def force_squares(self) -> np.ndarray:
        """(frames,) Σ of squared force components, (eV/Å)²."""
        return np.array(self._squares)

    @property
    def force_components(self) -> np.ndarray:
        """(frames,) how many force components are known."""
        return np.array(self._components, dtype=np.int64)

    @property
    def stressed(self) -> np.ndarray:
        """(frames,) whether a stress is known."""
        return np.array(self._stressed, dtype=bool)

    @property
    def molecules(self) -> np.ndarray:
        """Indices of the frames that are no isolated atoms."""
        return np.flatnonzero(np.array(self._alone) == 0)

    def type_counts(self) -> list[int]:
        """How many frames each of `config_types` has."""
        return np.bincount(self.types, minlength=len(self.config_types)).tolist()

    def origin(self, frame: int) -> str:
        """Where a frame was read."""
        start = self._ends[frame - 1] if frame else 0
        return self._origins[start : self._ends[frame]].decode()

    def origins(self, frames: np.ndarray) -> tuple[str, ...]:
        """Where some frames were read."""
        return tuple(self.origin(int(frame)) for frame in frames)

    def elements(self, frames: np.ndarray) -> list[int]:
        """Atomic numbers that occur in some frames, ascending."""
        used = np.unique(self.composition[frames])
        return sorted({z for index in used for z in self.compositions[int(index)]})


def fingerprint(system: System) -> int:
    """A number equal for frames whose elements, positions and cell agree to 1e-6 Å.

    64 bits of a hash: among a million different frames two agree by chance once in 3e7 data sets.
    """
    rounded = [np.round(a, 6) + 0.0 for a in (system.positions, system.cell)]
    data = b"".join(a.tobytes() for a in [system.numbers, *rounded, system.pbc])
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
