"""Processes that compile kernels side by side, while this one goes on (`triton_worker`).

Not threads: Triton's front end, a sixth of the work, holds Python's lock, as does whoever asks.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from schur.errors import BackendError

_log = logging.getLogger("schur")

_SCRIPT = Path(__file__).with_name("triton_worker.py")
_MOST = 16
# Seconds after which a process that has nothing to do ends.
_IDLE = 10.0
# Seconds after which nobody waits for a process any longer: something is wrong with it.
_PATIENCE = 180.0


@lru_cache(maxsize=1)
def most() -> int:
    """How many processes compile at a time; zero where there is nothing to gain.

    SCHUR_COMPILERS, or one less than there are processors for this process, of those that torchrun
    has started on this machine.

    Raises:
        BackendError: if SCHUR_COMPILERS is no number.
    """
    if (asked := os.environ.get("SCHUR_COMPILERS")) is not None:
        if not asked.isdecimal():
            raise BackendError(
                "SCHUR_COMPILERS is no number of processes", got=asked, expected="0, 1, 2 ..."
            )
        return int(asked)
    if not Path(sys.executable or "-").name.startswith("python"):
        return 0  # embedded in another program, which is no interpreter
    mine = len(os.sched_getaffinity(0)) // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    return max(0, min(_MOST, mine - 1))


@dataclass(eq=False)
class Job:
    """A kernel that is asked for.

    Args:
        question: what the process is told.
        done: called with its answer.
    """

    question: dict[str, Any]
    done: Callable[[dict[str, Any]], object]
    finished: threading.Event = field(default_factory=threading.Event)


class Workers:
    """Up to `most` processes, each with a thread that asks it; they come and go with the work."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._threads = self._idle = 0

    def submit(self, job: Job) -> None:
        """Have a kernel compiled when a process has time."""
        with self._changed:
            self._queue.append(job)
            if self._idle < len(self._queue) and self._threads < self.most:
                self._threads += 1
                threading.Thread(target=self._serve, daemon=True).start()
            self._changed.notify()

    def settle(self, job: Job) -> None:
        """Wait for a kernel; one that nobody has begun with is taken back."""
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)
                return
        if not job.finished.wait(_PATIENCE):
            _log.debug("compiled at its launch: a process is silent for %g s", _PATIENCE)

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: bool(self._queue), _IDLE)
            self._idle -= 1
            if self._queue:
                return self._queue.popleft()
            self._threads -= 1
            return None

    def _serve(self) -> None:
        process: subprocess.Popen[str] | None = None
        job = None
        try:
            while (job := self._next()) is not None:
                process = process or _started()
                answer = _asked(process, job.question)
                if answer.get("busy"):
                    # Another process of this machine compiles it: first what nobody does.
                    self._again(job)
                    continue
                job.done(answer)
                job.finished.set()
        except Exception as error:  # a launch must not wait for what will not come
            _log.debug("kernels are compiled at their launch: %s", error)
            self._give_up()
            if job is not None:
                job.finished.set()
        finally:
            if process is not None:
                _end(process)

    def _give_up(self) -> None:
        """One process less, and none in its place; what is in the queue can be taken back."""
        with self._changed:
            self._threads -= 1
            self.most = self._threads

    def _again(self, job: Job) -> None:
        with self._changed:
            job.question["patient"] = True
            self._queue.append(job)


def _started() -> subprocess.Popen[str]:
    # Isolated: a script's own folder must not come before the standard library.
    process = subprocess.Popen(
        [sys.executable, "-I", str(_SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    _say(process, sys.path)
    return process


def _say(process: subprocess.Popen[str], what: object) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()


def _asked(process: subprocess.Popen[str], question: dict[str, Any]) -> dict[str, Any]:
    assert process.stdout is not None
    _say(process, question)
    line = process.stdout.readline()
    if not line:
        raise OSError(f"a process that compiles has ended with status {process.wait()}")
    return json.loads(line)


def _end(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                pipe.close()
    process.wait()
