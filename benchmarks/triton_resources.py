"""`python -m benchmarks.triton_resources`: registers, spills and shared memory of GPU kernels.

Compiles for devices that need not be there, with the assembler that the triton package brings.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.triton_programs import ORDERS, PROGRAMS, program
from schur.engine import triton_backend, triton_model, triton_module
from schur.engine.triton_calls import precision
from schur.engine.triton_source import COMPUTE, Launch, source
from schur.forms import Program

_POINTERS = {"float64": "*fp64", "float32": "*fp32", "bfloat16": "*bf16", "float16": "*fp16"}


@dataclass(frozen=True)
class Resources:
    """Of one kernel: for each thread registers and bytes spilled, for a program shared bytes."""

    registers: int
    spilled: int
    shared: int
    seconds: float


def main() -> None:
    """Print one line for each workload and derivative."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="W", help=", ".join(PROGRAMS))
    parser.add_argument("--orders", nargs="+", default=list(ORDERS), choices=ORDERS)
    parser.add_argument("--dtype", default="float32", choices=COMPUTE)
    parser.add_argument("--capability", nargs="+", type=int, default=[80, 90])
    options = parser.parse_args()
    if (reason := triton_backend.missing()) is not None:
        sys.exit(f"nothing to compile with: {reason}")
    if triton_backend.INTERPRETED:
        sys.exit("TRITON_INTERPRET is set: unset it, the interpreter compiles nothing")
    devices = " / ".join(f"sm_{capability}" for capability in options.capability)
    print(f"{options.dtype}, {devices}\n")
    print("| workload | pass | kernels | registers | spilled bytes | shared bytes | s |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name in options.workloads or PROGRAMS:
        for order in options.orders:
            made = program(name, order)
            found = [resources(made, options.dtype, each) for each in options.capability]
            print(line(name, order, found), flush=True)


def line(name: str, order: str, found: Sequence[Sequence[Resources]]) -> str:
    """What the kernels of a program take, most of any of them, for one device after another."""
    numbers = [
        (
            *(max(each.registers for each in kernels), max(each.spilled for each in kernels)),
            max(each.shared for each in kernels),
            f"{sum(each.seconds for each in kernels):.1f}",
        )
        for kernels in found
    ]
    columns = [" / ".join(map(str, column)) for column in zip(*numbers, strict=True)]
    return f"| {name} | {order} | {len(found[0])} | {' | '.join(columns)} |"


def resources(made: Program, dtype: str, capability: int) -> list[Resources]:
    """Compile every kernel of a program."""
    budget = triton_model.budget(made, dtype)
    built = source(made, dtype, budget)
    # Written where kernels are compiled from, as they must stand in a file.
    with tempfile.TemporaryDirectory() as folder:
        module = triton_module.loaded(
            triton_module.written(Path(folder) / "kernels.py", built.text)
        )
        return [
            _compiled(getattr(module, launch.name), launch, dtype, capability)
            for each in built.passes
            for launch in each.launches
        ]


def _compiled(function: Any, launch: Launch, dtype: str, capability: int) -> Resources:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature: dict[str, str] = {}
    aligned: dict[tuple[int, ...], list[list[object]]] = {}
    fixed: dict[tuple[int, ...], object] = {}
    for place, argument in enumerate(function.arg_names):
        if argument == "precision":
            signature[argument] = "constexpr"
            fixed[(place,)] = precision(getattr(torch, dtype))
            continue
        pointer = argument[0] in "vi" or argument in ("order", "begin", "end")
        kind = _POINTERS[dtype] if argument[0] == "v" else "*i64" if pointer else "i32"
        signature[argument] = kind
        if pointer and argument != "end":  # one entry into a larger array
            aligned[(place,)] = [["tt.divisibility", 16]]
    began = _cpu_seconds()
    made = triton.compile(
        ASTSource(fn=function, signature=signature, constexprs=fixed, attrs=aligned),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": launch.warps, "enable_fp_fusion": True},
    )
    seconds = _cpu_seconds() - began
    return _measured(made.asm["cubin"], seconds)


def _cpu_seconds() -> float:
    """Of this process and those it has waited for: other work on the machine does not count."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _measured(cubin: bytes, seconds: float) -> Resources:
    from triton import knobs

    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        tool = knobs.nvidia.cuobjdump.path
        asked = [tool, "--dump-resource-usage", file.name]
        text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    def number(word: str) -> int:
        found = re.search(rf"\b{word}:(\d+)", text)
        assert found is not None, text
        return int(found[1])

    return Resources(number("REG"), number("STACK") + number("LOCAL"), number("SHARED"), seconds)


if __name__ == "__main__":
    main()
