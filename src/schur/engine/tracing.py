"""Whether a tracer is at work."""

from __future__ import annotations

import torch


def is_traced() -> bool:
    """Whether a tracer looks at each operation: its tensors may be fake."""
    return torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0
