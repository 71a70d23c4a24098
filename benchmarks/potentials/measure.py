"""Taking turns between processes: one run of each contender, then the next round."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.potentials.catalogue import CONTENDERS, PotentialCase
from benchmarks.potentials.structures import structures
from benchmarks.problem import NotPossible
from benchmarks.process import environment

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """A contender in a process of its own.

    Args:
        command: interpreter.
        spec: what to build.
        folder: where structures, weights and exact values are.
        cache: folder for compiled code.
    """

    def __init__(self, command: str, spec: Mapping[str, Any], folder: Path, cache: str) -> None:
        words = [command, "-m", "benchmarks.potentials.child", str(folder), json.dumps(spec)]
        self.log = folder / f"{spec['contender']}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                words,
                cwd=ROOT,
                env=environment(spec["threads"], cache),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.ready = self._answer()

    def ask(self, what: str) -> dict[str, Any]:
        """Has one pass run."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(what + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        said = self.log.read_text("utf-8", errors="replace").strip()
        last = (said or f"exit status {self.process.wait()}").splitlines()[-1]
        return {"construct_s": 0.0, "reason": last[:120]}

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:  # closes the pipes, which ends the loop there, and waits
            pass


def measure(
    asked: Mapping[str, Any],
    case: PotentialCase,
    title: str,
    chosen: Sequence[str],
    passes: Sequence[str],
    interpreters: Mapping[str, str],
) -> dict[str, Any]:
    """One table: times, errors and versions of all contenders.

    Args:
        asked: workload, number type, threads, repeats, device.
        case: shape and structures.
        title: of the workload.
        chosen: who takes part.
        passes: of `EF` and `step`.
        interpreters: paths by the names in `CONTENDERS`; this interpreter where there is none.
    """
    result = dict(asked) | {"case": case.name, "title": title, "passes": list(passes)}
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder, cache = Path(place), str(Path(place, "cache"))
        try:
            frames = structures(case.structures)
        except NotPossible as error:
            return result | {"failed": f"{asked['workload']} {case.name}: {error}"}
        text = json.dumps([{key: x.tolist() for key, x in frame.items()} for frame in frames])
        (folder / "structures.json").write_text(text, "utf-8")
        workers: dict[str, Worker] = {}
        # Schur comes last to be built: it takes the weights that a peer has written.
        for name in sorted(chosen, key=lambda name: name == "schur"):
            module, key = CONTENDERS[name]
            spec = dict(asked) | {"settings": dict(case.settings), "module": module}
            command = interpreters.get(key, sys.executable)
            workers[name] = stack.enter_context(
                Worker(command, spec | {"contender": name}, folder, cache)
            )
        rows = {name: dict(workers[name].ready) | {"passes": {}} for name in chosen}
        for what in passes:
            _in_turn({n: w for n, w in workers.items() if not rows[n]["reason"]}, what, rows, asked)
    return result | {"contenders": rows}


def _in_turn(
    workers: Mapping[str, Worker], what: str, rows: dict[str, Any], asked: Mapping[str, Any]
) -> None:
    """Fills in each contender's row for one pass."""
    for name, worker in workers.items():
        first = worker.ask(what)
        entry: dict[str, Any] = {"reason": first["reason"], "first_s": first.get("seconds", 0.0)}
        if first.get("errors"):
            entry |= {"errors": first["errors"], "error": max(first["errors"].values())}
        rows[name]["passes"][what] = entry
        if first.get("peak_bytes") is not None:
            memory = rows[name].setdefault("memory", {})
            memory[what] = {"peak_bytes": first["peak_bytes"]}
    able = [name for name in workers if rows[name]["passes"][what]["reason"] is None]
    seconds: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(asked["repeats"]):
        for name in able:
            seconds[name].append(workers[name].ask(what)["seconds"])
    for name, all_s in seconds.items():
        rows[name]["passes"][what].update(
            median_s=statistics.median(all_s), fastest_s=min(all_s), all_s=all_s
        )


def versions(result: Mapping[str, Any]) -> str:
    """A line that says what was compared."""
    rows = result.get("contenders", {})
    return "; ".join(
        f"{name}: " + ", ".join(f"{k} {v}" for k, v in row["versions"].items())
        for name, row in rows.items()
        if "versions" in row
    )
