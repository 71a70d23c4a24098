"""The matrices that the parameters of a model are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

_LARGEST = 128


def matrix_places(model: nn.Module) -> dict[tuple[int, ...], Int[Tensor, "..."]]:
    """Where the matrices of a model lie among all numbers that are trained.

    A layer whose `weight` holds several matrices one after another along its last axis says so
    with `weight_shapes`, a sequence of (rows, columns) in that order. Other parameters of two
    axes or more are matrices in their last two. A side longer than 128 is cut into equal pieces,
    as far as that goes, and a matrix with more rows than columns is transposed.

    Args:
        model: whose trainable parameters are meant, flat and one after another.

    Returns:
        For each shape (rows, columns) of a matrix, with rows <= columns, places of shape (matrices,
        rows, columns); for the shape () those of everything else.

    Raises:
        ValueError: if the shapes that a layer declares do not cover its weights.

    Example:
        >>> from schur.nn import Linear
        >>> {key: tuple(at.shape) for key, at in matrix_places(Linear("2x0e+2x1o", "3x0e")).items()}
        {(2, 3): (1, 2, 3)}
        >>> matrix_places(nn.Linear(2, 1))
        {(1, 2): tensor([[[0, 1]]]), (): tensor([2])}
    """
    found: dict[tuple[int, ...], list[Tensor]] = {}
    first, declared = 0, _declared_shapes(model)
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        numbers = torch.arange(first, first + parameter.numel()).view(parameter.shape)
        first += parameter.numel()
        shapes = declared.get(parameter)
        if shapes is None and parameter.ndim < 2:
            found.setdefault((), []).append(numbers.view(-1))
            continue
        for matrix in [numbers] if shapes is None else _split(numbers, shapes):
            for piece in _pieces(matrix.reshape(-1, *matrix.shape[-2:])):
                found.setdefault(tuple(piece.shape[1:]), []).append(piece)
    return {shape: torch.cat(places) for shape, places in found.items()}


def _declared_shapes(model: nn.Module) -> dict[Tensor, Sequence[tuple[int, int]]]:
    declared = {}
    for layer in model.modules():
        shapes, weight = getattr(layer, "weight_shapes", None), getattr(layer, "weight", None)
        if shapes is not None and isinstance(weight, Tensor):
            declared[weight] = shapes
    return declared


def _split(numbers: Tensor, shapes: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    sizes = [rows * columns for rows, columns in shapes]
    if sum(sizes) != numbers.shape[-1]:
        raise ValueError(f"matrices of shapes {shapes} are not {numbers.shape[-1]} weights")
    for part, shape in zip(numbers.split(sizes, -1), shapes, strict=True):
        yield part.unflatten(-1, shape)


def _pieces(matrices: Tensor) -> Iterator[Tensor]:
    for rows in matrices.tensor_split(-(-matrices.shape[1] // _LARGEST), 1):
        for piece in rows.tensor_split(-(-rows.shape[2] // _LARGEST), 2):
            yield piece if piece.shape[1] <= piece.shape[2] else piece.mT
