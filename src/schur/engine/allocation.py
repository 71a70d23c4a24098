"""Large outputs without the price of fresh memory.

The C library gives blocks of more than 32 MB back to the system when they are freed, so that each
new one is cleared and mapped again page by page: as slow as the arithmetic that fills it.  Large
blocks are kept here instead, mapped in huge pages, and handed out again once the last tensor that
looks at them is gone.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
from math import prod

import torch
from torch import Tensor

# Smaller blocks are served well by the C library, which keeps them.
_SMALLEST = 1 << 20
# Blocks that nobody uses are kept up to this many bytes together.
_KEPT = 1 << 29
_HUGE_PAGE = 1 << 21

_blocks: list[mmap.mmap] = []
_lock = threading.Lock()
# A process forked while another thread holds the lock would wait for it forever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def empty(*shape: int, like: Tensor) -> Tensor:
    """An uninitialised tensor of the number type and device of `like`.

    Example:
        >>> empty(2, 3, like=torch.ones(1)).shape
        torch.Size([2, 3])
    """
    size = prod(shape) * like.element_size()
    if size < _SMALLEST or like.device.type != "cpu" or not sys.platform.startswith("linux"):
        return like.new_empty(shape)
    # While a tensor lives it holds a view of its block, and that is a reference to the block.
    flat = torch.frombuffer(_block(size), dtype=like.dtype, count=prod(shape))
    return flat.resize_(shape)  # a view would be refused where the caller writes into it


def _block(size: int) -> mmap.mmap:
    """A block of at least `size` bytes that nobody uses: a kept one that fits, or a new one."""
    size = -(-size // _HUGE_PAGE) * _HUGE_PAGE
    with _lock:
        block = _fitting(size)
        _forget(0 if block else size)
        if block is None:
            block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                block.madvise(mmap.MADV_HUGEPAGE)
        _blocks.append(block)
        return block


def _idle() -> list[int]:
    """Where the list holds the only reference; getrefcount adds one for its own argument."""
    return [k for k in range(len(_blocks)) if sys.getrefcount(_blocks[k]) == 2]


def _fitting(size: int) -> mmap.mmap | None:
    """The smallest unused block that fits, taken from the list."""
    fitting = [k for k in _idle() if size <= len(_blocks[k]) <= size + size // 4]
    return _blocks.pop(min(fitting, key=lambda k: len(_blocks[k]))) if fitting else None


def _forget(size: int) -> None:
    """Give the longest unused blocks back until `size` bytes more fit the limit."""
    idle = _idle()
    held = sum(len(_blocks[k]) for k in idle)
    for dropped, position in enumerate(idle):
        if held + size <= _KEPT:
            return
        held -= len(_blocks[position - dropped])
        del _blocks[position - dropped]
