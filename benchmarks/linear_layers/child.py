"""One contender and one case in a process of its own, in the interpreter that has it."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.child import bind_cores
from benchmarks.linear_layers.cases import CASES
from benchmarks.scaling.curves import shortest

OVER_LIMIT = 24  # exit status
SPAN = 5e-3  # seconds that are measured at a time


def main(contender: str, case_name: str, limit: str, folder: str) -> None:
    """Builds, calls, and writes what it took to `result.json` and the basis to `basis.npy`.

    Seconds are of a processor. What is imported is not counted; what is built and compiled is, by
    a compiler in a process of its own as well, and a process that passes the limit ends itself.
    """
    bind_cores(1)
    module = importlib.import_module(f"benchmarks.linear_layers.{contender}_layer")
    threading.Thread(target=_guard, args=(time.process_time() + int(limit),), daemon=True).start()
    case = CASES[case_name]
    start = _spent()
    layer = module.build(case)
    found = {"build_s": _spent() - start}
    for name, call in module.calls(layer, case).items():
        start = _spent()
        call()
        found.setdefault("first_s", _spent() - start)
        found[name] = _one(call)
    np.save(Path(folder, "basis.npy"), module.basis(case))
    report = found | {"versions": module.versions()}
    Path(folder, "result.json").write_text(json.dumps(report), "utf-8")


def _one(call: Callable[[], object]) -> float:
    """Seconds of one call: of as many together as a clock can measure."""
    once = max(shortest(call), 1e-7)
    count = max(1, int(SPAN / once))

    def several() -> None:  # results are let go, so that their memory serves the next
        for _ in range(count):
            call()

    return shortest(several) / count


def _spent() -> float:
    """Seconds of a processor, of this process and of those that it waited for."""
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system


def _guard(end: float) -> None:
    # Not RLIMIT_CPU: with it the system counts a process's time in ticks of milliseconds.
    while time.process_time() < end:
        time.sleep(1.0)
    os._exit(OVER_LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
