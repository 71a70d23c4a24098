"""Kernels compile for GPUs that are not here, and spill nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .served import needs_triton

pytestmark = needs_triton
ROOT = Path(__file__).resolve().parents[2]


def test_a_product_and_its_gradient_for_two_devices(tmp_path: Path) -> None:
    """In a process of its own, where Triton compiles and does not interpret."""
    variables = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks.triton_resources", "W3", "--orders", "F", "B"]
    done = subprocess.run(
        [*command, "--dtype", "bfloat16"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    head, _, _, _, *lines = done.stdout.splitlines()
    assert head == "bfloat16, sm_80 / sm_90"
    for order, line in zip("FB", lines, strict=True):
        name, what, kernels, registers, spilled, shared, _ = line.strip("| ").split(" | ")
        assert (name, what, kernels, spilled, shared) == ("W3", order, "1", "0 / 0", "0 / 0")
        assert all(16 < int(count) < 255 for count in registers.split(" / "))
