"""`schur data convert` and `schur data split`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..atoms.conversion import SETS, convert, split_file
from ..errors import DataError
from .tables import console, say_notes


def run_convert(words: Sequence[Path], force: bool) -> None:
    """Writes the frames of all files but the last into the last.

    Raises:
        DataError: a file that cannot be read or written, or that exists.
    """
    if len(words) < 2:
        raise DataError(
            "it is not clear what to convert into what",
            got=" ".join(str(word) for word in words),
            expected="files to read, and last the file to write",
        )
    *sources, target = words
    tally, notes = convert(sources, target, force)
    say_notes(console(), [*notes, *tally.lines(), f"wrote {target}"])


def run_split(
    files: Sequence[Path],
    output: Path | None,
    *,
    valid: float,
    test: float,
    seed: int,
    group: str | None,
    force: bool,
) -> None:
    """Writes a training, a validation and a test file beside the first file, or into a folder.

    Raises:
        DataError: fractions that leave nothing, or files that cannot be used.
    """
    if not (0 <= valid < 1 and 0 <= test < 1 and 0 < valid + test < 1):
        raise DataError(
            "these fractions cannot be held out",
            got=f"valid {valid}, test {test}",
            expected="each from 0 to 1, and less than 1 together",
        )
    folder = files[0].parent if output is None else output
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {"train": 1.0, "valid": valid, "test": test}
    first = files[0]
    targets = {
        name: folder / f"{first.stem}-{name}{first.suffix}" for name in SETS if wanted[name] > 0
    }
    counts = split_file(files, targets, valid=valid, test=test, seed=seed, group=group, force=force)
    say_notes(
        console(), [f"{name}: {counts[name]} frames in {path}" for name, path in targets.items()]
    )
