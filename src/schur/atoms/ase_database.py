"""ASE databases (`.db`, `.json`), read and written row by row."""

from __future__ import annotations

import json
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DataError
from .ase_rows import frame_of_row, row_of_frame
from .frame import Frame, FrameSource
from .whole_file import whole_file


class AseDatabase(FrameSource):
    """An ASE database: SQLite (`.db`), whose rows are read on demand, or JSON (`.json`).

    Frames are in the order of their ids. A JSON database is read whole, as its format demands.

    Raises:
        DataError: a file that is absent, damaged, empty or no such database.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> path = Path(tempfile.mkdtemp()) / "h.db"
        >>> write_ase_database(path, [Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6})])
        >>> source = AseDatabase(path)
        >>> len(source), source[0].info["energy"], source[0].origin
        (1, -13.6, 'h.db frame 0')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        if not os.path.isfile(self.path):
            raise DataError(
                "the database cannot be opened", got=self.path, expected="a file that exists"
            )
        self._database: Any = None
        self._rows: dict[int, Any] = {}
        with _legible(self.path):
            self._ids = self._read_ids()
        if not self._ids:
            raise DataError("the database holds no frame", got=self.path)

    def _read_ids(self) -> array[int]:
        if self.path.endswith(".json"):
            self._rows = {row.id: row for row in self._open().select()}
            return array("q", sorted(self._rows))
        # Plain SQL, for ASE would read each row whole; read-only, so that nothing is created.
        connection = sqlite3.connect(f"{Path(self.path).absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT id FROM systems ORDER BY id")
            return array("q", (row[0] for row in rows))
        finally:
            connection.close()

    def _open(self) -> Any:
        if self._database is None:
            from ase.db import connect

            kind = "json" if self.path.endswith(".json") else "db"
            self._database = connect(self.path, type=kind, use_lock_file=False)
        return self._database

    def __len__(self) -> int:
        return len(self._ids)

    def _frame(self, index: int) -> Frame:
        number = self._ids[index]
        with _legible(f"{self.path}, frame {index} (id {number})"):
            row = self._rows[number] if self._rows else self._open()._get_row(number)
            fields = {key: value for key, value in row.__dict__.items() if key[0] != "_"}
            fields.update(key_value_pairs=row.key_value_pairs, data=dict(row.data))
        return frame_of_row(fields, self.path, index)


@contextmanager
def _legible(place: str) -> Iterator[None]:
    """Turns what a damaged database raises into an error that says so."""
    try:
        yield
    except (sqlite3.Error, ValueError, KeyError, TypeError, IndexError, AssertionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{place} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="a whole ASE database",
            remedy="the file may be cut off or damaged: copy or make it again",
        ) from error


def write_ase_database(path: str | os.PathLike[str], frames: Iterable[Frame]) -> None:
    """Writes frames as an ASE database, `.db` or `.json` by the ending.

    Raises:
        DataError: the file cannot be written; one that was there before is then unchanged.
    """
    target = Path(path)
    with whole_file(target) as partial:
        if target.suffix == ".json":
            _write_json(partial, frames)
        else:
            _write_sqlite(partial, frames)


def _write_sqlite(path: Path, frames: Iterable[Frame]) -> None:
    from ase.db import connect

    try:
        opened: Any = connect(path, type="db", use_lock_file=False)
        with opened as database:
            for frame in frames:
                row = row_of_frame(frame)
                extra = {"key_value_pairs": row.pop("key_value_pairs"), "data": row.pop("data")}
                database._write(_ase_row(row), extra["key_value_pairs"], extra["data"], None)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error  # a full disk, as SQLite says it


def _ase_row(fields: dict[str, Any]) -> Any:
    from ase.db.row import AtomsRow

    now = 0.0  # the same frames give the same file
    return AtomsRow({**fields, "unique_id": os.urandom(16).hex(), "ctime": now, "user": ""})


def _write_json(path: Path, frames: Iterable[Frame]) -> None:
    from ase.io.jsonio import encode

    rows = {str(index): row_of_frame(frame) for index, frame in enumerate(frames, start=1)}
    tree = {**rows, "ids": [int(key) for key in rows], "nextid": len(rows) + 1}
    for row in rows.values():
        row.update(ctime=0.0, mtime=0.0, user="", unique_id=os.urandom(16).hex())
    path.write_text(json.dumps(json.loads(encode(tree))), encoding="utf-8")
