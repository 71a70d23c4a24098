"""One measuring process: reads what to do from one file, writes what it found to another."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(spec_file: str, result_file: str) -> None:
    """Measure one case as the parent asks."""
    spec: dict[str, Any] = json.loads(Path(spec_file).read_text("utf-8"))
    bind_cores(spec["threads"])
    Path(result_file).write_text(json.dumps(_measured(spec)), "utf-8")


def _measured(spec: dict[str, Any]) -> dict[str, Any]:
    # Imports wait until it is known what is measured: one workload measures importing itself.
    if spec["what"] == "latency":
        from benchmarks import latency

        return latency.measure(spec)
    from benchmarks import measure
    from benchmarks.workloads.catalogue import workload

    measure.limit_resources(spec["threads"], spec["device"])
    cases = workload(spec["workload"], spec["device"]).cases
    case = next(each for each in cases if each.name == spec["case"])
    return (
        measure.peak_memory(case, spec)
        if spec["what"] == "memory"
        else measure.time_case(case, spec)
    )


def bind_cores(count: int) -> None:
    """Every library's threads stay on so many cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


if __name__ == "__main__":
    main(*sys.argv[1:])
