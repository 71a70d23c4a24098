"""Extended XYZ, read as it stands in the file.

The format has a line with the number of atoms, a line of `key=value` words, and one line an atom
whose columns the word `Properties` names. The reader keeps every word and column under the name
that the file gives it. (ASE's reader moves `energy`, `forces` and `stress` into a calculator,
where a constraint sets forces to zero and keys of different origin are merged.)

Source: the extended XYZ specification, https://github.com/libAtoms/extxyz.
"""

from __future__ import annotations

import io
import os
from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from ..errors import DataError
from .comment_line import TRUE_WORDS, parse_comment, quoted, word
from .elements import SYMBOLS, atomic_number
from .frame import Frame, FrameSource
from .whole_file import whole_file

_PLAIN_COLUMNS = "species:S:1:pos:R:3"
_KINDS = {"S": np.str_, "R": np.float64, "I": np.int64, "L": np.bool_}


def read_extxyz(path: str | os.PathLike[str]) -> Iterator[Frame]:
    """Reads the frames of an extended XYZ file one after another.

    Args:
        path: the file. Plain XYZ is read too.

    Raises:
        DataError: a file that is not there, holds no frame, is cut off or malformed; the message
            names the frame and the line.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "h.xyz"
        >>> _ = path.write_text('1\\nenergy=-13.6 pbc="F F F"\\nH 0.0 0.0 0.0\\n')
        >>> [frame.info["energy"] for frame in read_extxyz(path)]
        [-13.6]
    """
    name = os.fspath(path)
    with io.TextIOWrapper(_opened(name), encoding="utf-8", newline="\n") as stream:
        index, line = 0, 1
        while True:
            try:
                head = stream.readline()
            except UnicodeDecodeError as error:
                raise _not_text(f"{name}, line {line}", error) from None
            if not head:
                break
            if not head.strip():
                line += 1
                continue
            try:
                frame, used = _frame(stream, head, name, index, line)
            except UnicodeDecodeError as error:
                raise _not_text(f"{name}, frame {index} (line {line})", error) from None
            yield frame
            index, line = index + 1, line + used
    if index == 0:
        raise DataError("the file holds no frame", got=name, remedy="check that it is not empty")


def _opened(name: str) -> io.BufferedReader:
    try:
        return open(name, "rb")
    except OSError as error:
        raise DataError(
            "the file of structures cannot be opened",
            got=f"{name}: {error.strerror}",
            expected="a file in extended XYZ format",
        ) from error


def _not_text(place: str, error: UnicodeDecodeError) -> DataError:
    return DataError(
        f"{place} is no text",
        got=f"byte {error.object[error.start]:#04x}",
        expected="extended XYZ in UTF-8",
        remedy="the file may be damaged, compressed or of another format",
    )


def _count(head: str, place: str, line: int) -> int:
    try:
        count = int(head)
    except ValueError:
        count = -1
    if count < 0:
        raise DataError(
            f"{place} does not begin with its number of atoms (line {line})",
            got=repr(head.strip()[:60]),
            expected="a whole number alone on its line",
            remedy="a frame before it may have more or fewer lines than it says",
        )
    return count


def _frame(stream: io.TextIOBase, head: str, path: str, index: int, line: int) -> tuple[Frame, int]:
    place = f"{path}, frame {index}"
    count = _count(head, place, line)
    comment = stream.readline()
    rows = [stream.readline() for _ in range(count)]
    present = sum(1 for row in rows if row)
    if not comment or present < count:
        raise DataError(
            f"{place} is cut off (it starts at line {line})",
            got=f"{present} of {count} atoms before the file ends",
            expected=f"{count} lines of atoms",
            remedy="the file was not written to its end: copy or make it again, or delete the "
            f"lines from {line} on",
        )
    info = parse_comment(comment, f"{place} (line {line + 1})")
    if "Properties" in info and rows and not rows[-1].endswith("\n"):
        raise DataError(
            f"{place} is cut off (it starts at line {line})",
            got=f"no end of line after {rows[-1][-40:]!r}: its last number may lack digits",
            expected="a last line that ends",
            remedy="copy or make the file again; if it is whole, put an end of line behind it",
        )
    columns = _columns(info.pop("Properties", _PLAIN_COLUMNS), f"{place} (line {line + 1})")
    arrays = _arrays(rows, columns, place, line + 2)
    cell, pbc = _box(info, f"{place} (line {line + 1})")
    numbers = _numbers(arrays, f"{place} (line {line})")
    positions = arrays.pop("pos", None)
    if positions is None:
        raise DataError(f"{place} (line {line}) has no positions", expected="a column pos:R:3")
    return Frame(numbers, positions, info, arrays, cell, pbc, path, index, line), count + 2


