"""A frame for each edge, and its Wigner matrices, smooth in the edge's direction."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from schur.engine import Routine
from schur.errors import ShapeError
from schur.harmonics import wigner_of_frame
from schur.tensors.harmonics import inverse_length


def edge_frames(vectors: Shaped[Tensor, "..."]) -> Float[Tensor, "edges 3 3"]:
    """Rotations R with R e_y = r/|r|, differentiable in every direction.

    The rotation of least angle from the pole e_y to r is smooth but at the opposite pole.  So two
    charts are used: from e_y where r_y >= 0, and from -e_y, after half a turn about x, elsewhere.
    Their frames differ by a roll about r, which no product that uses them may depend on (one that
    is equivariant under SO(2) does not); then the result is smooth where the charts meet too.

    A vector without length has no direction: its frame is zero, and so are all derivatives.

    Raises:
        ShapeError: if the array does not hold one vector a line.

    Example:
        >>> edge_frames(torch.tensor([[0.0, 0.0, 2.0]]))[0]
        tensor([[ 1.,  0., -0.],
                [-0.,  0., -1.],
                [-0.,  1.,  0.]])
    """
    if vectors.ndim != 2 or vectors.shape[-1] != 3:
        raise ShapeError("frames need vectors", got=tuple(vectors.shape), expected="(edges, 3)")
    unit = vectors * inverse_length(vectors)
    x, y, z = unit.unbind(-1)
    one = (unit * unit).sum(-1)  # or zero, where there is no direction
    side = torch.where(y.detach() < 0, -1.0, 1.0).to(unit.dtype)
    tilt = x / (1 + side * y)
    fall = z / (1 + side * y)
    rows = [
        one - x * tilt,
        x,
        -side * z * tilt,
        -side * x,
        y,
        -z,
        -x * fall,
        z,
        side * (one - z * fall),
    ]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def edge_wigner(vectors: Shaped[Tensor, "..."], lmax: int) -> Float[Tensor, "edges components"]:
    """D^0 … D^lmax of the frames of edges, what SO(2) products read as `wigner`.

    Computed once for a graph and used by every layer.

    Args:
        vectors: of the edges.
        lmax: the highest degree of any layer's input or output.

    Returns:
        The matrices flattened row by row, side by side: Σ (2l+1)² numbers an edge.

    Example:
        >>> edge_wigner(torch.randn(5, 3), 2).shape
        torch.Size([5, 35])
    """
    return _routine(lmax)(edge_frames(vectors).flatten(1))


_routines: dict[int, Routine] = {}


def _routine(lmax: int) -> Routine:
    if lmax not in _routines:
        _routines[lmax] = Routine(wigner_of_frame(lmax))
    return _routines[lmax]
