"""A GPU for Triton that is not there: kernels are compiled for it, and launches do nothing.

Tensors lie on the CPU and what kernels would make stays as it was allocated.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget

from schur.engine import backends, triton_backend


class _Launcher:
    def __init__(self, source: Any, metadata: Any) -> None:
        pass

    def __call__(self, *arguments: Any) -> None:
        Driver.launches += 1


class _Loader:
    def load_binary(self, name: str, binary: bytes, shared: int, device: int) -> tuple[Any, ...]:
        """Module, function, registers, spills, most threads."""
        assert binary
        return None, 0, 0, 0, 1024

    def get_device_properties(self, device: int) -> dict[str, int]:
        """What is asked before a launch."""
        return {"max_shared_mem": 1 << 17}


class Driver:
    """As Triton's drivers are.

    Attributes:
        launches: how many there were.
    """

    launches = 0
    launcher_cls = _Launcher
    utils = _Loader()

    def __init__(self, capability: int) -> None:
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        """What is compiled for."""
        return self.target

    def get_current_device(self) -> int:
        """The only one."""
        return 0

    def get_current_stream(self, device: int) -> int:
        """The only one."""
        return 0


def use(capability: int = 90) -> None:
    """Routines of this process, whatever they ask for, are Triton's from here on."""
    assert not triton_backend.INTERPRETED, "the interpreter compiles nothing"
    driver: Any = Driver(capability)
    triton.runtime.driver.set_active(driver)
    triton_backend.unfit = lambda example: None
    backends._natural = lambda example: "triton"
    torch.manual_seed(0)