def _columns(properties: object, place: str) -> list[tuple[str, str, int]]:
    words = str(properties).split(":")
    triples = [tuple(words[i : i + 3]) for i in range(0, len(words), 3)]
    good = all(len(t) == 3 and t[1] in _KINDS and t[2].isdigit() for t in triples)
    if not good:
        raise DataError(
            f"{place}: the word Properties cannot be read",
            got=repr(properties),
            expected="name:kind:columns, again and again, with kind one of S R I L",
        )
    return [(name, kind, int(width)) for name, kind, width in triples]


def _arrays(
    rows: list[str], columns: list[tuple[str, str, int]], place: str, line: int
) -> dict[str, np.ndarray]:
    width = sum(column[2] for column in columns)
    table = [row.split() for row in rows]
    for offset, words in enumerate(table):
        if len(words) != width:
            raise DataError(
                f"{place}: line {line + offset} has the wrong number of columns",
                got=f"{len(words)} columns: {rows[offset].strip()[:60]!r}",
                expected=f"{width} columns: " + " ".join(f"{n}:{k}:{w}" for n, k, w in columns),
                remedy="the file may be cut off or damaged here",
            )
    arrays: dict[str, np.ndarray] = {}
    start = 0
    for name, kind, size in columns:
        cells = [words[start : start + size] for words in table]
        arrays[name] = _column(cells, name, kind, size, place, line)
        start += size
    return arrays


def _column(
    cells: list[list[str]], name: str, kind: str, size: int, place: str, line: int
) -> np.ndarray:
    if kind == "L":
        array = np.array([[cell in TRUE_WORDS for cell in row] for row in cells], dtype=bool)
    else:
        try:
            array = np.array(cells, dtype=_KINDS[kind])
        except ValueError:
            array = _blame(cells, name, kind, place, line)
    array = array.reshape(len(cells), size)
    return array[:, 0] if size == 1 else array


def _blame(cells: list[list[str]], name: str, kind: str, place: str, line: int) -> np.ndarray:
    """Finds the word that is no number, so that the message can name its line."""
    number = float if kind == "R" else int
    for offset, row in enumerate(cells):
        for cell in row:
            try:
                number(cell)
            except ValueError:
                raise DataError(
                    f"{place}: line {line + offset} holds a word that is no number",
                    got=f"{cell!r} in column {name}",
                    expected="a number such as -1.25 or 3e-4",
                ) from None
    return np.array([[number(cell) for cell in row] for row in cells])


def _box(info: dict[str, Any], place: str) -> tuple[np.ndarray | None, tuple[bool, bool, bool]]:
    lattice = info.pop("Lattice", None)
    cell = None
    if lattice is not None:
        try:
            cell = np.array(lattice, dtype=np.float64).reshape(3, 3)
        except ValueError:
            raise DataError(
                f"{place}: the word Lattice cannot be read",
                got=repr(lattice),
                expected='nine numbers: Lattice="ax ay az bx by bz cx cy cz"',
            ) from None
    given = info.pop("pbc", cell is not None)
    flags = np.asarray(given).reshape(-1)
    if flags.dtype != bool or flags.size not in (1, 3):
        raise DataError(
            f"{place}: the word pbc cannot be read", got=repr(given), expected='pbc="T T F"'
        )
    a, b, c = (bool(flag) for flag in np.broadcast_to(flags, 3))
    return cell, (a, b, c)


