"""A model's first evaluation done twice: once so that all its kernels are compiled at a time.

What a model asks of a GPU is known when it has been evaluated, and without this its kernels would
be compiled as it goes along, routine by routine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from schur.engine import triton_ahead, triton_backend
from schur.engine.device_graphs import is_quiet
from schur.engine.tracing import is_traced, is_transformed

_log = logging.getLogger("schur")


def is_worth(example: Tensor) -> bool:
    """Whether there is anything to compile ahead for work on such tensors."""
    if is_traced() or is_transformed() or is_quiet():
        return False
    if triton_backend.missing() is not None or triton_backend.unfit(example) is not None:
        return False
    return triton_ahead.wanted() and not triton_ahead.is_asking()


def rehearse(work: Callable[[], object], device: torch.device) -> None:
    """Do work of which the kernels made by schur are not launched but compiled.

    Nothing is waited for: each launch to come waits for its kernel.  In the work all that those
    kernels would make is zero, so that its result is none.  What it asks of torch is done.  Random
    numbers drawn are drawn again; where it fails nothing is lost.
    """
    devices = [] if device.type == "cpu" else [device]
    # Derivatives in this thread too: others may be at work in earnest.
    one_thread = torch.autograd.set_multithreading_enabled(False)
    try:
        with torch.random.fork_rng(devices), one_thread, triton_ahead.asking():
            work()
    except Exception as error:
        _log.debug("not all kernels are compiled ahead: %s: %s", type(error).__name__, error)
