"""Routines compute in the type of their operands, whatever autocast asks of torch."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def switched_off(device: torch.device) -> AbstractContextManager[object]:
    """A block without autocast; devices that have none, such as meta, need none."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
