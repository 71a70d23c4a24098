"""Functions of the length of an irrep."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.errors import NumberError
from schur.nn.second_moment import ScalarFunction
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class NormActivation(torch.nn.Module):
    """Each irrep in its direction, with a length that is a function of its length.

        out = φ(|x| + b) x / |x|        (φ(|x| + b) x without `normalize`)

    A length has no slope at zero. Where derivatives of the output matter, as in forces, `smooth`
    puts √(1 + |x|²) - 1 in its place.

    Args:
        rep_in: the representation.
        scalar_nonlinearity: φ.
        normalize: whether x is divided by its length.
        epsilon: with `normalize`, shorter lengths count as this one; 1e-8 if not given.
        bias: whether each irrep has a trainable b.
        smooth: without `normalize`, whether lengths are replaced as above.

    Raises:
        NumberError: if `epsilon` is not positive, or is given without `normalize`; or `smooth`
            with it.

    Source: Thomas et al., "Tensor field networks" (2018), section 4.3; as
    `e3nn.nn.NormActivation`.

    Example:
        >>> layer = NormActivation("2x1e", torch.sigmoid)
        >>> out = GeometricTensor(layer(torch.ones(6)), "2x1e")
        >>> out.norm()
        tensor([0.8497, 0.8497])
    """

    rep_in: Irreps
    rep_out: Irreps

    def __init__(
        self,
        rep_in: Irreps | str,
        scalar_nonlinearity: ScalarFunction,
        normalize: bool = True,
        epsilon: float | None = None,
        bias: bool = False,
        smooth: bool = False,
    ) -> None:
        super().__init__()
        if smooth and normalize:
            raise NumberError(
                "a direction is not smooth at zero",
                got="smooth=True with normalize=True",
                remedy="give normalize=False",
            )
        if epsilon is not None and (not normalize or not epsilon > 0):
            raise NumberError(
                "epsilon guards a division: it is positive, and for normalize=True only",
                got=f"epsilon={epsilon}, normalize={normalize}",
            )
        self.rep_in = self.rep_out = Irreps(rep_in)
        self.scalar_nonlinearity, self.normalize = scalar_nonlinearity, normalize
        self.smooth = smooth
        self.epsilon = epsilon if epsilon is not None else 1e-8
        self.biases = torch.nn.Parameter(torch.zeros(self.rep_in.num_irreps)) if bias else None

    def forward(self, x: Shaped[Tensor, "..."] | GeometricTensor) -> Any:
        """Evaluate, shape (..., dim) to the same shape."""
        data = checked(x, self.rep_in, "x")
        parts, taken = [], 0
        for (mul, ir), place in zip(self.rep_in, self.rep_in.slices(), strict=True):
            block = data[..., place].unflatten(-1, (ir.dim, mul))
            length = self._length(block.square().sum(-2))
            argument = length
            if self.biases is not None:
                argument, taken = length + self.biases[taken : taken + mul], taken + mul
            factor = self.scalar_nonlinearity(argument)
            if self.normalize:
                factor = factor / length
            parts.append((block * factor[..., None, :]).flatten(-2))
        return wrapped(torch.cat(parts, -1) if parts else data, self.rep_out, x)

    def _length(self, square: Tensor) -> Tensor:
        if self.smooth:
            return square / (1 + (1 + square).sqrt())  # without the difference of near numbers
        if self.normalize:
            # In float32 the square of the default epsilon is still a normal number.
            return square.clamp(min=self.epsilon**2).sqrt()
        # The length has no slope at zero; zero is the one that keeps gradients finite.
        positive = square > 0
        return torch.where(positive, torch.where(positive, square, 1).sqrt(), 0)

    def extra_repr(self) -> str:
        return f"{self.rep_in}"
