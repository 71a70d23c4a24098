"""Runs in a process of its own, without the checks that tests install: what do callers see?

Prints one line for each case in which something else happens than an error of the library that
says what was got and what was expected.  Running to the end shows that the interpreter survives.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from message import NODES, SIZES, edges, message_program, operands

from schur.engine import Routine, Sorted
from schur.errors import BackendError, DtypeError, IndexRangeError, SchurError, ShapeError

PROGRAM = message_program()
FAR = 10**15


def call(backend: str = "auto", **changes: Any) -> Any:
    """The routine on good input, but for the changes."""
    values = list(operands())
    index: dict[str, Any] = dict(edges())
    sizes: dict[str, Any] = dict(SIZES)
    names = [operand.name for operand in PROGRAM.inputs]
    for name, change in changes.items():
        if name in names:
            values[names.index(name)] = change(values[names.index(name)])
        elif name in index:
            index[name] = change(index[name])
    sizes = changes.get("sizes", dict)(sizes)
    index = changes.get("indices", dict)(index)
    values = changes.get("values", list)(values)
    asked: Any = backend
    return Routine(PROGRAM, asked)(*values, indices=index, sizes=sizes)


def at(position: int, value: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """An index with one entry changed."""

    def change(index: torch.Tensor) -> torch.Tensor:
        index = index.clone()
        index[position] = value
        return index

    return change


CASES: dict[str, tuple[type[SchurError], dict[str, Any]]] = {
    "too few operands": (ShapeError, {"values": lambda v: v[:-1]}),
    "too many operands": (ShapeError, {"values": lambda v: [*v, v[0]]}),
    "no operands": (ShapeError, {"values": lambda v: []}),
    "a row too wide": (ShapeError, {"edge": lambda t: torch.ones(9, 4).double()}),
    "a row too few": (ShapeError, {"edge": lambda t: t[:-1]}),
    "an axis too few": (ShapeError, {"edge": lambda t: t[:, 0]}),
    "an axis too many": (ShapeError, {"edge": lambda t: t[None]}),
    "a number": (ShapeError, {"edge": lambda t: t.sum()}),
    "shared with rows": (ShapeError, {"mix": lambda t: t[None]}),
    "shared too short": (ShapeError, {"mix": lambda t: t[:-1]}),
    "mixed types": (DtypeError, {"weight": lambda t: t.float()}),
    "half among double": (DtypeError, {"x": lambda t: t.half()}),
    "integers": (DtypeError, {"values": lambda v: [t.long() for t in v]}),
    "truth values": (DtypeError, {"values": lambda v: [t > 0 for t in v]}),
    "complex numbers": (DtypeError, {"values": lambda v: [t + 0j for t in v]}),
    "one integer operand": (DtypeError, {"mix": lambda t: t.long()}),
    "an array of numpy": (DtypeError, {"x": lambda t: t.numpy()}),
    "a list": (DtypeError, {"mix": lambda t: t.tolist()}),
    "nothing": (DtypeError, {"mix": lambda t: None}),
    "an operand elsewhere": (DtypeError, {"edge": lambda t: t.to("meta")}),
    "the first operand elsewhere": (DtypeError, {"x": lambda t: t.to("meta")}),
    "an index elsewhere": (DtypeError, {"senders": lambda t: t.to("meta")}),
    "an index of floats": (DtypeError, {"senders": lambda t: t.double()}),
    "an index of bytes": (DtypeError, {"senders": lambda t: t.byte()}),
    "a mask as index": (DtypeError, {"senders": lambda t: t > 1}),
    "an index as list": (DtypeError, {"receivers": lambda t: t.tolist()}),
    "an index as array": (DtypeError, {"receivers": lambda t: t.numpy()}),
    "an index too short": (ShapeError, {"senders": lambda t: t[:-1]}),
    "an index too long": (ShapeError, {"receivers": lambda t: torch.cat([t, t])}),
    "an index with two axes": (ShapeError, {"senders": lambda t: t[None]}),
    "an index without axes": (ShapeError, {"senders": lambda t: t[0]}),
    "no index": (ShapeError, {"indices": lambda i: {}}),
    "a misspelt index": (ShapeError, {"indices": lambda i: {"sender": i["senders"]}}),
    "no size": (ShapeError, {"sizes": lambda s: {}}),
    "a size that contradicts": (ShapeError, {"sizes": lambda s: {**s, "senders": 4}}),
    "rows that contradict": (ShapeError, {"sizes": lambda s: {**s, "rows": 4}}),
    "a negative size": (ShapeError, {"sizes": lambda s: {"receivers": -1}}),
    "a size that is no number": (ShapeError, {"sizes": lambda s: {"receivers": "5"}}),
    "a size that is no integer": (ShapeError, {"sizes": lambda s: {"receivers": 5.0}}),
    "a sort for another length": (ShapeError, {"receivers": lambda t: Sorted(t, 7)}),
    "a sort of too few rows": (ShapeError, {"receivers": lambda t: Sorted(t[:-1], NODES)}),
    "a sort beyond its table": (IndexRangeError, {"receivers": lambda t: Sorted(t, 2)}),
    "a sort with a negative entry": (IndexRangeError, {"senders": lambda t: Sorted(-t, NODES)}),
    "a sort of floats": (DtypeError, {"senders": lambda t: Sorted(t.double(), NODES)}),
    "a sort of negative length": (ShapeError, {"senders": lambda t: Sorted(t[:0], -1)}),
    "a table too short": (IndexRangeError, {"x": lambda t: t[:2]}),
    "an empty table": (IndexRangeError, {"x": lambda t: t[:0]}),
    "sums in a table too short": (IndexRangeError, {"sizes": lambda s: {"receivers": 2}}),
    "sums in an empty table": (IndexRangeError, {"sizes": lambda s: {"receivers": 0}}),
}
for name in ("senders", "receivers"):
    for position in range(9):
        for value in (-1, NODES, FAR, -FAR):
            CASES[f"{name}[{position}] = {value}"] = (
                IndexRangeError,
                {name: at(position, value)},
            )


def judged(expected: type[SchurError], work: Callable[[], Any]) -> str | None:
    """What is wrong about the outcome, or None."""
    try:
        work()
    except SchurError as error:
        if not isinstance(error, expected):
            return f"{type(error).__name__} in place of {expected.__name__}"
        text = str(error)
        return None if "got:" in text or "remedy:" in text else f"says too little: {text!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def fuzzed(seed: int) -> str | None:
    """Several random changes at once: a result of the right shape, or an error of the library."""
    chosen = random.Random(seed)
    names = chosen.sample(sorted(CASES), 2)
    changes: dict[str, Any] = {}
    for name in names:
        changes.update(CASES[name][1])
    try:
        out, total = call(chosen.choice(["torch", "c"]), **changes)
        return None if out.shape[1] == 16 and total.shape == (5,) else f"{out.shape}"
    except SchurError:
        return None
    except Exception as error:
        return f"{names}: {type(error).__name__}: {error}"


def main() -> None:
    for backend in ("torch", "c"):
        for name, (expected, changes) in CASES.items():
            problem = judged(expected, lambda b=backend, c=changes: call(b, **c))
            if problem is not None:
                print(f"{backend}: {name}: {problem}")
    problem = judged(BackendError, lambda: call("fortran"))
    if problem is not None:
        print(f"a backend that is not there: {problem}")
    # Compiled graphs check the index when they run, and not when they are traced.
    routine = Routine(PROGRAM, "c")
    compiled = torch.compile(
        lambda values, index: routine(*values, indices=index, sizes=SIZES)[0],
        backend="aot_eager",
        fullgraph=True,
    )
    compiled(operands(), dict(edges()))
    for name in ("senders", "receivers"):
        for value in (-1, NODES, FAR):
            wrong = {**edges(), name: at(4, value)(edges()[name])}
            problem = judged(IndexRangeError, lambda w=wrong: compiled(operands(), w))
            if problem is not None:
                print(f"compiled: {name} = {value}: {problem}")
    for seed in range(300):
        problem = fuzzed(seed)
        if problem is not None:
            print(f"fuzzed {seed}: {problem}")
    assert judged(ShapeError, lambda: call()) == "no error", "the judge passes what is good"
    print("reached the end")


if __name__ == "__main__":
    main()
