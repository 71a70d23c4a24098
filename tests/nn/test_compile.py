"""torch.compile sees every layer without a graph break.

In a process of its own, because the checks of shapes that the tests put around every function are
themselves more than torch.compile can trace.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import torch
from schur import nn
from schur.groups import Sym

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
silu = torch.nn.functional.silu
edges = torch.tensor([[0, 3, 2, 1, 1], [1, 0, 2, 4, 1]])
species = torch.tensor([0, 2, 0, 2, 1])
x = lambda rep: torch.randn(5, rep.dim, requires_grad=True)

product = nn.TensorProduct("2x0e+2x1o", "2x1o", "2x1o+1x1e",
    [(0, 0, 0, "uvu", True), (1, 0, 1, "uvu<v", True)], backend="torch")
conv = nn.Convolution("2x0e+2x1o", "0e+1o", "0e+1o", backend="torch")
linear = nn.Linear("2x0e+2x1o", "3x0e+1x1o", biases=True)
by_species = nn.Linear("2x0e+2x1o", "3x0e+1x1o", species=3)
symmetric = nn.SymmetricContraction("2x0e+2x1o", "2x0e", 2, 3, backend="torch")
diagrams = nn.DiagramLinear(Sym(3), 2, 1, 2, 2, backend="torch")
gate = nn.Gate("2x0e", [silu], "2x0e", [silu], "2x1o")
mlp = nn.RadialMLP([3, 4, 2])
basis = nn.RadialBasis(5.0, 4, envelope=nn.PolynomialCutoff(5.0))

cases = {
    "tensor product": (product, [x(product.rep_in1), x(product.rep_in2)]),
    "convolution": (conv, [x(conv.rep_in), x(conv.rep_edge),
        torch.randn(5, conv.weight_numel, requires_grad=True), edges, 5]),
    "linear": (linear, [x(linear.rep_in)]),
    "linear by species": (lambda x: by_species(x, species=species), [x(by_species.rep_in)]),
    "symmetric contraction": (symmetric, [x(symmetric.rep_in), species]),
    "diagrams": (diagrams, [torch.randn(5, 3, 3, 2, requires_grad=True)]),
    "gate": (gate, [x(gate.rep_in)]),
    "radial network": (mlp, [torch.randn(5, 3, requires_grad=True)]),
    "radial basis": (basis, [torch.rand(5, requires_grad=True)]),
}
for name, (function, arguments) in cases.items():
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    leaves = [a for a in arguments if isinstance(a, torch.Tensor) and a.requires_grad]
    results = []
    for f in (function, compiled):
        out = f(*arguments)
        results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    for eager, traced in zip(*results):
        assert torch.allclose(eager, traced, rtol=1e-12, atol=1e-13), name
    print("ok", name)
"""


def test_layers_compile_without_breaks() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert done.stdout.count("ok") == 9
