"""Convolutions that commute with affine maps: from images to functions on the group, and there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.groups import Affine
from schur.groups.reductive import Reductive

_CONVOLVE: dict[int, Callable[..., Tensor]] = {
    1: torch.nn.functional.conv1d,
    2: torch.nn.functional.conv2d,
    3: torch.nn.functional.conv3d,
}
# How many elements the measure of the kernel's support is estimated from.
_PROBES = 4096


class AffineLift(torch.nn.Module):
    """From images to functions on an affine group.

        out[h, w](x) = bias[w] + Σ_u ∫ k[u, w](h⁻¹ (x' - x)) f[u](x') dx' / |det h|

    for elements h of the linear group H. With (T f)(x) = f(A⁻¹ (x - t)) the output of T f is
    out[A⁻¹ h](A⁻¹ (x - t)): the group acts on its own elements. R^n is the homogeneous space
    (H ⋉ R^n)/H. The kernel k is a network of the coordinates times (1 - |y|²/radius²)², so that it
    is zero from `radius` on, in units of the pixels. The network begins with waves, since one that
    begins with smooth functions gives blurred copies of the image to learn from and little else.

    Pixels stand for the integral: what is exact for maps that permute pixels holds for others as
    closely as the image is smooth on the scale of a pixel. Images are zero outside.

    Args:
        group: H ⋉ R^n with n = 1, 2, 3.
        channels_in, channels_out: numbers of channels.
        radius: where kernels end at h = 1, in pixels.
        width: of the kernel's network.
        detail: how many radians the waves go through along the radius, about, to begin with.

    Attributes:
        bias: shape (channels_out,), zeros to begin with.

    Source: Mironenco and Forré, "Lie group decompositions for equivariant neural networks",
    https://arxiv.org/abs/2310.11366, section 4.

    Example:
        >>> from schur.groups import GeneralLinear
        >>> group = Affine(GeneralLinear(2, positive=True))
        >>> h, w = sampled_elements(group, np.random.default_rng(0), 6, scale=0.3)
        >>> lifted = AffineLift(group, 1, 4)(torch.randn(5, 1, 8, 8), h)
        >>> lifted.shape
        torch.Size([5, 6, 4, 8, 8])
        >>> AffineConvolution(group, 4, 3)(lifted, h, w).shape
        torch.Size([5, 6, 3, 8, 8])
    """

    def __init__(
        self,
        group: Affine,
        channels_in: int,
        channels_out: int,
        radius: float = 2.5,
        width: int = 32,
        detail: float = 2.5,
    ) -> None:
        super().__init__()
        self.group, self.radius = _checked(group), radius
        self.channels_in, self.channels_out = channels_in, channels_out
        n = group.linear.n
        self.kernel = _kernel((n, 0), channels_in * channels_out, width, detail)
        self.bias = torch.nn.Parameter(torch.zeros(channels_out))
        self.size = (channels_in * _bump_integral(group.linear.n, radius, 2)) ** -0.5

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
        elements = elements.double()
        y = _stencil(elements, self.radius)
        measure = self.size * _bump(y) / torch.linalg.det(elements).abs()[:, None]
        values = self.kernel(_like(self.kernel, y)) * _like(self.kernel, measure)[..., None]
        # One image filter for each element and output channel.
        filters = values.reshape(*y.shape[:2], self.channels_in, self.channels_out)
        filters = filters.permute(0, 3, 2, 1).flatten(0, 1)
        out = _convolved(images, filters, n)
        return _biased(out.unflatten(1, (len(elements), self.channels_out)), self.bias)


class AffineConvolution(torch.nn.Module):
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
        detail: float = 2.5,
    ) -> None:
        super().__init__()
        self.group, self.radius, self.reach = _checked(group), radius, reach
        self.channels_in, self.channels_out = channels_in, channels_out
        n = group.linear.n
        hermitian = _polar(group, np.eye(n)[None])[1].shape[-1]
        places = n, n * n + hermitian
        self.kernel = _kernel(places, channels_in * channels_out, width, detail)
        self.bias = torch.nn.Parameter(torch.zeros(channels_out))
        # Neighbours on the group hold much the same image, so they add up as they are.
        g, weight = group.sample_linear(np.random.default_rng(0), _PROBES, reach / 2)
        share = _bump(torch.from_numpy(_polar(group, g)[1]) / reach).numpy()
        measure = float(np.mean(weight * share))
        self.size = (channels_in * _bump_integral(n, radius, 2)) ** -0.5 / measure

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
        y = _stencil(at, self.radius)
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
        measure = weights / len(weights) * _bump(s) / torch.linalg.det(at).abs()[:, None]
        measure = self.size * measure[:, :, None] * _bump(y)[:, None]
        values = self.kernel(_like(self.kernel, places)) * _like(self.kernel, measure)[..., None]
        filters = values.unflatten(-1, (self.channels_in, self.channels_out))
        filters = filters.permute(0, 4, 1, 3, 2).flatten(2, 3).flatten(0, 1)
        out = _convolved(functions.flatten(1, 2), filters, n)
        return _biased(out.unflatten(1, (len(at), self.channels_out)), self.bias)


def sampled_elements(
    group: Affine, rng: np.random.Generator, count: int, scale: float = 0.5
) -> tuple[Float[Tensor, "{count} n n"], Float[Tensor, "{count}"]]:
    """Elements of the linear group and their weights, as `Affine.sample_linear` draws them.

    In double precision, whatever the images are in: kernels are laid out before they are rounded.

    Example:
        >>> from schur.groups import Euclidean
        >>> h, w = sampled_elements(Euclidean(2), np.random.default_rng(0), 3)
        >>> h.shape, w
        (torch.Size([3, 2, 2]), tensor([1., 1., 1.], dtype=torch.float64))
    """
    g, weight = group.sample_linear(rng, count, scale)
    return torch.from_numpy(g), torch.from_numpy(weight)


def _checked(group: Affine) -> Affine:
    if group.linear.n not in _CONVOLVE:
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


class _Waves(torch.nn.Module):
    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return torch.sin(x)


def _kernel(places: tuple[int, int], values: int, width: int, detail: float) -> torch.nn.Module:
    """A network of coordinates in the unit ball, with values of variance one to begin with.

    Args:
        places: how many coordinates of pixels there are, and how many of the group.
        values, width, detail: see `AffineLift`.

    Source: waves as the first layer: Sitzmann et al., "Implicit neural representations with
    periodic activation functions" (2020), https://arxiv.org/abs/2006.09661.
    """
    pixels, total = places[0], sum(places)
    first, last = torch.nn.Linear(total, width), torch.nn.Linear(width, values)
    network = torch.nn.Sequential(
        first, _Waves(), torch.nn.Linear(width, width), torch.nn.SiLU(), last
    )
    with torch.no_grad():
        first.weight[:, :pixels].normal_(0, detail)
        first.weight[:, pixels:].normal_(0, 1)
        first.bias.uniform_(-torch.pi, torch.pi)
        size = network(2 * torch.rand(256, total) - 1).square().mean().sqrt()
        last.weight /= size
        last.bias /= size
    return network


def _biased(out: Float[Tensor, "batch samples channels ..."], bias: Tensor) -> Tensor:
    return out + bias.to(out)[:, *[None] * (out.ndim - 3)]


def _bump(y: Tensor) -> Tensor:
    """(1 - |y|²)² within the unit ball, zero outside."""
    return (1 - y.square().sum(-1)).clamp_min(0).square()


def _bump_integral(n: int, radius: float, power: int) -> float:
    """∫ (1 - |y|²/r²)^(2 power) dy by the pixels that are summed over."""
    grid = np.stack(np.meshgrid(*[np.arange(-int(radius), int(radius) + 1)] * n), -1) / radius
    return float(np.sum(np.maximum(1 - np.sum(grid**2, -1), 0.0) ** (2 * power)))


def _stencil(elements: Tensor, radius: float) -> Tensor:
    """h⁻¹ u / radius for each element h and the pixels u that any of the kernels reaches."""
    n = elements.shape[-1]
    most = int(radius * float(torch.linalg.matrix_norm(elements, 2).max()))
    steps = torch.tensor(list(product(range(-most, most + 1), repeat=n))).to(elements)
    return torch.einsum("mij,oj->moi", torch.linalg.inv(elements), steps) / radius


def _like(module: torch.nn.Module, x: Tensor) -> Tensor:
    return x.to(next(module.parameters()))


def _convolved(x: Tensor, filters: Tensor, n: int) -> Tensor:
    """Sums over pixels x' = x + u of filters[w, c, u] x[c, x']."""
    side = round(filters.shape[-1] ** (1 / n))
    shaped = filters.reshape(*filters.shape[:2], *[side] * n).to(x)
    return _CONVOLVE[n](x, shaped, padding=side // 2)
