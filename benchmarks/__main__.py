"""`python -m benchmarks [W2 W7 ...]`: Schur beside its peers, as tables and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

import schur
from benchmarks import device, latency
from benchmarks.potentials import measure as potentials
from benchmarks.potentials.catalogue import CONTENDERS as POTENTIAL_CONTENDERS
from benchmarks.potentials.catalogue import PASSES as POTENTIAL_PASSES
from benchmarks.potentials.catalogue import POTENTIALS
from benchmarks.potentials.catalogue import cases_on as potential_cases
from benchmarks.problem import PASSES
from benchmarks.process import in_fresh_process
from benchmarks.tables import table
from benchmarks.workload import CONTENDERS, Case
from benchmarks.workloads.catalogue import WORKLOADS, workload

PACKAGES = (
    *("torch", "numpy", "e3nn", "cuequivariance", "cuequivariance-torch", "e3nn-jax", "jax"),
    *("sphericart-torch", "openequivariance"),
)


NAMES = [*WORKLOADS, *POTENTIALS, "W12"]
# What is not run unless it is asked for: a part of W12.
START = "start"


def main() -> None:
    """Parse, measure case by case, print each table as it comes, write the JSON at the end."""
    parser = _parser()
    options = parser.parse_args()
    _refuse_unknown(parser, options.workloads, [*NAMES, START])
    _refuse_unknown(parser, options.contenders or [], [*CONTENDERS, *POTENTIAL_CONTENDERS])
    if options.list:
        for name in WORKLOADS:
            each = workload(name)
            print(f"{name}  {each.title}: {', '.join(c.name or 'one case' for c in each.cases)}")
        for name, (title, _) in POTENTIALS.items():
            cases = potential_cases(name, options.device)
            print(f"{name}  {title}: {', '.join(case.name for case in cases)}")
        print(f"W12  {latency.TITLE}: {', '.join(latency.MOLECULES)}")
        print(f"{START}  of these MACE alone, and whether it starts in time")
        return
    if (reason := device.lacking(options.device)) is not None:
        parser.error(reason)
    report: dict[str, Any] = {"machine": machine(), "results": []}
    print("  ".join(f"{key} {value}" for key, value in report["machine"]["versions"].items()))
    print(f"{report['machine']['processor']}, {report['machine']['cores']} cores")
    for name in options.workloads or NAMES:
        for line, results in measured(name, options):
            report["results"] += results
            print("\n" + line, flush=True)
            _write(options.json, report)
    print(f"\nraw numbers: {options.json}")


def measured(name: str, options: argparse.Namespace) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each table of one workload with the numbers behind it."""
    for dtype, threads in product(options.dtype, options.threads):
        count = len(os.sched_getaffinity(0)) if threads == "all" else int(threads)
        asked = {"workload": name, "dtype": dtype, "threads": count, "repeats": options.repeats}
        asked["device"] = options.device
        if name in ("W12", START):
            found = measure_latency(asked, options)
            failed = [result["failed"] for result in found if "failed" in result]
            verdict = latency.verdict(found) if name == START and not failed else ""
            yield f"{name}: {failed[0]}" if failed else latency.table(found) + verdict, found
            continue
        if name in POTENTIALS:
            yield from measure_potentials(asked, options)
            continue
        for case in workload(name, options.device).cases:
            if not options.cases or case.name in options.cases:
                result = measure(asked, case, options)
                yield result.get("failed") or table(result), [result]


def measure_potentials(
    asked: dict[str, Any], options: argparse.Namespace
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """One table a case; contenders are processes of their own that take turns."""
    title, _ = POTENTIALS[asked["workload"]]
    passes = [what for what in POTENTIAL_PASSES if what in options.passes]
    for case in potential_cases(asked["workload"], asked["device"]):
        if options.cases and case.name not in options.cases:
            continue
        chosen = [c for c in case.contenders if not options.contenders or c in options.contenders]
        result = potentials.measure(asked, case, title, chosen, passes, options.python)
        yield result.get("failed") or f"{table(result)}\n  {potentials.versions(result)}", [result]


def measure_latency(asked: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each molecule twice: routines compiled on the way, and found in the cache."""
    results = []
    shapes = ["mace"] if asked["workload"] == START else latency.SHAPES
    for architecture, molecule in product(shapes, options.cases or latency.MOLECULES):
        with tempfile.TemporaryDirectory() as cache:
            for state in ("empty", "full"):
                spec = asked | {"what": "latency", "architecture": architecture, "case": molecule}
                found = in_fresh_process(spec, cache)
                results.append(spec | {"cache": state} | found)
    return results


def measure(asked: dict[str, Any], case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Times of all contenders from one process, memory of each from one of its own."""
    chosen = [c for c in case.contenders if not options.contenders or c in options.contenders]
    spec = asked | {
        "what": "time",
        "case": case.name,
        "title": workload(asked["workload"], asked["device"]).title,
        "passes": [what for what in PASSES if what in options.passes],
        "contenders": chosen,
    }
    with tempfile.TemporaryDirectory() as cache:
        found = in_fresh_process(spec, cache)
        if "failed" in found:
            return spec | {"failed": f"{spec['workload']} {case.name}: {found['failed']}"}
        for contender, row in found["contenders"].items() if options.memory else ():
            alone = spec | {"what": "memory", "contenders": [contender]}
            row["memory"] = in_fresh_process(alone, cache)
    return spec | found


def machine() -> dict[str, Any]:
    """What the numbers were measured with."""
    versions = {"schur": schur.__version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    model = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "versions": versions,
        "python": platform.python_version(),
        "processor": model[0] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
    }


class _Interpreters(argparse.Action):
    """`mace=/path/to/python` as an entry of a dictionary."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        known = {key for _, key in POTENTIAL_CONTENDERS.values()}
        pairs = dict(value.split("=", 1) for value in values if "=" in value)
        if len(pairs) < len(values) or not pairs.keys() <= known:
            parser.error(f"--python takes NAME=PATH, NAME one of {', '.join(sorted(known))}")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), **pairs})


def _refuse_unknown(parser: argparse.ArgumentParser, given: list[str], known: list[str]) -> None:
    if unknown := [name for name in given if name not in known]:
        parser.error(f"there is no {', '.join(unknown)}; there are: {', '.join(known)}")


def _write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1), "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("workloads", nargs="*", help=f"any of {' '.join(NAMES)}; all without")
    add("--list", action="store_true", help="print the workloads and their cases")
    add("--cases", nargs="+", help="only the cases of these names")
    add("--dtype", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
    add(
        "--device",
        default="cpu",
        choices=device.DEVICES,
        help="cuda: larger sizes, and more of them",
    )
    add("--threads", nargs="+", default=["1", "all"], help="numbers, or all")
    every = [*PASSES, *POTENTIAL_PASSES]
    add("--passes", nargs="+", default=every, choices=every)
    add("--contenders", nargs="+", help="only these")
    add(
        "--python",
        nargs="+",
        default={},
        action=_Interpreters,
        metavar="NAME=PATH",
        help="interpreters of mace and nequip, which need another e3nn or much else",
    )
    add("--repeats", type=int, default=7, help="runs of each contender (median; 7 is the rule)")
    add("--no-memory", dest="memory", action="store_false", help="leave out peak memory")
    add("--json", type=Path, default=Path("benchmarks/results/latest.json"))
    return parser


if __name__ == "__main__":
    main()
