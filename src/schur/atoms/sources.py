"""Files of structures of any format under one interface, chosen by their ending."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError
from .ase_database import AseDatabase, write_ase_database
from .ase_formats import AseFile
from .extxyz import ExtxyzSource, write_frames
from .frame import Frame, FrameSource
from .lmdb_database import LmdbDatabase, write_lmdb

_EXTXYZ = (".xyz", ".extxyz")
_LMDB = (".aselmdb", ".lmdb")
_ASE_DATABASE = (".db", ".json")
WRITABLE = (*_EXTXYZ, *_ASE_DATABASE, *_LMDB)
"""Endings of the formats that can be written."""


def open_source(path: str | os.PathLike[str]) -> FrameSource:
    """A file of structures whose frames are read on demand.

    Args:
        path: extended XYZ (`.xyz`, `.extxyz`), ASE database (`.db`, `.json`), LMDB (`.aselmdb`,
            `.lmdb`); any other ending is left to `ase.io`.

    Raises:
        DataError: a file that is absent, damaged, empty or of an unknown format.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "h.xyz"
        >>> _ = path.write_text("1\\nenergy=-13.6\\nH 0 0 0\\n")
        >>> len(open_source(path))
        1
    """
    ending = Path(path).suffix.lower()
    if ending in _EXTXYZ:
        return ExtxyzSource(path)
    if ending in _LMDB:
        return LmdbDatabase(path)
    if ending in _ASE_DATABASE:
        return AseDatabase(path)
    return AseFile(path)


def files_in(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The paths, with each folder replaced by its LMDB files in the order of their names.

    Raises:
        DataError: a folder without any.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(file for ending in _LMDB for file in path.glob(f"*{ending}"))
        if not inside:
            raise DataError(
                "the folder holds no data", got=str(path), expected="files *.aselmdb in it"
            )
        files += inside
    return files


def read_frames(path: str | os.PathLike[str]) -> Iterator[Frame]:
    """Reads the frames of a file of any format, or of a folder of LMDB files, in order.

    Raises:
        DataError: a file that is absent, damaged, empty or of an unknown format.
    """
    for file in files_in([path]):
        source = open_source(file)
        yield from source
        source.close()


def write_any(path: str | os.PathLike[str], frames: Iterable[Frame]) -> None:
    """Writes frames in the format of the ending; the file is replaced only once it is whole.

    Raises:
        DataError: an ending that cannot be written, or a file that cannot.
    """
    ending = Path(path).suffix.lower()
    if ending in _EXTXYZ:
        write_frames(path, frames)
    elif ending in _ASE_DATABASE:
        write_ase_database(path, frames)
    elif ending in _LMDB:
        write_lmdb(path, frames)
    else:
        raise DataError("this format cannot be written", got=str(path), expected=" ".join(WRITABLE))
