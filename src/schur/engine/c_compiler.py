"""Compiled C on demand: finding a compiler, and a cache on disk that is safe to share.

A library is found by the hash of its source, the compiler, its options and the CPU.  It is written
under a name of its own and moved into place, so that a concurrent or interrupted build never
leaves a half-written file under the final name; a file that is corrupt all the same fails its
checksum and is built again.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from schur.errors import BackendError

_log = logging.getLogger("schur")

# The loops are vectors already: the compiler's own vectoriser and global common subexpressions
# find nothing and take a third of the time.
OPTIONS = (
    "-O2",
    "-fno-tree-vectorize",
    "-fno-gcse",
    "-march=native",
    "-fPIC",
    "-std=gnu11",
    "-w",
)
LINK = ("-shared",)


@lru_cache(maxsize=1)
def compiler() -> tuple[str, ...] | None:
    """The command of the C compiler, or None where there is none."""
    candidates = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    for candidate in candidates:
        words = candidate.split()
        if words and (path := shutil.which(words[0])):
            return (path, *words[1:])
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        return None
    return (str(Path(found.origin).parent / "zig"), "cc")


def cache_directory() -> Path:
    """Where compiled routines are kept: $SCHUR_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("SCHUR_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "schur"


@lru_cache(maxsize=1)
def _machine() -> str:
    """Everything but the source that decides what a compiler makes of it."""
    command = compiler()
    parts = [*OPTIONS, platform.machine(), platform.system(), *(command or ())]
    if command:
        binary = Path(command[0]).resolve()
        stat = binary.stat()
        parts += [str(binary), str(stat.st_size), str(stat.st_mtime_ns)]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        parts += [line for line in dict.fromkeys(lines) if line.startswith(("flags", "model name"))]
    except OSError:
        parts.append(platform.processor())
    return "\n".join(parts)


def library(key: str, make_source: Callable[[], list[str]]) -> ctypes.CDLL:
    """The compiled library of a source, from the cache where it is there.

    Args:
        key: decides the source: equal keys have equal sources.
        make_source: makes the C files, called only where nothing usable is cached.

    Raises:
        BackendError: if there is no compiler, it rejects the source, or nowhere is room.
    """
    name = hashlib.sha256(f"{key}\n{_machine()}".encode()).hexdigest()[:40]
    path = cache_directory() / f"{name}.so"
    if _intact(path):
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            pass  # a file system that forbids execution, say: told by the build
    return _built(path.name, make_source())


def library_of(text: str) -> ctypes.CDLL:
    """The compiled library of one file, likewise."""
    return library(hashlib.sha256(text.encode()).hexdigest(), lambda: [text])


def _checksum(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).hexdigest().encode()


def _intact(path: Path) -> bool:
    try:
        return path.with_suffix(".sum").read_bytes() == _checksum(path)
    except OSError:
        return False


def _built(name: str, texts: list[str]) -> ctypes.CDLL:
    """Compile into the cache or, where that fails, into a folder of this process."""
    failures: list[str] = []
    for folder in (cache_directory, _own_folder):
        try:
            path = folder() / name
            _compile(path, texts)
            loaded = ctypes.CDLL(str(path))
        except OSError as error:
            failures.append(str(error))
        else:
            if failures:
                _say_once(failures[0])
            return loaded
    raise BackendError(
        "a compiled routine can be kept nowhere",
        got="; ".join(failures),
        expected="a folder that can be written and executed from",
        remedy="free some space, or point $SCHUR_CACHE at another folder",
    )


@lru_cache(maxsize=1)
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="schur-", ignore_cleanup_errors=True)


def _own_folder() -> Path:
    """A folder that goes when this process does."""
    return Path(_temporary().name)


@lru_cache(maxsize=1)
def _say_once(reason: str) -> None:
    _log.warning(
        "compiled routines cannot be kept in %s (%s): this process compiles its own; "
        "point $SCHUR_CACHE at a folder that can be written",
        cache_directory(),
        reason,
    )


def _compile(path: Path, texts: list[str]) -> None:
    """Compile the files of a source at the same time; put library and checksum in place.

    Raises:
        OSError: if there is no room or no right to write.
        BackendError: if there is no compiler, or it rejects the source.
    """
    command = compiler()
    if command is None:
        raise BackendError(
            "backend 'c' cannot serve: there is no C compiler",
            expected="$CC, cc, gcc, clang, or the ziglang package",
            remedy="install one, or use backend='torch'",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="build-", dir=path.parent))
    try:
        made = scratch / "routine.so"
        if len(texts) == 1:
            _run([*command, *OPTIONS, *LINK, _written(scratch, 0, texts[0]), "-o", str(made)])
        else:
            objects = [str(scratch / f"part{k}.o") for k in range(len(texts))]
            commands = [
                [*command, *OPTIONS, "-c", _written(scratch, k, text), "-o", made_object]
                for k, (text, made_object) in enumerate(zip(texts, objects, strict=True))
            ]
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                list(pool.map(_run, commands))
            _run([*command, *OPTIONS, *LINK, *objects, "-o", str(made)])
        total = scratch / "routine.sum"
        total.write_bytes(_checksum(made))
        os.replace(made, path)
        os.replace(total, path.with_suffix(".sum"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _written(folder: Path, number: int, text: str) -> str:
    path = folder / f"part{number}.c"
    path.write_text(text)
    return str(path)


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode and os.strerror(errno.ENOSPC) in result.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), command[-1])
    if result.returncode:
        raise BackendError(
            "the C compiler rejected a routine",
            got=f"{command[0]}: {result.stderr[-2000:]}",
            remedy="report this with the compiler's version; backend='torch' works meanwhile",
        )
