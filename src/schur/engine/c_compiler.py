"""Compiled C on demand: finding a compiler, and a cache on disk that is safe to share.

A library is found by the hash of its source, the compiler, its options and the CPU.  It is written
under a name of its own and moved into place, so that a concurrent or interrupted build never
leaves a half-written file under the final name; a file that is corrupt all the same fails its
checksum and is built again.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from schur.errors import BackendError

# The loops are vectors already: the compiler's own vectoriser and global common subexpressions
# find nothing and take a third of the time.
OPTIONS = (
    "-O2",
    "-fno-tree-vectorize",
    "-fno-gcse",
    "-march=native",
    "-fPIC",
    "-shared",
    "-std=gnu11",
    "-w",
)


@lru_cache(maxsize=1)
def compiler() -> tuple[str, ...] | None:
    """The command of the C compiler, or None where there is none."""
    candidates = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    for candidate in candidates:
        words = candidate.split()
        if words and (path := shutil.which(words[0])):
            return (path, *words[1:])
    try:
        import ziglang  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return (str(Path(ziglang.__file__).parent / "zig"), "cc")


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


def library(key: str, make_source: Callable[[], str]) -> ctypes.CDLL:
    """The compiled library of a source, from the cache where it is there.

    Args:
        key: decides the source: equal keys have equal sources.
        make_source: makes the C text, called only where nothing usable is cached.

    Raises:
        BackendError: if there is no compiler, or it rejects the source.
    """
    name = hashlib.sha256(f"{key}\n{_machine()}".encode()).hexdigest()[:40]
    path = cache_directory() / f"{name}.so"
    if not _intact(path):
        path = _build(path, make_source())
    return ctypes.CDLL(str(path))


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _intact(path: Path) -> bool:
    try:
        return path.with_suffix(".sum").read_text() == _checksum(path)
    except OSError:
        return False


def _build(path: Path, text: str) -> Path:
    """Compile into the cache, or, where the cache cannot be written, into a folder of this process."""
    command = compiler()
    if command is None:
        raise BackendError(
            "backend 'c' cannot serve: there is no C compiler",
            expected="$CC, cc, gcc, clang, or the ziglang package",
            remedy="install one, or use backend='torch'",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="build-", dir=path.parent))
    except OSError:
        path = Path(tempfile.mkdtemp(prefix="schur-")) / path.name
        scratch = Path(tempfile.mkdtemp(prefix="build-", dir=path.parent))
    try:
        source, made = scratch / "routine.c", scratch / "routine.so"
        source.write_text(text)
        arguments = [*command, *OPTIONS, str(source), "-o", str(made)]
        result = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if result.returncode:
            raise BackendError(
                "the C compiler rejected a routine",
                got=result.stderr[-2000:],
                remedy="report this with the compiler's version; backend='torch' works meanwhile",
            )
        total = scratch / "routine.sum"
        total.write_text(_checksum(made))
        os.replace(made, path)
        os.replace(total, path.with_suffix(".sum"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path
