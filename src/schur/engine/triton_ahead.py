"""Kernels compiled before they are launched, side by side in processes of their own.

Triton compiles a kernel when it is first launched, one after another.  Here it is asked beforehand
what it would compile (`asking`); what its cache lacks goes to `triton_workers`, which fill it.  A
launch waits for its kernel and finds it in the cache.  Whatever goes wrong on the way, a launch
compiles what it does not find.

What has been compiled is noted in the cache of schur, with the hash of the kernel's source that
Triton would find anew in each process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from schur.engine import triton_module, triton_worker, triton_workers
from schur.engine.c_compiler import cache_directory

_log = logging.getLogger("schur")

# Whether Triton runs kernels in its interpreter, on the CPU; it asks once, as this does.
INTERPRETED = os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes", "y")


class _Thread(threading.local):
    """Whether this thread launches, or asks only."""

    asks = False


_this = _Thread()
_listening = threading.Lock()
# What no launch has waited for yet, by the kernel's id: modules of kernels are kept.
_asked_for: dict[int, dict[Path, triton_workers.Job]] = {}
_reader: dict[str, threading.Thread] = {}


def wanted() -> bool:
    """Whether kernels are compiled ahead."""
    return not INTERPRETED and triton_workers.most() > 0


def is_asking() -> bool:
    """Whether launches of this thread launch nothing."""
    return _this.asks


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """In here, in this thread, `launch` launches nothing and has kernels compiled."""
    before, _this.asks = _this.asks, True
    try:
        yield
    finally:
        _this.asks = before


def launch(
    kernel: Any, grid: tuple[int, ...], arguments: Sequence[Any], options: Mapping[str, Any]
) -> None:
    """Launch a kernel, or have it compiled."""
    if _this.asks:
        try:
            _ask(kernel, arguments, options)
        except Exception as error:  # whatever it is, the launch will say it
            _log.debug("compiled at its launch: %s: %s", type(error).__name__, error)
        return
    if (reader := _reader.pop("of Triton", None)) is not None:
        reader.join()
    jobs = _asked_for.pop(id(kernel), {})
    for job in jobs.values():
        _workers().settle(job)
    made = kernel[grid](*arguments, **options)
    if len(jobs) == 1:
        ((note, job),) = jobs.items()
        if not job.finished.is_set():  # nobody but this launch has compiled it
            with contextlib.suppress(AttributeError, OSError, ValueError):
                answer = {"hash": kernel.cache_key, "file": triton_worker.file_of(made)}
                _keep(kernel, note, answer)


def _ask(kernel: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Find out what a launch needs, and have it compiled unless it is there."""
    _read_triton()
    jobs = _asked_for.get(id(kernel), {})
    for data in _needed(kernel, arguments, options):
        text = f"{kernel.starting_line_number}\n{kernel.src}"
        source = hashlib.sha256(text.encode()).hexdigest()
        note = _note(source, data)
        if note in jobs:
            continue
        if (made := _noted(note)) is not None:
            _is_known(kernel, made)
            continue
        path = kernel.fn.__code__.co_filename
        question = {"path": path, "name": kernel.__name__, "source": source, "data": data}
        jobs[note] = triton_workers.Job(question, partial(_keep, kernel, note))
        _asked_for[id(kernel)] = jobs
        _workers().submit(jobs[note])


def _needed(kernel: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> list[str]:
    """What Triton would compile for a launch, in its own words; nothing for what it has loaded.

    Triton tells a hook of what it is about to compile; here that keeps it from doing so.  Other
    threads compile as ever.
    """
    from triton import knobs

    said: list[str] = []
    me = threading.get_ident()
    with _listening:
        before = knobs.runtime.jit_cache_hook

        def heard(**told: Any) -> Any:
            if threading.get_ident() != me:
                return None if before is None else before(**told)
            said.append(told["compile"]["specialization_data"])
            return True

        knobs.runtime.jit_cache_hook = heard
        try:
            kernel.run(*arguments, grid=(1,), warmup=True, **options)
        finally:
            knobs.runtime.jit_cache_hook = before
    return said


def _note(source: str, data: str) -> Path:
    """Where it is noted that a kernel has been compiled; the data tell module and name."""
    parts = "\n".join([source, data, *_triton()])
    return cache_directory() / f"triton_{hashlib.sha256(parts.encode()).hexdigest()[:40]}.json"


@lru_cache(maxsize=1)
def _read_triton() -> None:
    """Have Triton read its own files, of which it wants a hash before the first launch.

    They are some hundred megabytes, and Python's lock is not held meanwhile.
    """

    def read() -> None:
        with contextlib.suppress(ImportError, AttributeError, OSError):
            from triton.runtime.cache import triton_key

            triton_key()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    _reader["of Triton"] = reader


@lru_cache(maxsize=1)
def _triton() -> tuple[str, ...]:
    """Which Triton this is, and where it keeps what it compiles."""
    import triton
    from triton import knobs

    made = Path(triton.__file__)
    kept = str(knobs.cache.dir)
    return triton.__version__, str(made), str(made.stat().st_mtime_ns), kept


def _noted(note: Path) -> dict[str, Any] | None:
    text = triton_module.intact(note)
    made = None if text is None else json.loads(text)
    return made if made is not None and Path(made["file"]).exists() else None


def _keep(kernel: Any, note: Path, answer: Mapping[str, Any]) -> None:
    """Note what a process has compiled."""
    if "error" in answer:
        _log.debug("compiled at its launch: %s: %s", kernel.__name__, answer["error"])
        return
    triton_module.written(note, json.dumps(answer))
    _is_known(kernel, answer)


def _is_known(kernel: Any, made: Mapping[str, Any]) -> None:
    """Triton reads a kernel's syntax tree for its hash, which takes as long as all else."""
    if getattr(kernel, "hash", "") is None:
        kernel.hash = made["hash"]


@lru_cache(maxsize=1)
def _workers() -> triton_workers.Workers:
    return triton_workers.Workers(triton_workers.most())


def _forget() -> None:
    """In a process that was forked, threads are gone."""
    global _listening
    _listening = threading.Lock()
    _asked_for.clear()
    _workers.cache_clear()
    _reader.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
