"""Triton sources on disk: written once, found by what decides them, safe to share."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from schur.engine import (
    c_arithmetic,
    lanes,
    nest,
    triton_kernels,
    triton_lanes,
    triton_layers,
    triton_layers_text,
    triton_matrices,
    triton_matrices_text,
    triton_model,
    triton_nests,
    triton_packing,
    triton_plan,
    triton_source,
    triton_text,
)
from schur.engine import schedule as schedule_module
from schur.engine.c_compiler import cache_directory

# The modules that decide what text a program becomes.
_EMITTERS = (
    *(c_arithmetic, lanes, nest, schedule_module),
    *(triton_lanes, triton_layers, triton_layers_text, triton_model),
    *(triton_matrices, triton_matrices_text),
    *(triton_kernels, triton_nests, triton_packing, triton_plan, triton_source, triton_text),
)


@lru_cache(maxsize=1)
def _emission() -> str:
    """A hash of the code that emits: another version of it means other sources."""
    files = [Path(module.__file__ or "") for module in _EMITTERS]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def module(key: str, make_source: Callable[[], str]) -> ModuleType:
    """The module of a source, from the cache where it is there.

    Args:
        key: decides the source, together with the code that emits.
        make_source: makes the text, called only where nothing usable is cached.
    """
    return found(key) or kept(key, make_source())


def found(key: str) -> ModuleType | None:
    """The module that the cache has for a key, if any."""
    path = _place(key)
    return None if intact(path) is None else loaded(path)


def kept(key: str, text: str) -> ModuleType:
    """Put a source into the cache, in place of what it has for the key."""
    return loaded(written(_place(key), text))


def _place(key: str) -> Path:
    name = hashlib.sha256(f"{key}\n{_emission()}".encode()).hexdigest()[:40]
    return cache_directory() / f"triton_{name}.py"


def loaded(path: Path) -> ModuleType:
    """A file as a module, under no name that others could import."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def written(path: Path, text: str) -> Path:
    """Put a text with its checksum in place, or where that fails in a folder of this process.

    Written under a name of its own and moved, so that nobody ever reads half of it.
    """
    whole = f"# {_checksum(text)}\n{text}".encode()
    try:
        return _placed(path, whole)
    except OSError:
        return _placed(Path(_temporary().name) / path.name, whole)


def _placed(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix="build-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(scratch, path)
    except OSError:
        Path(scratch).unlink(missing_ok=True)
        raise
    return path


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def intact(path: Path) -> str | None:
    """The text that `written` has put there, if it is still what it was."""
    try:
        first, _, rest = path.read_text().partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return rest if first == f"# {_checksum(rest)}" else None


@lru_cache(maxsize=1)
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="schur-", ignore_cleanup_errors=True)
