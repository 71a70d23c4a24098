"""The device that contenders run on: what has to be done differently on a GPU."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import torch

DEVICES = ("cpu", "cuda")
# Large against the caches of a card.
_COPIED = 1 << 30  # bytes


def lacking(device: str) -> str | None:
    """Why nothing can be measured on a device, or None."""
    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no GPU here: leave out --device cuda, or run it where there is one"
    return None


def use(device: str) -> None:
    """From here on contenders make their tensors and modules on this device."""
    if device != "cpu":
        torch.set_default_device(device)


def is_gpu() -> bool:
    """Whether contenders run on a GPU."""
    return torch.get_default_device().type == "cuda"


def wait() -> None:
    """Until what was launched is done."""
    if is_gpu():
        torch.cuda.synchronize()


def copied_a_second() -> float | None:
    """Bytes that a copy within the GPU's memory reads and writes a second; None on a CPU."""
    if not is_gpu():
        return None
    from_, to = (torch.empty(_COPIED, dtype=torch.uint8) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        wait()
        start = time.perf_counter()
        to.copy_(from_)
        wait()
        best = min(best, time.perf_counter() - start)
    return 2 * _COPIED / best


def gpu_peak(run: Callable[[], object]) -> int:
    """Bytes that tensors take at most during a run, with those that were there before."""
    gc.collect()
    wait()
    torch.cuda.reset_peak_memory_stats()
    done = run()
    wait()
    del done
    return torch.cuda.max_memory_allocated()
