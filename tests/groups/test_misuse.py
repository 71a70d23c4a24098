"""Sizes and orders that are none are refused in words, where nothing checks types at run time."""

from __future__ import annotations

import subprocess
import sys

# The suite checks types at run time and would refuse these first: hence a process of its own.
CALLS = """
import torch
from schur.errors import SchurError
from schur.groups import Alt, GeneralLinear, Orthogonal, SpecialOrthogonal, SpecialUnitary
from schur.groups import Sym, Symplectic, Unitary
from schur.nn import DiagramLinear, PermutationLinear
from schur.products.diagrams import equivariant_maps

families = [Alt, GeneralLinear, Orthogonal, SpecialOrthogonal, SpecialUnitary, Sym, Symplectic]
calls = [lambda f=f, n=n: f(n) for f in [*families, Unitary] for n in (2.5, "3", None, 0, -2)]
for order in (1.5, 2.0, "1", None, -1):
    for group in (Sym(3), Alt(3), Orthogonal(3), SpecialOrthogonal(3), Symplectic(4)):
        calls.append(lambda g=group, k=order: equivariant_maps(g, k, 1))
        calls.append(lambda g=group, k=order: equivariant_maps(g * g, (1, k), (1, 1)))
    calls.append(lambda k=order: DiagramLinear(Sym(3), 1, k, 2, 2))
    calls.append(lambda k=order: PermutationLinear(k, 1, 2, 2))
for channels in (1.5, "2", None, 0):
    calls.append(lambda c=channels: DiagramLinear(Sym(3), 1, 1, c, 2))
    calls.append(lambda c=channels: PermutationLinear(1, 1, 2, c))
calls += [lambda: DiagramLinear("S5", 1, 1, 2, 2), lambda: equivariant_maps(None, 1, 1)]
equivariant_maps(Sym(3), 2, 1)  # kept, and not for an order of 2.0
for call in calls:
    try:
        print("served:", call())
    except SchurError as error:
        if "got" not in str(error):
            print("says nothing:", error)
    except Exception as error:
        print("unclear:", type(error).__name__, error)
print(len(calls), "calls")
"""


def test_wrong_sizes_orders_and_groups_are_refused() -> None:
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "110 calls", done.stdout
