"""Canonical form by orbit distance: the element that brings a cloud nearest to a reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.groups import Group, PseudoOrthogonal
from schur.nn.frames.arguments import function, whole
from schur.nn.frames.framing import Framing, centred
from schur.nn.frames.learned import VectorNetwork
from schur.nn.frames.orbit import OrbitProblem, components
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.symmetry import Symmetry

Features = Callable[..., Tensor]


class MinimisedFrames(Framing):
    """One frame for each cloud: the g that minimises the distance to a reference,

        E(g) = Σ_k |g⁻¹ v_k - a_k|²,

    with equivariant vectors v_k of the cloud, for any group of real matrices given by generators,
    compact or not. Newton steps in the Lie algebra, with the absolute values of the Hessian's
    eigenvalues and a bound on the energy, from one start in each component of the group and
    further random ones; in float64. The step has exact first derivatives, by the implicit function
    theorem.

    The frame is as good as the minimum is unique: with two equal minima, or a stabiliser, it is
    arbitrary, and invariance is then a matter of luck; the margin says so. A boost never leaves
    its component, hence the starts. At rapidity 10, cosh is 1e4: float32 momenta have lost four
    digits before they come here.

    Args:
        group: a group of real matrices, with or without translations.
        features: from centred clouds (clouds, n, d) and the mask to vectors (clouds, k, d) that
            transform as the points do. If not given: a `VectorNetwork` for orthogonal groups, the
            sum of all points and a `VectorNetwork` for O(p, q) and its parts.
        reference: a, of shape (k, d); the unit vectors if not given.
        starts: random starts for each component, besides the unit.
        steps: Newton steps, at most.
        seed: of the generator that draws starts.

    The margin is the smaller of the ratio of the Hessian's extreme eigenvalues and the relative
    distance in energy to the next minimum that was found.

    Source: Nguyen, Kim, Yang, Hong, "Learning symmetrization for equivariance with orbit distance
    minimization" (2023), https://arxiv.org/abs/2311.07143.

    Example:
        >>> frames = MinimisedFrames("SO(2)")(torch.randn(5, 10, 2))
        >>> frames.pose.matrix.shape
        torch.Size([5, 2, 2])
    """

    def __init__(
        self,
        group: Group | Symmetry | str,
        features: torch.nn.Module | Features | None = None,
        reference: Tensor | None = None,
        starts: int = 3,
        steps: int = 60,
        seed: int = 0,
    ) -> None:
        super().__init__(group)
        linear = self.symmetry.linear
        if not (reference is None or isinstance(reference, Tensor)):
            raise RepresentationError("a reference", got=repr(reference), expected="a tensor")
        starts = whole("further starts", starts, 0)
        features = _default_features(self.symmetry) if features is None else features
        self.features = function("features", features)
        self.register_buffer(
            "reference",
            torch.eye(linear.n, dtype=torch.float64) if reference is None else reference.double(),
        )
        self.reference: Tensor
        self.steps = whole("steps", steps, 0)
        rng = np.random.default_rng(whole("a seed", seed, 0))
        turns = linear.exp(rng.standard_normal((starts, linear.dim)))
        first = np.concatenate([np.eye(linear.n)[None], turns])
        self.starts = (first[:, None] @ components(linear)).reshape(-1, linear.n, linear.n)

    def refusal(self, symmetry: Symmetry) -> str | None:
        linear = symmetry.linear
        fits = linear.dim > 0 and not linear.is_complex
        return None if fits else "a group of real matrices with generators of a Lie algebra"

    def forward(
        self,
        cloud: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Frames:
        x, centre = centred(cloud, mask, self.symmetry.translations)
        vectors = self.features(x, mask).double()
        generators = torch.from_numpy(self.symmetry.linear.generators()).to(vectors)
        problem = OrbitProblem(generators, self.reference.double().to(vectors.device))
        starts = torch.from_numpy(self.starts).to(vectors)
        matrix, inverse, margin = problem.solved(vectors, starts, self.steps)
        pose = Pose(matrix.to(x), inverse.to(x), torch.zeros_like(centre), centre)
        every = torch.arange(len(cloud), device=cloud.device)
        margin = margin.to(x)
        return Frames(every, pose, torch.ones_like(margin), margin)


class FormVectors(torch.nn.Module):
    """The sum p of all vectors, and what is orthogonal to it of mean_i b_k(x_i·x_i, x_i·p) x_i.

    The dot is that of an indefinite form η, and so are lengths: each is divided by √|v·v|. For
    particles these are the rest frame and directions in it. Equivariant under O(p, q), invariant
    under permutations. In float64, whatever comes in.

    Args:
        metric: η.
        count: how many vectors in all.
        hidden: width of the perceptron b.

    Example:
        >>> FormVectors(torch.diag(torch.tensor([1.0, -1, -1, -1])), 4)(torch.rand(5, 3, 4)).shape
        torch.Size([5, 4, 4])
    """

    def __init__(self, metric: Float[Tensor, "d d"], count: int, hidden: int = 16) -> None:
        super().__init__()
        count, hidden = whole("how many vectors", count), whole("hidden width", hidden)
        if not (
            isinstance(metric, Tensor) and metric.ndim == 2 and metric.shape[0] == metric.shape[1]
        ):
            raise ShapeError("an invariant form", got=repr(metric), expected="a square matrix")
        self.register_buffer("metric", metric)
        self.metric: Tensor
        self.weights = torch.nn.Sequential(
            torch.nn.Linear(2, hidden),
            torch.nn.SiLU(),
            torch.nn.Linear(hidden, count - 1),
        )

    def forward(
        self,
        x: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Float[Tensor, "clouds count d"]:
        weight = next(self.weights.parameters())
        x = x.double()  # invariants of fast particles are small differences of large numbers
        form = self.metric.to(x)
        total = x.sum(1, keepdim=True)
        square = (total @ form * total).sum(-1, keepdim=True)
        safe = torch.where(square == 0, 1.0, square)
        own = torch.stack([(x @ form * x).sum(-1), (x @ form * total).sum(-1)], -1) / safe.abs()
        weights = self.weights(own.to(weight.dtype)).double()
        if mask is not None:
            weights = weights * mask[..., None]
        vectors = weights.mT @ x
        vectors = vectors - (vectors @ form * total).sum(-1, keepdim=True) / safe * total
        both = torch.cat([total, vectors], 1)
        lengths = (both @ form * both).sum(-1, keepdim=True).abs()
        return both / torch.where(lengths == 0, 1.0, lengths).sqrt()


def _default_features(symmetry: Symmetry) -> torch.nn.Module:
    if symmetry.is_orthogonal:
        return VectorNetwork(symmetry.d)
    linear = symmetry.linear
    if isinstance(linear, PseudoOrthogonal):
        return FormVectors(torch.from_numpy(linear.metric()).float(), linear.n)
    raise RepresentationError(
        f"no equivariant vectors are known for {symmetry.name}",
        got="features=None",
        expected="a function from clouds (clouds, n, d) to vectors (clouds, k, d)",
    )


def orbit_distance(
    group: Group | str,
    first: Float[Tensor, "batch k d"],
    second: Float[Tensor, "k d"],
    starts: int = 3,
) -> Float64[Tensor, "batch"]:
    """The distance min_g |g⁻¹ x - y| of the orbit of each x from y.

    Args:
        group: a group of real matrices, or its name.
        first, second: sets of k vectors.
        starts: as for `MinimisedFrames`.

    Example:
        >>> x = torch.tensor([[[3.0, 4.0]]])
        >>> orbit_distance("SO(2)", x, torch.tensor([[5.0, 0.0]])).round(decimals=6)
        tensor([0.], dtype=torch.float64)
    """
    framing = MinimisedFrames(group, lambda x, mask: x, second, starts)
    pose = framing(first.double()).pose
    return torch.linalg.matrix_norm(first.double() @ pose.inverse.mT - second)