def _numbers(arrays: dict[str, np.ndarray], place: str) -> np.ndarray:
    if "species" in arrays:
        try:
            return np.array([atomic_number(str(symbol)) for symbol in arrays.pop("species")], int)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
    if "Z" in arrays:
        return np.asarray(arrays.pop("Z"), dtype=np.int64)
    raise DataError(f"{place} does not say which atoms it has", expected="a column species:S:1")


class ExtxyzSource(FrameSource):
    """An extended XYZ file whose frames are read on demand.

    The first access by number reads through the file once and remembers where each frame begins
    (8 bytes a frame); going through it in order needs no such index.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "h.xyz"
        >>> _ = path.write_text("1\\n\\nH 0 0 0\\n1\\n\\nO 0 0 0\\n")
        >>> source = ExtxyzSource(path)
        >>> len(source), source[1].origin
        (2, 'h.xyz frame 1 (line 4)')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._index: tuple[array[int], array[int]] | None = None

    def __len__(self) -> int:
        return len(self._places()[0]) - 1

    def __iter__(self) -> Iterator[Frame]:
        return read_extxyz(self.path)

    def _frame(self, index: int) -> Frame:
        offsets, lines = self._places()
        with _opened(self.path) as file:
            file.seek(offsets[index])
            text = file.read(offsets[index + 1] - offsets[index]).decode("utf-8")
        stream = io.StringIO(text)
        return _frame(stream, stream.readline(), self.path, index, lines[index])[0]

    def _places(self) -> tuple[array[int], array[int]]:
        if self._index is None:
            self._index = _index(self.path)
        return self._index


def _index(path: str) -> tuple[array[int], array[int]]:
    """Where each frame begins, in bytes, with the end behind them; and in lines."""
    offsets, lines = array("q"), array("q")
    position, line = 0, 1
    with _opened(path) as stream:
        for head in stream:
            if not head.strip():
                position, line = position + len(head), line + 1
                continue
            offsets.append(position)
            lines.append(line)
            count = _count(head.decode("utf-8", "replace"), f"{path}, frame {len(lines) - 1}", line)
            position += len(head) + sum(map(len, islice(stream, count + 1)))
            line += count + 2
    if not lines:
        raise DataError("the file holds no frame", got=path, remedy="check that it is not empty")
    offsets.append(position)
    return offsets, lines


def write_frames(path: str | os.PathLike[str], frames: Iterable[Frame]) -> None:
    """Writes frames as extended XYZ; numbers are written so that reading returns the same.

    Raises:
        DataError: the file cannot be written; one that was there before is then unchanged.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "h.xyz"
        >>> hydrogen = Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6})
        >>> write_frames(path, [hydrogen])
        >>> next(read_extxyz(path)).info
        {'energy': -13.6}
    """
    with whole_file(path) as partial, open(partial, "w", encoding="utf-8") as stream:
        for frame in frames:
            stream.write(_text(frame))


def append_frame(path: str | os.PathLike[str], frame: Frame) -> None:
    """Writes a frame behind those that a file has."""
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(_text(frame))


def _text(frame: Frame) -> str:
    names = list(frame.arrays)
    blocks = [np.asarray(frame.positions, dtype=np.float64)]
    properties = _PLAIN_COLUMNS
    for name in names:
        array = np.asarray(frame.arrays[name])
        block = array.reshape(len(frame.numbers), -1)
        kind = {"f": "R", "i": "I", "u": "I", "b": "L"}.get(block.dtype.kind, "S")
        properties += f":{name}:{kind}:{block.shape[1]}"
        blocks.append(block)
    words = [f"Properties={properties}"]
    if frame.cell is not None:
        words.append('Lattice="' + " ".join(word(x) for x in frame.cell.reshape(-1)) + '"')
    words += [f"{key}={quoted(value)}" for key, value in frame.info.items()]
    words.append('pbc="' + " ".join("T" if flag else "F" for flag in frame.pbc) + '"')
    lines = [str(len(frame.numbers)), " ".join(words)]
    for row, number in enumerate(frame.numbers):
        cells = [word(value) for block in blocks for value in block[row]]
        lines.append(" ".join([SYMBOLS[int(number)], *cells]))
    return "\n".join(lines) + "\n"
