"""LMDB files of the ASE family (`.aselmdb`), as large public data sets are published in.

The keys are the ids "1", "2", ... and "nextid", "deleted_ids", "metadata"; each value is JSON
compressed by zlib, a row as an ASE database has it. Nothing is unpickled.

Source: https://gitlab.com/ase/ase-db-backends (the format).
"""

from __future__ import annotations

import json
import os
import zlib
from array import array
from collections.abc import Iterable
from typing import Any
from weakref import WeakValueDictionary

from ..errors import DataError, optional_package
from .ase_rows import frame_of_row, row_of_frame
from .frame import Frame, FrameSource
from .whole_file import whole_file

_SPECIAL = ("nextid", "deleted_ids", "metadata")
_MAP_SIZE = 1 << 40  # bytes of address space, not of disk


class LmdbDatabase(FrameSource):
    """An `.aselmdb` file whose rows are read on demand.

    Raises:
        BackendError: the package lmdb is not installed.
        DataError: a file that is absent, cut off, damaged, empty or of another kind.

    Example:
        >>> import tempfile, pathlib
        >>> import numpy as np
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "h.aselmdb"
        >>> write_lmdb(path, [Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6})])
        >>> LmdbDatabase(path)[0].info["energy"]
        -13.6
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._environment: _Environment | None = None
        self._ids = self._read_ids()
        if not self._ids:
            raise DataError("the database holds no frame", got=self.path)

    def _open(self) -> _Environment:
        if self._environment is None:
            self._environment = _shared(self.path)
        return self._environment

    def _read_ids(self) -> array[int]:
        following = self._value("nextid")
        if not isinstance(following, int):
            raise _damaged(self.path, "no number under the key nextid")
        deleted = set(self._value("deleted_ids") or [])
        return array("q", (i for i in range(1, following) if i not in deleted))

    def _value(self, key: str) -> Any:
        from ase.io.jsonio import decode

        environment, lmdb = self._open(), _lmdb()
        try:
            with environment.lmdb.begin() as transaction:
                raw = transaction.get(key.encode("ascii"))
            return None if raw is None else decode(zlib.decompress(raw).decode("utf-8"))
        except (lmdb.Error, zlib.error, ValueError, KeyError, TypeError) as error:
            raise _damaged(f"{self.path}, key {key}", f"{type(error).__name__}: {error}") from error

    def __len__(self) -> int:
        return len(self._ids)

    def _frame(self, index: int) -> Frame:
        row = self._value(str(self._ids[index]))
        if not isinstance(row, dict):
            raise _damaged(f"{self.path}, frame {index} (id {self._ids[index]})", "no row")
        return frame_of_row(row, self.path, index)

    def close(self) -> None:
        """Lets go of the file; the next access opens it again."""
        self._environment = None


class _Environment:
    """An open LMDB file, closed when nobody refers to it any more."""

    def __init__(self, path: str) -> None:
        lmdb = _lmdb()
        if not os.path.isfile(path):
            raise DataError(
                "the database cannot be opened", got=path, expected="a file that exists"
            )
        try:
            opened = lmdb.open(path, subdir=False, readonly=True, lock=False, readahead=False)
        except lmdb.Error as error:
            raise _damaged(path, str(error)) from error
        # LMDB maps the file; a page behind its end would kill the process, not raise.
        needed = (opened.info()["last_pgno"] + 1) * opened.stat()["psize"]
        present = os.path.getsize(path)
        if present < needed:
            opened.close()
            raise _damaged(path, f"{present} of {needed} bytes")
        self.lmdb = opened

    def __del__(self) -> None:
        if hasattr(self, "lmdb"):
            self.lmdb.close()


# LMDB allows a file to be open only once in a process.
_open_files: WeakValueDictionary[tuple[str, int], _Environment] = WeakValueDictionary()


def _shared(path: str) -> _Environment:
    key = (os.path.realpath(path), os.getpid())
    environment = _open_files.get(key)
    if environment is None:
        environment = _open_files[key] = _Environment(path)
    return environment


def _damaged(place: str, got: str) -> DataError:
    return DataError(
        f"{place} cannot be read",
        got=got,
        expected="a whole LMDB file of the ASE family: zlib-compressed JSON under the ids",
        remedy="the file may be cut off, damaged or of another kind: copy or make it again",
    )


def _lmdb() -> Any:
    remedy = "pip install 'schur[lmdb]'"
    with optional_package("LMDB files need the package lmdb", "lmdb", remedy):
        import lmdb
    return lmdb


def write_lmdb(path: str | os.PathLike[str], frames: Iterable[Frame]) -> None:
    """Writes frames as an `.aselmdb` file.

    Raises:
        BackendError: the package lmdb is not installed.
        DataError: the file cannot be written; one that was there before is then unchanged.
    """
    from ase.io.jsonio import encode

    lmdb = _lmdb()
    with whole_file(path) as partial:
        try:
            with lmdb.open(str(partial), subdir=False, lock=False, map_size=_MAP_SIZE) as target:
                count = 0
                with target.begin(write=True) as transaction:
                    for count, frame in enumerate(frames, start=1):
                        row = {**row_of_frame(frame), "ctime": 0.0, "mtime": 0.0, "user": ""}
                        text = json.dumps(json.loads(encode(row)))
                        transaction.put(str(count).encode("ascii"), zlib.compress(text.encode()))
                    for key, value in zip(_SPECIAL, (count + 1, [], {}), strict=True):
                        packed = zlib.compress(json.dumps(value).encode())
                        transaction.put(key.encode("ascii"), packed)
        except lmdb.Error as error:
            raise OSError(str(error)) from error  # a full disk, as LMDB says it
