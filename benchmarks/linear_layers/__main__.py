"""Time to build and to apply equivariant linear layers, beside emlp, on one core.

    python -m benchmarks.linear_layers --python emlp=/path/to/python

emlp 1.0.3 needs a JAX of its time: Python 3.11 with jax 0.4.13, jaxlib 0.4.13, objax 1.7.0,
numpy 1.25.2 and scipy 1.11.4 works. Each layer is built in a process of its own, as both packages
keep what they have solved. Numbers are milliseconds of a processor, medians of several processes;
but the first process finds nothing compiled on the disk, where Schur leaves its code for the next,
and is told apart.
A step is a forward pass with the gradients by weights and input, as in training: emlp projects its
weights in every call, Schur keeps its matrix as long as they stay.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.linear_layers.cases import CASES, CHANNELS, ROWS
from benchmarks.linear_layers.child import OVER_LIMIT
from benchmarks.process import ROOT, environment

CONTENDERS = ("schur", "emlp")
APPLY, STEP = ([f"{what} {rows}" for rows in ROWS] for what in ("apply", "step"))
TIMES = ("build_s", "first_s", *APPLY, *STEP)
COLUMNS = ("cold", "ready", *APPLY, *STEP)
# emlp solves in float32, to 1e-5.
AGREE = 1e-3


def measure(
    contender: str, case: str, interpreter: str, repeats: int, limit: int
) -> dict[str, Any]:
    """Medians over processes, the basis, and the versions; or the reason why there are none."""
    with tempfile.TemporaryDirectory() as cache:
        found = [_process(contender, case, interpreter, limit, cache) for _ in range(1 + repeats)]
    for row in found:
        if "reason" in row:
            return row
    first, *others = found
    medians = {name: statistics.median(row[name] for row in others) for name in TIMES}
    return first | medians | {"cold_s": first["build_s"] + first["first_s"]}


def _process(contender: str, case: str, interpreter: str, limit: int, cache: str) -> dict[str, Any]:
    """What one process measures, with its code compiled to that folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [interpreter, "-m", "benchmarks.linear_layers.child"]
        done = subprocess.run(
            [*command, contender, case, str(limit), folder],
            cwd=ROOT,
            env=environment(1, cache),
            capture_output=True,
            text=True,
            check=False,
        )
        result = Path(folder, "result.json")
        if not result.exists():
            said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
            slow = done.returncode == OVER_LIMIT
            return {"reason": f"over {limit} s" if slow else said}
        return json.loads(result.read_text("utf-8")) | {"basis": np.load(Path(folder, "basis.npy"))}


def disagreement(one: np.ndarray, other: np.ndarray) -> float:
    """How far a column of one basis lies outside the span of the other; 1 where ranks differ."""
    if one.shape[1] != other.shape[1]:
        return 1.0
    q, _ = np.linalg.qr(other)
    return float(np.linalg.norm(one - q @ (q.T @ one), axis=0).max(initial=0.0))


def line(name: str, rows: Mapping[str, dict[str, Any]]) -> str:
    """One case as a row of a Markdown table."""
    mine, peer = rows["schur"], rows["emlp"]
    if "reason" in mine or "reason" in peer:
        reasons = "; ".join(
            f"{who}: {row['reason']}" for who, row in rows.items() if "reason" in row
        )
        have = "" if "reason" in mine else f" {mine['basis'].shape[1]} "
        alone = [_ms(mine, key) if have else "-" for key in COLUMNS]
        return f"| {name} |{have}| " + " | ".join(alone) + f" | {reasons} |"
    off = disagreement(mine["basis"], peer["basis"])
    if off > AGREE:
        raise ArithmeticError(f"{name}: the two spaces of maps differ by {off:.1e}")
    cells = [_beside(mine, peer, key) for key in COLUMNS]
    return f"| {name} | {mine['basis'].shape[1]} | " + " | ".join(cells) + " |"


def _beside(mine: Mapping[str, Any], peer: Mapping[str, Any], key: str) -> str:
    return f"{_ms(mine, key)} / {_ms(peer, key)} ({_value(peer, key) / _value(mine, key):.2g}x)"


def _value(row: Mapping[str, Any], key: str) -> float:
    if key == "cold":
        return row["cold_s"]
    return row["build_s"] + row["first_s"] if key == "ready" else row[key]


def _ms(row: Mapping[str, Any], key: str) -> str:
    return f"{1e3 * _value(row, key):.3g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure case by case and print a line for each as it comes."""
    options = _parser().parse_args(arguments)
    interpreters = dict(pair.split("=", 1) for pair in options.python)
    print(f"{CHANNELS} channels, float32, one core; milliseconds schur / emlp")
    print(f"load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    heads = [f"forward, {rows} rows" for rows in ROWS] + [f"step, {rows} rows" for rows in ROWS]
    print(
        "| layer | maps | for the first time | built and called once | " + " | ".join(heads) + " |"
    )
    print("|---|---|---|---|" + "---|" * len(heads), flush=True)
    seen: dict[str, str] = {}
    for name in options.cases:
        rows = {
            who: measure(
                who, name, interpreters.get(who, sys.executable), options.repeats, options.limit
            )
            for who in CONTENDERS
        }
        print(line(name, rows), flush=True)
        for row in rows.values():
            seen |= row.get("versions", {})
    print(", ".join(f"{key} {value}" for key, value in seen.items()))
    print(f"load of the machine {os.getloadavg()[0]:.1f}")


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        "python -m benchmarks.linear_layers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH", help="interpreters")
    found.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    found.add_argument("--repeats", type=int, default=3, help="processes for each contender")
    found.add_argument("--limit", type=int, default=200, help="seconds of a processor for each")
    return found


if __name__ == "__main__":
    main()
