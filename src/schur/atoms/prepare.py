"""From files to data sets that can be trained on, with everything said that was decided."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from ..errors import DataError
from .batch import AtomicDataset
from .census import Census
from .config import DataConfig
from .elements import SYMBOLS
from .findings import Finding, require
from .frame import FrameSource
from .labels import Labeller
from .preflight import Inspection, inspect_parts
from .reference import ReferenceEnergies, reference_of
from .sources import files_in, open_source
from .split import Parts, Split, split_groups
from .streaming import StreamedSystems, stream_wanted
from .system import System


@dataclass(frozen=True)
class Prepared:
    """Data as a run needs them.

    Args:
        split: labelled systems.
        reference: E0.
        scale: eV; root mean square of the force components (of the energies per atom about their
            mean where there are no forces), the natural size of an atom's energy.
        shift: eV; mean of (E - ΣE0) per atom over the training set.
        notes: what was read and decided, as sentences.
        findings: what an inspection found.
        cutoff: Å, that `pairs` were counted within.
        pairs: directed pairs of neighbours in each set.
        memory: bytes of streamed frames that may be kept at hand, for each set.
        digest: of geometries and labels and of which set they are in; a run that is resumed
            needs the same.
    """

    split: Split
    reference: ReferenceEnergies
    scale: float
    shift: float
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    cutoff: float | None = None
    pairs: Mapping[str, int] = field(default_factory=dict)
    memory: int = 10**9
    digest: str = ""

    def datasets(
        self, cutoff: float, dtype: torch.dtype, elements: Sequence[int] | None = None
    ) -> dict[str, AtomicDataset]:
        """The three sets with neighbour lists for a cutoff.

        Args:
            cutoff: Å.
            dtype: number type of vectors and forces.
            elements: those that the model knows; by default those of the data.
        """
        elements = self.reference.elements if elements is None else elements
        sets = {}
        for name in _PARTS:
            pairs = self.pairs.get(name) if cutoff == self.cutoff else None
            systems = getattr(self.split, name)
            sets[name] = AtomicDataset(systems, elements, cutoff, dtype, self.memory, pairs)
        return sets


def prepare(config: DataConfig, cutoff: float, seed: int) -> Prepared:
    """Reads, inspects, splits and measures the data of a run, in one pass through the files.

    Args:
        config: files, label names, fractions, allowed findings, whether frames stay on disk.
        cutoff: of the model, Å; atoms without a neighbour within it are reported.
        seed: of the split.

    Raises:
        DataError: files that cannot be read, or data that would ruin a model.
    """
    notes: list[str] = []
    findings: list[Finding] = []
    paths = {name: files_in(getattr(config, name)) for name in _PARTS}
    streamed = stream_wanted(config.stream, list(chain.from_iterable(paths.values())))
    store = FrameStore(config.keys(), cutoff, streamed)
    given = {name: store.read(paths[name], name, notes, findings) for name in _PARTS}
    if streamed:
        notes.append(f"frames stay on disk; up to {config.cache_gb:g} GB of them are kept at hand")
    census = store.inspection.census
    if not len(given["train"]):
        raise DataError(
            "there is nothing to train on",
            got=f"{len(census.isolated)} isolated atoms and no larger structure",
            expected="structures with energies and forces",
        )
    parts = _split(given, census, config, seed, notes)
    findings += inspect_parts(census, parts)
    require(findings, config.allow)
    reference = reference_of(census, parts.train)
    notes.append(reference.describe())
    findings += store.inspection.findings(reference)
    require(findings, config.allow)
    scale, shift = scale_and_shift(census, parts.train, reference)
    split = Split(*(store.systems(getattr(parts, name)) for name in _PARTS))
    pairs = {name: int(census.pairs[getattr(parts, name)].sum()) for name in _PARTS}
    memory = int(config.cache_gb * 1e9)
    digest = _digest(census, parts)
    return Prepared(split, reference, scale, shift, notes, findings, cutoff, pairs, memory, digest)


def _digest(census: Census, parts: Parts) -> str:
    """From the columns of the census, so that frames on disk are not read again."""
    found = hashlib.sha256()
    for name in _PARTS:
        which = getattr(parts, name)
        for column in (census.fingerprints, census.energies, census.force_squares):
            found.update(np.ascontiguousarray(column[which]).tobytes())
        found.update(name.encode())
    return found.hexdigest()[:16]


_PARTS = ("train", "valid", "test")


class FrameStore:
    """Frames of all files in one numbering, in memory or on disk, looked at once.

    Args:
        keys: label names that were given.
        cutoff: for the inspection, Å.
        streamed: whether frames stay on disk.
    """

    def __init__(
        self, keys: Mapping[str, Sequence[str]], cutoff: float | None, streamed: bool
    ) -> None:
        self.inspection = Inspection(cutoff)
        self.streamed = streamed
        self._keys, self._kept = keys, list[System]()
        self._sources, self._starts = list[FrameSource](), [0]

    def read(
        self, paths: Iterable[Path], name: str, notes: list[str], findings: list[Finding]
    ) -> np.ndarray:
        """Reads the files of a set, which notes and findings are added for.

        Returns:
            The numbers of its frames, without isolated atoms.
        """
        labeller = Labeller(self._keys)
        census = self.inspection.census
        begin = len(census)
        for path in paths:
            source = open_source(path)
            for frame in source:
                system = labeller.label(frame)
                self.inspection.see(system)
                if not self.streamed:
                    self._kept.append(system)
            self._sources.append(source)
            self._starts.append(len(census))
            notes += [source.note] if source.note else []
        if len(census) > begin:
            report = labeller.report()
            notes += [f"{name}: {line}" for line in report.lines() if not line.endswith("absent")]
            findings += report.findings
        return census.molecules[census.molecules >= begin]

    def systems(self, frames: np.ndarray) -> Sequence[System]:
        """Systems of these numbers, in this order."""
        if not self.streamed:
            return [self._kept[int(frame)] for frame in frames]
        census, labeller = self.inspection.census, Labeller(self._keys)
        return StreamedSystems(
            self._sources,
            self._starts,
            frames,
            labeller,
            census.sizes[frames],
            census.stressed[frames],
        )


def _split(
    given: Mapping[str, np.ndarray],
    census: Census,
    config: DataConfig,
    seed: int,
    notes: list[str],
) -> Parts:
    train = given["train"]
    drawn = split_groups(
        census.fingerprints[train],
        valid=0.0 if len(given["valid"]) else _valid_fraction(config, len(train)),
        test=0.0 if len(given["test"]) else config.test_fraction,
        seed=seed,
    )
    valid = given["valid"] if len(given["valid"]) else train[drawn.valid]
    test = given["test"] if len(given["test"]) else train[drawn.test]
    parts = Parts(train[drawn.train], valid, test)
    sizes = ", ".join(f"{len(getattr(parts, n))} {n}" for n in _PARTS)
    by_file = len(given["valid"]) and len(given["test"])
    notes.append(f"split {'by file' if by_file else 'at random'} (seed {seed}): {sizes}")
    return parts


def _valid_fraction(config: DataConfig, frames: int) -> float:
    """What `DataConfig` says: too few frames choose the parameters badly, too many cost time."""
    if config.valid_fraction is not None:
        return config.valid_fraction
    return min(max(0.05 * frames, min(5.0, frames / 6)), 500.0) / frames


def scale_and_shift(
    census: Census, frames: np.ndarray, reference: ReferenceEnergies
) -> tuple[float, float]:
    """Typical size and mean of an atom's energy in some frames, as `Prepared` describes them.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 1]], energy=-3.0, forces=[[0, 0, 2], [0, 0, -2]])
        >>> found = scale_and_shift(
        ...     Census.of([h2]), np.array([0]), ReferenceEnergies({1: -1.0}, "given")
        ... )
        >>> round(found[0], 4), found[1]
        (1.1547, -0.5)
    """
    labelled = frames[np.isfinite(census.energies[frames])]
    totals = np.array(
        [sum(reference.values.get(z, 0.0) * n for z, n in f.items()) for f in census.compositions]
    )
    rest = census.energies[labelled] - totals[census.composition[labelled]]
    rest = rest / census.sizes[labelled]
    shift = float(np.mean(rest)) if len(rest) else 0.0
    components = int(census.force_components[frames].sum())
    if components:
        scale = float(np.sqrt(census.force_squares[frames].sum() / components))
    else:
        scale = float(np.std(rest)) if len(rest) else 1.0
    return (scale if scale > 1e-6 else 1.0), shift


def describe_elements(census: Census) -> str:
    """Which elements occur, with their numbers of atoms."""
    frames = np.bincount(census.composition, minlength=len(census.compositions))
    atoms: Counter[int] = Counter()
    for formula, count in zip(census.compositions, frames.tolist(), strict=True):
        atoms.update({z: n * count for z, n in formula.items()})
    return ", ".join(f"{SYMBOLS[z]} {atoms[z]}" for z in sorted(atoms))
