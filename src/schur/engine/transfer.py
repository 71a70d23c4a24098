"""Tensors on their way to another device."""

from __future__ import annotations

import torch
from torch import Tensor


def moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    """The tensor on a device; the copy to a GPU does not wait for what the GPU still does.

    Such a copy needs memory that stays in its place; torch frees it once the copy is made.

    Example:
        >>> values = torch.ones(2)
        >>> moved(values, "cpu") is values, moved(values, "meta").is_meta
        (True, True)
    """
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
