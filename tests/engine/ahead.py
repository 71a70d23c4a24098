"""What is compiled ahead, in a process where Triton compiles; prints what happened as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from triton import knobs

from schur.engine import Routine, rehearsal, triton_ahead, triton_backend, triton_workers
from schur.products import convolution
from schur.reps import Irreps

from ..support import idle_gpu

PROGRAM = convolution(Irreps("4x0e+4x1o"), Irreps("0e+1o"), Irreps("4x0e"))[0]
ROWS, NODES = 6, 3


def work(kinds: tuple[bool, ...] = (False, True)) -> None:
    """A value and its gradients, and once more from rows that do not begin at a round address."""
    index = torch.arange(ROWS) % NODES
    shapes = [(NODES if each.index else ROWS, each.size) for each in PROGRAM.inputs]
    values = [torch.randn(shape) for shape in shapes]
    for shifted in kinds:
        given = [torch.cat([v.new_zeros(1), v.reshape(-1)])[1:].view_as(v) for v in values]
        inputs = [value.requires_grad_() for value in (given if shifted else values)]
        indices = {"senders": index, "receivers": index}
        out = Routine(PROGRAM)(*inputs, indices=indices, sizes={"receivers": NODES})
        torch.autograd.grad(out.sum(), inputs)


def told(
    folder: Path, first: Callable[[], object], again: bool = False, waits: bool = True
) -> dict[str, Any]:
    """Which kernels a launch has found, and what processes were asked for."""
    if not again:
        os.environ |= {"TRITON_CACHE_DIR": str(folder / "triton"), "SCHUR_CACHE": str(folder)}
    for cache in (triton_backend._compiled, triton_ahead._workers, triton_ahead._triton):
        cache.cache_clear()
    triton_ahead._asked_for.clear()
    found: list[bool] = []
    asked: list[triton_workers.Job] = []
    submit = triton_workers.Workers.submit

    def counted(self: triton_workers.Workers, job: triton_workers.Job) -> None:
        asked.append(job)
        submit(self, job)

    def heard(*, src: Any, metadata: Any, metadata_group: Any, times: Any, cache_hit: bool) -> None:
        found.append(cache_hit)

    knobs.compilation.listener = heard
    triton_workers.Workers.submit = counted
    launched = idle_gpu.Driver.launches
    try:
        first()
        in_rehearsal = idle_gpu.Driver.launches - launched
        for job in asked if waits else ():
            assert job.finished.wait(900)
        compiled = len(found)
        work()
    finally:
        triton_workers.Workers.submit = submit
    return {
        "asked": len(asked),
        "launched in the rehearsal": in_rehearsal,
        "compiled in the rehearsal": compiled,
        "found": sum(found),
        "not found": len(found) - sum(found),
        "launched": idle_gpu.Driver.launches - launched,
        "notes": len(list(folder.glob("triton_*.json"))),
    }


def rehearsed() -> None:
    rehearsal.rehearse(work, torch.device("cpu"))


def with_a_fault() -> None:
    """Processes are told of more warps than are launched."""
    needed = triton_ahead._needed

    def wrong(*given: Any) -> list[str]:
        return [data.replace('"num_warps": 1', '"num_warps": 2') for data in needed(*given)]

    triton_ahead._needed = wrong
    try:
        rehearsed()
    finally:
        triton_ahead._needed = needed


def until_it_has_ended() -> None:
    rehearsal.rehearse(lambda: work((False,)), torch.device("cpu"))
    until = time.monotonic() + 900
    while triton_ahead._workers().most:
        assert time.monotonic() < until
        time.sleep(0.01)


def without_processes(folder: Path) -> dict[str, Any]:
    """The only one ends at once; the second kernel's job stays where it is."""
    script, triton_workers._SCRIPT = triton_workers._SCRIPT, folder / "there is no such file.py"
    try:
        return told(folder, until_it_has_ended, waits=False)
    finally:
        triton_workers._SCRIPT = script


def of_two_pools(folder: Path) -> list[Any]:
    """Two pools of processes are asked for one kernel at the same time."""
    questions: list[dict[str, Any]] = []
    submit = triton_workers.Workers.submit
    triton_workers.Workers.submit = lambda self, job: questions.append(job.question)
    os.environ |= {"TRITON_CACHE_DIR": str(folder / "triton"), "SCHUR_CACHE": str(folder)}
    triton_backend._compiled.cache_clear()
    triton_ahead._asked_for.clear()
    try:
        rehearsed()
    finally:
        triton_workers.Workers.submit = submit
    answers: list[Any] = []
    jobs = [triton_workers.Job(dict(questions[0]), answers.append) for _ in range(2)]
    for job in jobs:
        triton_workers.Workers(1).submit(job)
    assert all(job.finished.wait(900) for job in jobs)
    return answers


def main(folder: Path) -> None:
    idle_gpu.use()
    print(
        json.dumps(
            {
                "rehearsed": told(folder / "a", rehearsed),
                "again": told(folder / "a", rehearsed, again=True),
                "fault": told(folder / "b", with_a_fault),
                "no processes": without_processes(folder / "c"),
                "two pools": of_two_pools(folder / "d"),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
