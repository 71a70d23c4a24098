"""From one format to another, and from one file to three, with every number kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from .census import Census
from .frame import Frame, FrameSource
from .labels import Labeller
from .sources import files_in, open_source, write_any
from .split import split_groups

SETS = ("train", "valid", "test")


class Tally:
    """Frames on their way, with what is in them counted.

    Example:
        >>> tally = Tally()
        >>> frame = Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6})
        >>> len(list(tally.through([frame]))), tally.lines()
        (1, ['1 frames, 1 atoms', 'energy in 1 frames'])
    """

    def __init__(self) -> None:
        self.frames, self.atoms = 0, 0
        self.names: Counter[str] = Counter()

    def through(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames."""
        for frame in frames:
            self.frames += 1
            self.atoms += len(frame.numbers)
            self.names.update([*frame.info, *frame.arrays])
            yield frame

    def lines(self) -> list[str]:
        """What was seen, as sentences."""
        names = [f"{name} in {count} frames" for name, count in sorted(self.names.items())]
        return [f"{self.frames} frames, {self.atoms} atoms", *names]


def convert(sources: Sequence[Path], target: Path, force: bool = False) -> tuple[Tally, list[str]]:
    """Writes the frames of some files into one, in the format of its ending.

    Args:
        sources: files of any format.
        target: `.xyz`, `.extxyz`, `.db`, `.json`, `.aselmdb` or `.lmdb`.
        force: whether an existing file may be replaced.

    Returns:
        What was written, and what of the files was dropped, as sentences.

    Raises:
        DataError: a file that cannot be read or written, or that exists.
    """
    refuse_existing([target], force)
    tally, notes = Tally(), list[str]()
    dropped: Counter[str] = Counter()

    def frames() -> Iterator[Frame]:
        for path in files_in(sources):
            source = open_source(path)
            notes.extend([source.note] if source.note else [])
            yield from (_writable(frame, dropped) for frame in source)
            source.close()

    write_any(target, tally.through(frames()))
    lost = [f"dropped {name} of {n} frames: no number or text" for name, n in dropped.items()]
    return tally, notes + lost


def _writable(frame: Frame, dropped: Counter[str]) -> Frame:
    """The frame without what no format has a form for."""
    strange = [name for name, value in frame.info.items() if not _has_form(value)]
    dropped.update(strange)
    info = {name: value for name, value in frame.info.items() if name not in strange}
    return Frame(
        frame.numbers,
        frame.positions,
        info,
        frame.arrays,
        frame.cell,
        frame.pbc,
        frame.path,
        frame.index,
        frame.line,
    )


def _has_form(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiubU" and value.size > 0
    return isinstance(value, bool | int | float | str | np.generic)


def refuse_existing(targets: Iterable[Path], force: bool) -> None:
    """Stops where a file would be replaced without leave.

    Raises:
        DataError: naming the files.
    """
    present = [str(target) for target in targets if target.exists()]
    if present and not force:
        raise DataError(
            "a file would be replaced",
            got=", ".join(present),
            expected="names that are free",
            remedy="choose another name, or replace it with --force",
        )


def split_file(
    sources: Sequence[Path],
    targets: Mapping[str, Path],
    *,
    valid: float,
    test: float,
    seed: int,
    group: str | None = None,
    force: bool = False,
) -> dict[str, int]:
    """Writes the frames of some files into a training, a validation and a test file.

    Fractions hold within each `config_type`. Frames of equal geometry go into one set, and all
    frames of a `group` too (the name of a trajectory, say). Isolated atoms train.

    Args:
        sources: files of any format.
        targets: the file of each of `SETS` that is wanted.
        valid, test: fractions.
        seed: the same seed gives the same files.
        group: name of a value in the frames; those that have it alike stay together.
        force: whether existing files may be replaced.

    Returns:
        The number of frames of each set.

    Raises:
        DataError: too few frames, a group that no frame names, a file that exists or cannot be
            read or written.
    """
    refuse_existing(targets.values(), force)
    census, labels, opened = Census(), list[str](), list[FrameSource]()
    labeller = Labeller()
    for path in files_in(sources):
        opened.append(open_source(path))
        for frame in opened[-1]:
            census.add(labeller.system(frame))
            labels.append("" if group is None else str(frame.info.get(group, "")))
    if group is not None and not any(labels):
        raise DataError(f"no frame has a {group}", expected="the name of a value in the frames")
    frames = census.molecules
    parts = split_groups(
        _joined(census.fingerprints[frames], np.array(labels)[frames]),
        valid=valid,
        test=test,
        seed=seed,
        strata=census.types[frames],
    )
    member = np.zeros(len(census), dtype=np.int64)
    for number, name in enumerate(SETS):
        member[frames[getattr(parts, name)]] = number
    for name, target in targets.items():
        chosen = member == SETS.index(name)
        everything = (frame for source in opened for frame in source)
        write_any(target, (f for f, keep in zip(everything, chosen, strict=True) if keep))
    return {name: int((member == SETS.index(name)).sum()) for name in targets}


def _joined(fingerprints: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One number for all frames that equal geometry or an equal label links, however indirectly.

    A frame without a label is linked by geometry alone.
    """
    root = np.arange(len(labels))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = int(root[index])
        return index

    for values, counted in ((fingerprints, np.ones(len(labels), bool)), (labels, labels != "")):
        first: dict[object, int] = {}
        for index in np.flatnonzero(counted).tolist():
            other = first.setdefault(values[index].item(), index)
            root[find(index)] = find(other)
    return np.array([find(index) for index in range(len(labels))])
