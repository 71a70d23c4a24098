"""How rotations and reflections act on geometric tensors, differentiable in both."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import NumberError, ShapeError
from schur.reps import Irreps, clebsch_gordan


def irrep_matrices(lmax: int, R: Float[Tensor, "*batch 3 3"]) -> list[Float[Tensor, "*batch d d"]]:
    """The matrices D^0(R) … D^lmax(R) of proper rotations.

    Built degree by degree from the coupling 1 ⊗ (l - 1) -> l, whose entries times √(2l + 1) form
    an isometry, so that rounding errors add up and do not grow:

        D^l[a, b] = (2l + 1) Σ C[i, j, a] D^1[i, p] D^{l-1}[j, q] C[p, q, b].

    Example:
        >>> [tuple(D.shape) for D in irrep_matrices(2, torch.eye(3))]
        [(1, 1), (3, 3), (5, 5)]
    """
    vector = R  # e3nn's basis of the vector irrep is (x, y, z)
    matrices = [torch.ones_like(R[..., :1, :1]), vector]
    for degree in range(2, lmax + 1):
        coupling = torch.tensor(clebsch_gordan(1, degree - 1, degree), dtype=R.dtype).to(R.device)
        half = torch.einsum("...ip,pqb->...iqb", vector, coupling)
        both = torch.einsum("...jq,...iqb->...ijb", matrices[-1], half)
        matrices.append((2 * degree + 1) * torch.einsum("ija,...ijb->...ab", coupling, both))
    return matrices[: lmax + 1]


def rotate(
    data: Float[Tensor, "*batch dim"], rep: Irreps, R: Float[Tensor, "*lead 3 3"]
) -> Float[Tensor, "*out dim"]:
    """Apply an orthogonal matrix to arrays of a representation.

    Args:
        data: arrays in Schur's layout.
        rep: their representation.
        R: orthogonal matrices, improper ones too; the leading axes broadcast with those of `data`.

    Raises:
        NumberError: if R is not orthogonal.

    Example:
        >>> mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0]))
        >>> rotate(torch.tensor([1.0, 2.0, 3.0, 4.0]), Irreps("0o + 1o"), mirror)
        tensor([-1.,  2.,  3., -4.])
    """
    _check_orthogonal(R)
    R = R.to(data.dtype)
    sign = torch.linalg.det(R).sign()
    degrees = [ir.l for mul, ir in rep if mul]
    matrices = irrep_matrices(max(degrees, default=0), R * sign[..., None, None])
    parts = []
    for (mul, ir), place in zip(rep, rep.slices(), strict=True):
        if mul == 0:
            continue
        block = data[..., place].unflatten(-1, (ir.dim, mul))
        turned = matrices[ir.l] @ block
        parts.append((turned if ir.p == 1 else turned * sign[..., None, None]).flatten(-2))
    lead = torch.broadcast_shapes(data.shape[:-1], R.shape[:-2])
    return torch.cat([p.expand(*lead, -1) for p in parts], -1) if parts else data.expand(*lead, 0)


def _check_orthogonal(R: Tensor) -> None:
    if R.shape[-2:] != (3, 3):
        raise ShapeError("a rotation is a 3 x 3 matrix", got=tuple(R.shape), expected="(..., 3, 3)")
    if not R.is_floating_point():
        raise NumberError("a rotation needs floating-point numbers", got=R.dtype)
    defect = (R @ R.mT - torch.eye(3, dtype=R.dtype, device=R.device)).detach().abs()
    # Written so that a NaN fails too.
    if R.numel() and not bool(defect.max() <= 1e4 * torch.finfo(R.dtype).eps):
        raise NumberError(
            "the matrix is not orthogonal",
            got=f"a departure of {float(defect.max()):.2e} of R Rᵀ from the identity",
            expected=f"at most {1e4 * torch.finfo(R.dtype).eps:.0e}",
            remedy="draw rotations as Q of a QR decomposition, or from schur.groups",
        )
