"""From files to data sets that can be trained on, with everything said that was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from ..errors import DataError
from .batch import AtomicDataset
from .config import DataConfig
from .elements import SYMBOLS
from .findings import Finding, require
from .frame import Frame
from .labels import is_isolated_atom, label_frames
from .preflight import inspect, inspect_split, lonely_atoms
from .reference import ReferenceEnergies, reference_energies
from .sources import read_frames
from .split import Split, split_systems
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
    """

    split: Split
    reference: ReferenceEnergies
    scale: float
    shift: float
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def datasets(
        self, cutoff: float, dtype: torch.dtype, elements: Sequence[int] | None = None
    ) -> dict[str, AtomicDataset]:
        """The three sets with neighbour lists for a cutoff.

        Args:
            cutoff: Å.
            dtype: number type of vectors and forces.
            elements: those that the model knows; by default those of the data.
        """
        parts = {"train": self.split.train, "valid": self.split.valid, "test": self.split.test}
        elements = self.reference.elements if elements is None else elements
        return {
            name: AtomicDataset(systems, elements, cutoff, dtype) for name, systems in parts.items()
        }


def prepare(config: DataConfig, cutoff: float, seed: int) -> Prepared:
    """Reads, inspects, splits and measures the data of a run.

    Args:
        config: files, label names, fractions, allowed findings.
        cutoff: of the model, Å; atoms without a neighbour within it are reported.
        seed: of the split.

    Raises:
        DataError: files that cannot be read, or data that would ruin a model.
    """
    notes: list[str] = []
    findings: list[Finding] = []
    parts: dict[str, list[System]] = {}
    for name in ("train", "valid", "test"):
        parts[name] = read_systems(getattr(config, name), config, name, notes, findings)
    everything = list(chain.from_iterable(parts.values()))
    lone = [system for system in everything if is_isolated_atom(system)]
    parts = {k: [s for s in v if not is_isolated_atom(s)] for k, v in parts.items()}
    if not parts["train"]:
        raise DataError(
            "there is nothing to train on",
            got=f"{len(lone)} isolated atoms and no larger structure",
            expected="structures with energies and forces",
        )
    split = _split(parts, config, seed, notes)
    findings += inspect_split(split)
    require(findings, config.allow)
    reference = reference_energies(split.train, lone)
    notes.append(reference.describe())
    findings += lonely_atoms(split.train, cutoff)
    findings += inspect([*split.train, *split.valid, *split.test], reference)
    require(findings, config.allow)
    scale, shift = scale_and_shift(split.train, reference)
    return Prepared(split, reference, scale, shift, notes, findings)


def read_systems(
    paths: Sequence[Path],
    config: DataConfig,
    name: str,
    notes: list[str],
    findings: list[Finding],
) -> list[System]:
    """The systems of some files, which notes and findings are added for."""
    if not paths:
        return []
    systems, report = label_frames(_all_frames(paths), config.keys())
    notes += [f"{name}: {line}" for line in report.lines() if not line.endswith("absent")]
    findings += report.findings
    return systems


def _all_frames(paths: Iterable[Path]) -> Iterable[Frame]:
    return chain.from_iterable(read_frames(path) for path in paths)


def _split(
    parts: dict[str, list[System]], config: DataConfig, seed: int, notes: list[str]
) -> Split:
    drawn = split_systems(
        parts["train"],
        valid=0.0 if parts["valid"] else _valid_fraction(config, len(parts["train"])),
        test=0.0 if parts["test"] else config.test_fraction,
        seed=seed,
    )
    split = Split(drawn.train, parts["valid"] or drawn.valid, parts["test"] or drawn.test)
    sizes = ", ".join(f"{len(getattr(split, n))} {n}" for n in ("train", "valid", "test"))
    how = "at random" if not (parts["valid"] and parts["test"]) else "by file"
    notes.append(f"split {how} (seed {seed}): {sizes}")
    return split


def _valid_fraction(config: DataConfig, frames: int) -> float:
    """What `DataConfig` says: too few frames choose the parameters badly, too many cost time."""
    if config.valid_fraction is not None:
        return config.valid_fraction
    return min(max(0.05 * frames, min(5.0, frames / 6)), 500.0) / frames


def scale_and_shift(systems: Sequence[System], reference: ReferenceEnergies) -> tuple[float, float]:
    """Typical size and mean of an atom's energy, as `Prepared` describes them.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 1]], energy=-3.0, forces=[[0, 0, 2], [0, 0, -2]])
        >>> scale, shift = scale_and_shift([h2], ReferenceEnergies({1: -1.0}, "given"))
        >>> round(scale, 4), shift
        (1.1547, -0.5)
    """
    labelled = [s for s in systems if s.energy is not None]
    rest = [(float(s.energy or 0.0) - reference.total(s)) / len(s) for s in labelled]
    shift = float(np.mean(rest)) if rest else 0.0
    forces = [s.forces for s in systems if s.forces is not None]
    if forces:
        scale = float(np.sqrt(np.mean(np.square(np.concatenate(forces)))))
    else:
        scale = float(np.std(rest)) if rest else 1.0
    return (scale if scale > 1e-6 else 1.0), shift


def describe_elements(systems: Sequence[System]) -> str:
    """Which elements occur, with their numbers of atoms."""
    numbers, counts = np.unique(np.concatenate([s.numbers for s in systems]), return_counts=True)
    return ", ".join(f"{SYMBOLS[int(z)]} {n}" for z, n in zip(numbers, counts, strict=True))
