"""The matrices that the parameters of a model are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

_LARGEST = 128


@dataclass(frozen=True)
class MatrixPlace:
    """Where one matrix lies, or one for each entry of the leading axes, in a parameter.

    Args:
        parameter: what holds it.
        shape: the parameter as (matrices, numbers of each), which hold several such places.
        columns: of that view: start and length of this place.
        whole: rows and columns of the matrix there.
        part: first row, rows, first column and columns of the piece of it that is meant, which
            is transposed where it has more rows than columns.
    """

    parameter: Tensor
    shape: tuple[int, int]
    columns: tuple[int, int]
    whole: tuple[int, int]
    part: tuple[int, int, int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns, of which there are no fewer."""
        return min(self.part[1::2]), max(self.part[1::2])

    def of(self, tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, "matrices rows columns"]:
        """The piece of a tensor that is shaped like the parameter, as a view.

        Example:
            >>> weight = nn.Parameter(torch.arange(6.0).view(2, 3))
            >>> (place,) = matrix_places(nn.ParameterDict({"w": weight}))
            >>> place.of(weight.detach()).shape
            torch.Size([1, 2, 3])
        """
        row, rows, column, columns = self.part
        held = tensor.view(self.shape).narrow(1, *self.columns).unflatten(1, self.whole)
        piece = held[:, row : row + rows, column : column + columns]
        return piece if rows <= columns else piece.mT


def matrix_places(model: nn.Module) -> list[MatrixPlace]:
    """Every matrix in the parameters of a model; vectors and single numbers are left out.

    A layer whose `weight` holds several matrices one after another along its last axis says so
    with `weight_shapes`, a sequence of (rows, columns) in that order. Other parameters of two
    axes or more are matrices in their last two. A side longer than 128 is cut into equal pieces,
    as far as that goes.

    Args:
        model: whose trainable parameters are meant.

    Example:
        >>> from schur.nn import Linear
        >>> [place.size for place in matrix_places(Linear("4x0e+2x1o", "3x0e+5x1o"))]
        [(3, 4), (2, 5)]
    """
    found: dict[Tensor, list[MatrixPlace]] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter in found or not parameter.requires_grad or not parameter.numel():
                continue
            declared = getattr(module, "weight_shapes", None) if name == "weight" else None
            if declared is not None:
                found[parameter] = list(_declared(parameter, declared))
            elif parameter.ndim >= 2:
                rows, columns = parameter.shape[-2:]
                view = parameter.numel() // (rows * columns), rows * columns
                found[parameter] = list(_pieces(parameter, view, 0, (rows, columns)))
    return [place for places in found.values() for place in places]


def _declared(parameter: Tensor, shapes: tuple[tuple[int, int], ...]) -> Iterator[MatrixPlace]:
    view = parameter.numel() // parameter.shape[-1], parameter.shape[-1]
    start = 0
    for whole in shapes:
        yield from _pieces(parameter, view, start, whole)
        start += whole[0] * whole[1]
    if start != parameter.shape[-1]:
        raise AssertionError(f"shapes of matrices cover {start} of {parameter.shape[-1]} weights")


def _pieces(
    parameter: Tensor, view: tuple[int, int], start: int, whole: tuple[int, int]
) -> Iterator[MatrixPlace]:
    columns = start, whole[0] * whole[1]
    for row, rows in _cut(whole[0]):
        for column, width in _cut(whole[1]):
            yield MatrixPlace(parameter, view, columns, whole, (row, rows, column, width))


def _cut(length: int) -> Iterator[tuple[int, int]]:
    """Start and length of pieces that differ by at most one."""
    sizes = torch.arange(length).tensor_split(-(-length // _LARGEST))
    for piece in sizes:
        yield int(piece[0]), len(piece)
