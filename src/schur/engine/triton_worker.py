"""A process that compiles kernels into Triton's cache; run by its path, it knows nothing of schur.

It reads one line of JSON for each kernel and answers with one.  The first line is `sys.path` of the
process that asks, so that both have the same Triton.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until nobody asks."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the compiler prints is no answer
    sys.path[:] = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        try:
            answer = compiled(**json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error)[-500:]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def compiled(path: str, name: str, source: str, data: str, patient: bool = False) -> dict[str, Any]:
    """Compile a kernel, or find it in the cache.

    Args:
        path: the file of the kernel's module.
        name: of the kernel.
        source: a hash of its text and place in the file, which may hold another one by now.
        data: what it is specialised for, as Triton's JITFunction describes it.
        patient: whether to wait for another process that compiles it now.

    Returns:
        `hash`, of the kernel's source with what it calls, and the `file` that Triton finds it by;
        or `busy`.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = getattr(_module(path), name)
    text = f"{function.starting_line_number}\n{function.src}"
    if hashlib.sha256(text.encode()).hexdigest() != source:
        raise ValueError(f"{path} holds another kernel {name}")
    asked = json.loads(data)
    signature = {key: _tuples(value) for key, value in asked["signature"].items()}
    constants = _by_place(asked, "constant")
    if any(isinstance(value, dict) for value in constants.values()):
        raise TypeError(f"constants that are more than values: {constants}")
    options = {key: _tuples(value) for key, value in asked["options"].items()}
    with _alone(path, function.starting_line_number, patient) as is_free:
        if not is_free:
            return {"busy": True}
        made = triton.compile(
            ASTSource(function, signature, constants, _by_place(asked, "attrs")),
            target=GPUTarget(**asked["target"]),
            options=options,
        )
    return {"hash": function.cache_key, "file": file_of(made)}


def file_of(made: Any) -> str:
    """Where Triton finds a compiled kernel."""
    (file,) = (each for kind, each in made.metadata_group.items() if kind.endswith(".json"))
    return str(file)


def _by_place(asked: dict[str, Any], what: str) -> dict[tuple[int, ...], Any]:
    keys, values = asked[f"{what}_keys"], asked[f"{what}_vals"]
    return {tuple(key): value for key, value in zip(keys, values, strict=True)}


def _tuples(value: Any) -> Any:
    """JSON has lists for tuples; Triton's signatures and options have no lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@cache
def _module(path: str) -> Any:
    """A file as a module, by the name that the asking process has given it."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@contextlib.contextmanager
def _alone(path: str, line: int, patient: bool) -> Iterator[bool]:
    """Holds the lock of a kernel: a byte of its file, which all processes on this machine see.

    Where files cannot be locked two processes may do the same; the cache bears it.
    """
    import fcntl

    with contextlib.ExitStack() as held:
        try:
            file = held.enter_context(open(path, "rb+"))
            fcntl.lockf(file, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB), 1, line)
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass
        yield True


if __name__ == "__main__":
    main()
