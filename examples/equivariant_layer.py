"""A layer, its equivariance, its program and what it costs."""

import torch

import schur
from schur.forms import cost, derive
from schur.testing import assert_equivariant

torch.manual_seed(0)
nodes, edges = 50, 400
layer = schur.nn.Convolution("16x0e + 16x1o", "0e + 1o + 2e", "0e + 1o + 2e")
features = torch.randn(nodes, layer.rep_in.dim, dtype=torch.float64)
weights = torch.randn(edges, layer.weight_numel, dtype=torch.float64)
edge_index, vectors = torch.randint(nodes, (2, edges)), torch.randn(edges, 3, dtype=torch.float64)


def messages(x: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """Neighbours' features times harmonics of the edges, summed at each node."""
    harmonics = schur.spherical_harmonics(layer.rep_edge, r, normalize=True)
    return layer(x, harmonics, weights, edge_index)


assert_equivariant(messages, [layer.rep_in, "1o"], layer.rep_out, [features, vectors])
print(f"{layer} is equivariant, inversions included\n")

sizes = {"rows": edges, "senders": nodes, "receivers": nodes}
print(layer.program)
print(f"\nforward:  {cost(layer.program, sizes)}")
print(f"backward: {cost(derive(layer.program), sizes)}")
