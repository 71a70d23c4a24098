"""One contender's process: builds it, then runs passes as the parent asks, a line each.

The parent writes the name of a pass and reads what came of it as one line of JSON.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.child import bind_cores
from benchmarks.problem import NotPossible


def main(folder: str, spec_text: str) -> None:
    """Answers until the parent closes the pipe."""
    spec: dict[str, Any] = json.loads(spec_text)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print does not mix with the answers
    bind_cores(spec["threads"])
    import torch

    torch.set_num_threads(spec["threads"])
    start = time.perf_counter()
    contender, reason = _attempt(
        lambda: importlib.import_module(spec["module"]).build(spec, Path(folder))
    )
    ready = {"construct_s": time.perf_counter() - start, "reason": reason}
    if contender is not None:
        ready["versions"] = contender.versions()
    print(json.dumps(ready), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_pass(contender, line.strip(), Path(folder))), file=answers, flush=True)


def _pass(contender: Any, what: str, folder: Path) -> dict[str, Any]:
    from benchmarks.potentials.contender import errors

    gc.collect()
    start = time.perf_counter()
    found, reason = _attempt(lambda: _done(contender, what))
    seconds = time.perf_counter() - start
    if found is None:
        return {"reason": reason}
    said = {"seconds": seconds, "reason": None, "errors": errors(found, folder)}
    if what not in _measured:  # once is enough
        _measured[what] = _attempt(lambda: contender.peak_bytes(what))[0]
    return said | {"peak_bytes": _measured[what]}


_measured: dict[str, int | None] = {}


def _done(contender: Any, what: str) -> Any:
    found = contender.run(what)
    contender.wait()
    return found


def _attempt(action: Any) -> tuple[Any, str | None]:
    """The action's value, or why there is none: a peer that fails is reported, not hidden."""
    try:
        return action(), None
    except NotPossible as error:
        return None, str(error)
    except Exception as error:
        first = (str(error).strip() or "no message").splitlines()[0]
        return None, f"{type(error).__name__}: {first[:120]}"


if __name__ == "__main__":
    main(*sys.argv[1:])
