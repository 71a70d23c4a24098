"""What runs in the measuring process: build, check against exact values, then time in turn."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import device
from benchmarks.operations import operations
from benchmarks.problem import Contender, NotPossible, Reference
from benchmarks.workload import Case

PATIENCE = 5.0  # seconds


def attempt(action: Any) -> tuple[Any, str | None]:
    """The action's value, or why there is none: a peer that fails is reported, not hidden."""
    try:
        return action(), None
    except NotPossible as error:
        return None, str(error)
    except Exception as error:
        first = (str(error).strip() or "no message").splitlines()[0]
        return None, f"{type(error).__name__}: {textwrap.shorten(first, 120)}"


def time_case(case: Case, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Every contender of one case in one process, pass by pass, taking turns."""
    problem = case.problem()
    reference, missing = attempt(lambda: case.exact(problem))
    device.use(spec["device"])
    rows: dict[str, dict[str, Any]] = {}
    ready: dict[str, Contender] = {}
    for name in spec["contenders"]:
        start = time.perf_counter()
        contender, reason = attempt(lambda name=name: case.build(name, problem, spec["dtype"]))
        rows[name] = {"construct_s": time.perf_counter() - start, "passes": {}, "reason": reason}
        if contender is not None:
            ready[name] = contender
    for what in spec["passes"]:
        able = {
            name: contender
            for name, contender in ready.items()
            if _check(contender, what, reference, rows[name])
        }
        for name, seconds in _in_turn(able, what, spec["repeats"]).items():
            rows[name]["passes"][what].update(
                median_s=statistics.median(seconds), fastest_s=min(seconds), all_s=seconds
            )
        for name, contender in able.items() if device.is_gpu() else ():
            rows[name]["passes"][what]["bytes"] = contender.bytes_held(what)[0]
    copied = device.copied_a_second()
    return {
        "contenders": rows,
        "reference": missing or case.reference,
        "copied_a_second": copied,
        "operations": operations(spec["workload"], case.name, problem) if copied else {},
    }


def _done(contender: Contender, what: str) -> None:
    contender.run(what)
    device.wait()


def _check(contender: Contender, what: str, reference: Reference | None, row: Any) -> bool:
    """Run once, which compiles, and again for the error; whether the pass can be timed."""
    start = time.perf_counter()
    reason = attempt(lambda: _done(contender, what))[1]
    entry = {"first_s": time.perf_counter() - start, "reason": reason}
    row["passes"][what] = entry
    if reason is not None:
        return False
    if reference is not None:
        errors, reason = attempt(lambda: reference.errors(contender.results(what)))
        entry["reason"] = reason
        if errors is not None:
            entry.update(errors=errors, error=max(errors.values()))
    return reason is None


def _in_turn(
    contenders: Mapping[str, Contender], what: str, repeats: int
) -> dict[str, list[float]]:
    """Seconds of each run: one of each contender, then the next round."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            gc.collect()
            start = time.perf_counter()
            done = contender.run(what)
            device.wait()
            seconds[name].append(time.perf_counter() - start)
            del done
    return seconds


def peak_memory(case: Case, spec: Mapping[str, Any]) -> dict[str, Any]:
    """For one contender, in a process of its own, how far resident memory rises in each pass.

    The rise is the peak during a second, warm run less what was resident before the contender's
    inputs were made, its packages loaded: inputs, outputs, buffers kept and scratch space.
    """
    name = spec["contenders"][0]
    reason = attempt(lambda: case.adapter(name))[1]
    if reason is not None:
        return {"reason": reason}
    problem = case.problem()
    device.use(spec["device"])
    gc.collect()
    before = 0 if device.is_gpu() else _resident("VmRSS")
    contender, reason = attempt(lambda: case.build(name, problem, spec["dtype"]))
    if reason is not None:
        return {"reason": reason}
    found: dict[str, Any] = {}
    for what in spec["passes"]:
        reason = attempt(lambda what=what: contender.run(what))[1]  # its result is let go
        if reason is not None:
            found[what] = {"reason": reason}
            continue
        peak = _peak(contender, what) - before
        least, idle = contender.bytes_held(what)
        peak -= idle
        found[what] = {"peak_bytes": peak, "held_bytes": least, "ratio": peak / least}
    return found


def _peak(contender: Contender, what: str) -> int:
    if device.is_gpu():
        return device.gpu_peak(lambda: contender.run(what))
    gc.collect()
    _forget_peak()
    done = contender.run(what)
    peak = _resident("VmHWM")
    del done
    return peak


def _forget_peak() -> None:
    """Start the kernel's record of the peak anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in /proc/self/status")


def limit_resources(threads: int, where: str) -> None:
    """Tell torch its threads, and keep this process from taking all of the memory.

    A contender that needs more than there is then fails alone, and is reported.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if where == "cpu":  # a GPU's driver reserves far more addresses than there is memory
        resource.setrlimit(resource.RLIMIT_AS, (int(0.7 * memory), resource.RLIM_INFINITY))
    import torch

    torch.set_num_threads(threads)
