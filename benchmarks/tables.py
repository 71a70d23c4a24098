"""What was measured as a table of at most a hundred columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEADINGS = {"F": "F", "FB": "F+B", "FBB": "F+B+BB", "EF": "E+F", "step": "step"}


def table(result: Mapping[str, Any]) -> str:
    """One case: for each contender times, how many times slower it is, error, memory, compile.

    A multiplier such as `x12.3` is the contender's time over that of the first one listed; `~`
    marks a median of fewer than seven runs. On a GPU `% of copy` is what must cross its memory at
    least, in percent of what a copy within that memory moves in the same time.
    """
    passes: Sequence[str] = result["passes"]
    header = ["", *(f"{HEADINGS[w]} ms" for w in passes), "error", "peak MB", "of least", "first s"]
    copied = result.get("copied_a_second")
    header += ["% of copy"] if copied else []
    lines, notes = [header], []
    first = next(iter(result["contenders"]))
    for name, row in result["contenders"].items():
        cells = [_time(result, name, what, first) for what in passes]
        share = [_of_copy(row, passes, copied)] if copied else []
        lines.append([name, *cells, _error(row), *_memory(row, passes), _first(row), *share])
        reasons = {row.get("reason"), *(entry.get("reason") for entry in row["passes"].values())}
        notes += [f"  {name}: {reason}" for reason in sorted(filter(None, reasons))]
    if result.get("operations"):
        counts = "/".join(f"{result['operations'][what] / 1e9:.3g}" for what in passes)
        notes.append(f"  operations with every term multiplied out: {counts} G")
    title = f"{result['workload']} {result['case']}".strip()
    head = f"{title} | {result['dtype']} | {result['threads']} thread(s) | {result['title']}"
    return "\n".join([head, *_aligned(lines), *notes])


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _time(result: Mapping[str, Any], name: str, what: str, first: str) -> str:
    entry = result["contenders"][name]["passes"].get(what, {})
    seconds = entry.get("median_s")
    if seconds is None:
        return "-"
    base = result["contenders"][first]["passes"].get(what, {}).get("median_s")
    few = "~" if len(entry["all_s"]) < 7 else ""  # fewer runs than the rule asks for
    ratio = "" if base is None or name == first else f" x{seconds / base:<5.3g}"
    number = f"{seconds * 1e3:.3g}" if seconds < 1 else f"{seconds * 1e3:.0f}"
    return f"{few}{number}{ratio}"


def _error(row: Mapping[str, Any]) -> str:
    errors = [entry["error"] for entry in row["passes"].values() if "error" in entry]
    return f"{max(errors):.0e}" if errors else "-"


def _memory(row: Mapping[str, Any], passes: Sequence[str]) -> tuple[str, str]:
    """Peak of each pass, and its ratio to inputs plus outputs."""
    memory = row.get("memory") or {}
    entries = [memory.get(what, {}) for what in passes]
    if not any("peak_bytes" in entry for entry in entries):
        return "-", "-"
    peaks = "/".join(f"{e['peak_bytes'] / 1e6:.0f}" if "peak_bytes" in e else "-" for e in entries)
    ratios = "/".join(f"{e['ratio']:.2g}" if "ratio" in e else "-" for e in entries)
    return peaks, ratios


def _of_copy(row: Mapping[str, Any], passes: Sequence[str], copied: float) -> str:
    entries = [row["passes"].get(what, {}) for what in passes]
    shares = [
        f"{100 * entry['bytes'] / entry['median_s'] / copied:.0f}" if "median_s" in entry else "-"
        for entry in entries
    ]
    return "/".join(shares) if row["passes"] else "-"


def _first(row: Mapping[str, Any]) -> str:
    """Seconds to construct and to run each pass for the first time, compilation included."""
    total = row["construct_s"] + sum(entry["first_s"] for entry in row["passes"].values())
    return f"{total:.1f}" if row["passes"] else "-"
