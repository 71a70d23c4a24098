"""Convolutions that commute with affine maps: from images to functions on the group, and there."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.groups import Affine
from schur.groups.reductive import Reductive
from schur.nn.affine_kernels import (
    DIMENSIONS,
    biased,
    bump,
    bump_integral,
    convolved,
    like,
    stencil,
    sum_of_waves,
)

# How many elements the measure of the kernel's support is estimated from.
_PROBES = 4096


class _Convolution(torch.nn.Module):
    """A kernel that is a sum of waves in the coordinates of pixels, and of H where it reaches."""

    def __init__(
        self,
        group: Affine,
        channels_in: int,
        channels_out: int,
        radius: float = 2.5,
        width: int = 32,
        detail: float = 3.5,
    ) -> None:
        super().__init__()
        self.group, self.radius = _checked(group), radius
        self.channels_in, self.channels_out = channels_in, channels_out
        n = group.linear.n
        places = n, self._coordinates_of_h()
        self.kernel = sum_of_waves(places, channels_in * channels_out, width, detail)
        self.bias = torch.nn.Parameter(torch.zeros(channels_out))
        self.size = (channels_in * bump_integral(n, radius, 2)) ** -0.5

    def _coordinates_of_h(self) -> int:
        return 0


class _OfShifts(_Convolution):
    """Kernels k[u, w](h⁻¹ x) / |det h| of the coordinates of pixels alone."""

    def filters(self, elements: Float[Tensor, "samples n n"]) -> Float[Tensor, "filters c pixels"]:
        """One image filter for each element and output channel."""
        elements = elements.double()
        y = stencil(elements, self.radius)
        measure = self.size * bump(y) / torch.linalg.det(elements).abs()[:, None]
        values = self.kernel(like(self.kernel, y)) * like(self.kernel, measure)[..., None]
        filters = values.reshape(*y.shape[:2], self.channels_in, self.channels_out)
        return filters.permute(0, 3, 2, 1).flatten(0, 1)


class AffineLift(_OfShifts):
    """From images to functions on an affine group.

        out[h, w](x) = bias[w] + Σ_u ∫ k[u, w](h⁻¹ (x' - x)) f[u](x') dx' / |det h|

    for elements h of the linear group H. With (T f)(x) = f(A⁻¹ (x - t)) the output of T f is
    out[A⁻¹ h](A⁻¹ (x - t)): the group acts on its own elements. R^n is the homogeneous space
    (H ⋉ R^n)/H. The kernel k is a sum of waves in the coordinates times (1 - |y|²/radius²)², so
    that it is zero from `radius` on, in units of the pixels. Functions that begin smooth in place
    of the waves give blurred copies of the image to learn from and little else.

    Pixels stand for the integral: what is exact for maps that permute pixels holds for others as
    closely as the image is smooth on the scale of a pixel. Images are zero outside.

    Args:
        group: H ⋉ R^n with n = 1, 2, 3.
        channels_in, channels_out: numbers of channels.
        radius: where kernels end at h = 1, in pixels.
        width: number of waves.
        detail: how many radians the waves go through along the radius, about, to begin with.

    Attributes:
        bias: shape (channels_out,), zeros to begin with.

    Source: Mironenco and Forré, "Lie group decompositions for equivariant neural networks",
    https://arxiv.org/abs/2310.11366, section 4.

    Example:
        >>> from schur.groups import GeneralLinear
        >>> from schur.nn import sampled_elements
        >>> group = Affine(GeneralLinear(2, positive=True))
        >>> h, w = sampled_elements(group, np.random.default_rng(0), 6, scale=0.3)
        >>> lifted = AffineLift(group, 1, 4)(torch.randn(5, 1, 8, 8), h)
        >>> lifted.shape
        torch.Size([5, 6, 4, 8, 8])
        >>> AffineConvolution(group, 4, 3)(lifted, h, w).shape
        torch.Size([5, 6, 3, 8, 8])
        >>> AffineShiftConvolution(group, 4, 2)(lifted, h).shape
        torch.Size([5, 6, 2, 8, 8])
    """

    def forward(
        self,
        images: Float[Tensor, "batch channels_in ..."],
        elements: Float[Tensor, "samples n n"],
    ) -> Float[Tensor, "batch samples channels_out ..."]:
        """Evaluate.

        Args:
            images: shape (batch, channels_in, …) with n axes of pixels; coordinates are the
                indices, in the order of the axes.
            elements: of H.
        """
        n = self.group.linear.n
        _check_axes(images, (self.channels_in,), n)
        out = convolved(images, self.filters(elements), n)
        return biased(out.unflatten(1, (len(elements), self.channels_out)), self.bias)


class AffineShiftConvolution(_OfShifts):
    """From functions on an affine group to functions on it, each element of H by itself.

        out[h, w](x) = bias[w] + Σ_u ∫ k[u, w](h⁻¹ (x' - x)) f[h, u](x') dx' / |det h|

    `AffineConvolution` with a kernel that is zero but at h' = h. There is no integral over H, and
    so no error of samples: the layer commutes with the group at any elements, however few, as
    closely as pixels allow, and takes no weights. Elements meet where values are pooled over them.

    The group acts as on the output of `AffineLift`.

    Args:
        group, channels_in, channels_out, radius, width, detail: as for `AffineLift`.

    Source: as for `AffineLift`; kernels that are products of one in shifts and one on H: Knigge,
    Romero and Bekkers, "Exploiting redundancy: separable group convolutional networks on Lie
    groups" (2022), https://arxiv.org/abs/2110.13059.
    """

    def forward(
        self,
        functions: Float[Tensor, "batch samples channels_in ..."],
        elements: Float[Tensor, "samples n n"],
    ) -> Float[Tensor, "batch samples channels_out ..."]:
        """Evaluate.

        Args:
            functions: shape (batch, samples, channels_in, …) with n axes of pixels.
            elements: of H, those at which the functions are given.
        """
        n, count = self.group.linear.n, len(elements)
        _check_axes(functions, (count, self.channels_in), n)
        out = convolved(functions.flatten(1, 2), self.filters(elements), n, groups=count)
        return biased(out.unflatten(1, (count, self.channels_out)), self.bias)


class AffineConvolution(_Convolution):
    """From functions on an affine group to functions on it.

        out[h, w](x) = bias[w] + Σ_u ∫∫ k[u, w](h⁻¹ (x' - x), h⁻¹ h') f[h', u](x') dx' dh' / |det h|

    with the Haar measure dh' as a mean over weighted samples. Of h⁻¹ h' = q exp(S) the kernel sees
    q and S, and ends at |S| = `reach` as it does at |y| = `radius`. A compact H has no S.

    The group acts as on the output of `AffineLift`. Outputs at other elements than the input's may
    be asked for. That the sum over samples stands for the integral makes the layer equivariant in
    the mean only: exactly so where the group maps samples to samples, and otherwise up to an error
    that falls with the square root of their number.

    Args:
        group, channels_in, channels_out, radius, width, detail: as for `AffineLift`.
        reach: where kernels end in S, in units of |S| = √tr S².

    Source: as for `AffineLift`; a kernel of compact support as the measure of H is infinite.
    """

    def __init__(
        self,
        group: Affine,
        channels_in: int,
        channels_out: int,
        radius: float = 2.5,
        reach: float = 1.0,
        width: int = 32,
        detail: float = 3.5,
    ) -> None:
        super().__init__(group, channels_in, channels_out, radius, width, detail)
        self.reach = reach
        # Neighbours on the group hold much the same image, so they add up as they are.
        g, weight = group.sample_linear(np.random.default_rng(0), _PROBES, reach / 2)
        share = bump(torch.from_numpy(_polar(group, g)[1]) / reach).numpy()
        self.size /= float(np.mean(weight * share))

    def _coordinates_of_h(self) -> int:
        """Of q and S in h = q exp(S)."""
        n = self.group.linear.n
        return n * n + _polar(self.group, np.eye(n)[None])[1].shape[-1]

    def forward(
        self,
        functions: Float[Tensor, "batch samples channels_in ..."],
        elements: Float[Tensor, "samples n n"],
        weights: Float[Tensor, " samples"],
        at: Float[Tensor, "outputs n n"] | None = None,
    ) -> Float[Tensor, "batch outputs channels_out ..."]:
        """Evaluate.

        Args:
            functions: shape (batch, samples, channels_in, …) with n axes of pixels.
            elements, weights: of H, with E[w f(h)] = ∫ f dh; see `sampled_elements`.
            at: elements of the output; those of the input if not given.
        """
        n, at = self.group.linear.n, elements if at is None else at
        _check_axes(functions, (len(elements), self.channels_in), n)
        elements, at = elements.double(), at.double()
        y = stencil(at, self.radius)
        between = torch.einsum("mij,pjk->mpik", torch.linalg.inv(at), elements)
        q, s = (torch.from_numpy(part).to(y) for part in _polar(self.group, between.cpu().numpy()))
        s = s / self.reach
        shape = (len(at), len(elements), y.shape[1])
        places = torch.cat(
            [
                y[:, None].expand(*shape, -1),
                torch.cat([q.flatten(-2), s], -1)[:, :, None].expand(*shape, -1),
            ],
            -1,
        )
        measure = weights / len(weights) * bump(s) / torch.linalg.det(at).abs()[:, None]
        measure = self.size * measure[:, :, None] * bump(y)[:, None]
        values = self.kernel(like(self.kernel, places)) * like(self.kernel, measure)[..., None]
        filters = values.unflatten(-1, (self.channels_in, self.channels_out))
        filters = filters.permute(0, 4, 1, 3, 2).flatten(2, 3).flatten(0, 1)
        out = convolved(functions.flatten(1, 2), filters, n)
        return biased(out.unflatten(1, (len(at), self.channels_out)), self.bias)


def _checked(group: Affine) -> Affine:
    if group.linear.n not in DIMENSIONS:
        raise RepresentationError(
            "images of so many dimensions", got=group.linear.n, expected="1, 2 or 3"
        )
    return group


def _check_axes(x: Tensor, before: tuple[int, ...], n: int) -> None:
    if x.ndim != 1 + len(before) + n or tuple(x.shape[1 : 1 + len(before)]) != before:
        raise ShapeError(
            "images, channels before pixels",
            got=tuple(x.shape),
            expected=f"(batch, {', '.join(map(str, before))}, and {n} axes of pixels)",
        )


def _polar(group: Affine, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q and the coordinates of S in g = q exp(S)."""
    if isinstance(group.linear, Reductive):
        q, s = group.linear.polar(g)
        return np.ascontiguousarray(q), s
    return g, np.zeros((*g.shape[:-2], 0))
