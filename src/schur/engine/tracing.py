"""Whether a tracer or a transform is at work."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def is_traced() -> bool:
    """Whether a tracer looks at each operation: its tensors may be fake."""
    return torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0


def is_transformed() -> bool:
    """Whether torch.func or forward-mode differentiation is: tensors may be more than values."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
