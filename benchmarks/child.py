"""One measuring process: reads what to do from one file, writes what it found to another."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.workloads.catalogue import workload


def main(spec_file: str, result_file: str) -> None:
    """Measure one case as the parent asks."""
    spec: dict[str, Any] = json.loads(Path(spec_file).read_text("utf-8"))
    measure.limit_resources(spec["threads"])
    case = next(c for c in workload(spec["workload"]).cases if c.name == spec["case"])
    action = measure.peak_memory if spec["what"] == "memory" else measure.time_case
    Path(result_file).write_text(json.dumps(action(case, spec)), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
