"""Layers on top of each other: saved, copied, converted, exported."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from schur import nn
from schur.tensors import GeometricTensor, Graph
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, in_double, normal

REP = "3x0e+3x1o"


class Stack(torch.nn.Module):
    """One interaction of a message-passing model."""

    def __init__(self) -> None:
        super().__init__()
        silu = torch.nn.functional.silu
        self.first = nn.Linear(REP, REP, species=3)
        self.convolution = nn.Convolution(REP, "0e+1o", "0e+1o", backend="torch")
        self.basis = nn.RadialBasis(5.0, 4, envelope=nn.PolynomialCutoff(5.0))
        self.radial = nn.RadialMLP([4, 8, self.convolution.weight_numel])
        self.second = nn.Linear(self.convolution.rep_out, REP)
        self.power = nn.SymmetricContraction(REP, REP, 2, 3, backend="torch")
        self.gate = nn.Gate("3x0e", [silu], "3x0e", [silu], "3x1o")
        self.third = nn.Linear(REP, self.gate.rep_in)

    def forward(self, x: Any, y: Any, r: Tensor, species: Tensor, edges: Any) -> Any:
        h = self.first(x, species=species)
        h = self.convolution(h, y, self.radial(self.basis(r)), edges)
        return self.gate(self.third(self.power(self.second(h), species)))


@pytest.fixture
def stack() -> Stack:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Stack().double()


def arguments() -> tuple[Tensor, ...]:
    edges = torch.tensor([[0, 1, 2, 3, 3, 0], [1, 0, 3, 2, 1, 0]])
    r = torch.linspace(0.8, 5.5, 6, dtype=torch.float64)
    return normal(4, 12), normal(6, 4, seed=1), r, torch.tensor([0, 2, 0, 1]), edges


def test_laws(stack: Stack) -> None:
    x, y, r, species, edges = arguments()
    reps = [REP, "0e+1o", None, None, None]
    assert_equivariant(stack, reps, stack.gate.rep_out, [x, y, r, species, edges])
    assert_derivatives(lambda x, y, r: stack(x, y, r, species, edges), [x, y, r], fast=True)


def test_graphs_and_geometric_tensors_change_nothing(stack: Stack) -> None:
    x, y, r, species, edges = arguments()
    expected = stack(x, y, r, species, edges)
    found = stack(GeometricTensor(x, REP), GeometricTensor(y, "0e+1o"), r, species, Graph(edges, 4))
    assert isinstance(found, GeometricTensor) and found.rep == stack.gate.rep_out
    assert_close(found.data, expected, 16 * EPS)


def test_copies_are_the_same_function(stack: Stack, tmp_path: Path) -> None:
    expected = stack(*arguments())
    assert torch.equal(pickle.loads(pickle.dumps(stack))(*arguments()), expected)
    assert torch.equal(copy.deepcopy(stack)(*arguments()), expected)
    torch.save(stack.state_dict(), tmp_path / "state.pt")
    other = in_double(Stack())
    assert not torch.equal(other(*arguments()), expected)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other(*arguments()), expected)
    with torch.inference_mode():
        assert torch.equal(stack(*arguments()), expected)


def test_float32_is_close_to_float64(stack: Stack) -> None:
    expected = stack(*arguments())
    single = copy.deepcopy(stack).float()
    values = [t.float() if t.is_floating_point() else t for t in arguments()]
    found = single(*values)
    assert found.dtype == torch.float32
    assert_close(found.double(), expected, 256 * torch.finfo(torch.float32).eps)


def test_defaults_of_torch_decide_the_type_of_weights() -> None:
    assert {p.dtype for p in Stack().parameters()} == {torch.get_default_dtype()}


EXPORT = """
import sys, torch
sys.path.insert(0, {tests!r})
from nn.test_stack import Stack, arguments

stack = Stack().double()
exported = torch.export.export(stack, arguments())
assert torch.allclose(exported.module()(*arguments()), stack(*arguments()), rtol=1e-12)
print("ok")
"""


def test_export() -> None:
    """In a process of its own, without the tests' checks of shapes around every function."""
    script = EXPORT.format(tests=str(Path(__file__).resolve().parents[1]))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "ok" in done.stdout, done.stderr[-4000:]
