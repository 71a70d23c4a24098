"""Starting a measuring process with its number of threads fixed before any library loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def environment(threads: int, cache: str) -> dict[str, str]:
    """Variables that fix the number of threads and where compiled code is kept."""
    return os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "JAX_PLATFORMS": "cpu",
        "PYTHONWARNINGS": "ignore",
        "XDG_CACHE_HOME": cache,
        "SCHUR_CACHE": str(Path(cache, "schur")),
        "TRITON_CACHE_DIR": str(Path(cache, "triton")),
        "TORCHINDUCTOR_CACHE_DIR": str(Path(cache, "inductor")),
    }


def in_fresh_process(spec: Mapping[str, Any], cache: str) -> dict[str, Any]:
    """Run `benchmarks.child` on a specification and return what it found.

    Args:
        spec: what to measure.
        cache: folder for compiled code; a new one makes compile seconds those of a first use.
    """
    with tempfile.TemporaryDirectory() as folder:
        variables = environment(spec["threads"], cache)
        if spec["what"] == "memory":
            # Freed arrays go back to the system at once, so that only what is alive counts.
            variables["MALLOC_MMAP_THRESHOLD_"] = "65536"
        asked, found = Path(folder, "spec.json"), Path(folder, "result.json")
        asked.write_text(json.dumps(spec), "utf-8")
        command = [sys.executable, "-m", "benchmarks.child", str(asked), str(found)]
        done = subprocess.run(
            command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not found.exists():
            last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
            return {"failed": last}
        return json.loads(found.read_text("utf-8"))
