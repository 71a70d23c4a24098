"""How many threads a command computes with."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from ..train.checkpoint import read_threads
from .tables import console, say_notes

_PROBE_SECONDS = 0.15
_BLOCK = bytes(1 << 20)  # hashed at a stretch, without Python's lock
_SPARE = 0.3  # of a processor may be missing: what a desktop takes now and then


def use_threads(count: int | None, checkpoint: Path | None = None) -> None:
    """Sets the threads of this process, which is the command's own, and says so where they are few.

    All threads wait for each other hundreds of times in a step of training, so that two of them
    on one processor are slower than one, by far. Without a count OMP_NUM_THREADS decides, which
    torchrun sets too. Else those of the run that is resumed are taken, as far as there are
    processors, so that it ends in the same bits; or as many as other programs leave free.

    Args:
        count: what the user asked for.
        checkpoint: of the run that may be resumed.

    Raises:
        DataError: a damaged checkpoint.
    """
    if count is not None:
        torch.set_num_threads(count)
        return
    usual = torch.get_num_threads()
    if usual == 1 or "OMP_NUM_THREADS" in os.environ:
        return
    before = None if checkpoint is None else read_threads(checkpoint)
    if before is not None:
        torch.set_num_threads(min(before, usual))
        return
    free = processors_free(usual)
    chosen = max(1, int(free + _SPARE))
    if chosen < usual:
        torch.set_num_threads(chosen)
        left = f"other programs leave {free:.1f} processors (--threads {usual} takes all)"
        say_notes(console(), [f"threads: {chosen} of {usual}; {left}"])


def processors_free(wanted: int, seconds: float = _PROBE_SECONDS) -> float:
    """Processors that this many busy threads get: their time on them by the time on the wall.

    Args:
        wanted: threads kept busy.
        seconds: for how long.
    """
    with ThreadPoolExecutor(wanted) as pool:
        begin = time.perf_counter()
        used = sum(pool.map(_busy, [begin + seconds] * wanted))
        return min(float(wanted), used / (time.perf_counter() - begin))


def _busy(until: float) -> float:
    """Works until a time of the wall's clock; seconds on a processor."""
    begin = time.thread_time()
    while time.perf_counter() < until:
        hashlib.sha256(_BLOCK)
    return time.thread_time() - begin
