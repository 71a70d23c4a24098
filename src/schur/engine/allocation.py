"""Large outputs without the price of fresh memory."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

import torch
from torch import Tensor

_HUGE_PAGE = 1 << 21
_MADV_HUGEPAGE = 14  # <linux/mman.h>


def empty(*shape: int, like: Tensor) -> Tensor:
    """An uninitialised tensor of the number type and device of `like`.

    The system's allocator gives blocks of more than 32 MB back at once, so that each new one is
    filled in page by page: as slow as the arithmetic that fills it.  Here the kernel is asked for
    huge pages, for this block alone, which makes the first touch several times cheaper.

    Example:
        >>> empty(2, 3, like=torch.ones(1)).shape
        torch.Size([2, 3])
    """
    tensor = like.new_empty(shape)
    size = tensor.numel() * tensor.element_size()
    if size < 4 * _HUGE_PAGE or tensor.device.type != "cpu":
        return tensor
    advise = _advise()
    if advise is not None:
        first = -(-tensor.data_ptr() // _HUGE_PAGE) * _HUGE_PAGE
        last = (tensor.data_ptr() + size) // _HUGE_PAGE * _HUGE_PAGE
        if last > first:
            advise(first, last - first, _MADV_HUGEPAGE)  # a wish: refusal changes nothing
    return tensor


@cache
def _advise() -> Any:
    """The C library's madvise, where there is one that knows huge pages."""
    if not sys.platform.startswith("linux"):
        return None
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is not None:
        advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        advise.restype = ctypes.c_int
    return advise
