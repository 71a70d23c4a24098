"""Which matrix Lie algebra does a function, or a cloud of points, respect?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from schur.errors import NumberError, RepresentationError, ShapeError
from schur.groups import MatrixGroup

# Of two neighbouring singular values the first must be so much larger for the gap to count.
_GAP = 3.0
# Brackets may leave a Lie algebra by rounding; the search for one takes so many steps at most.
_CLOSED, _STEPS = 1e-11, 50


@dataclass(frozen=True, eq=False)
class Discovery:
    """A Lie algebra of matrices that was found in data.

    Only the space that generators span is determined, not a basis of it: compare with
    `angle_to`, never generator by generator. Reflections and other components of a group leave
    no trace in its algebra.

    Args:
        generators: orthonormal basis for Re tr(Xᵀ Y), shape (k, n, n), the best first.
        defects: for each of n² orthonormal matrices X, the root mean square of ∇f · X x as a share
            of that of |∇f| |x|; rising. The first k belong to the generators.
        bracket: how far brackets of the generators leave their span, relative; a Lie algebra has
            zero.
    """

    generators: Float[np.ndarray, "k n n"]
    defects: Float[np.ndarray, " entries"]
    bracket: float

    def angle_to(self, generators: Float[np.ndarray, "m n n"]) -> float:
        """The largest principal angle to the span of some generators, in degrees.

        90 where the dimensions differ: then a direction of one has no counterpart.

        Example:
            >>> from schur.groups import SO2
            >>> exact = Discovery(SO2().generators() / 2**0.5, np.zeros(4), 0.0)
            >>> exact.angle_to(SO2().generators()) < 1e-6
            True
        """
        return angle_between(self.generators, generators)

    def group(self, name: str = "discovered") -> MatrixGroup:
        """The group of the nearest Lie algebra, to build layers with.

        Generators that were found in data are off by a few degrees, so that nothing commutes with
        all of them exactly. The span is moved, by as little as will do, until it holds its
        brackets; `angle_to(group.generators())` says by how much.

        Raises:
            RepresentationError: there is no Lie algebra of this dimension nearby.

        Example:
            >>> from schur.groups import SO3
            >>> rng = np.random.default_rng(0)
            >>> noisy, _ = np.linalg.qr(
            ...     SO3().generators().reshape(3, 9).T + 0.05 * rng.standard_normal((9, 3))
            ... )
            >>> found = Discovery(noisy.T.reshape(3, 3, 3), np.zeros(9), 0.1)
            >>> nearest = found.group().generators()
            >>> found.angle_to(SO3().generators()) > angle_between(nearest, SO3().generators())
            True
        """
        closed = _closed(self.generators)
        if _leaving(closed) > _CLOSED:
            raise RepresentationError(
                "no Lie algebra is near these generators",
                got=f"brackets off by {self.bracket:.1e}",
                expected="brackets within the span",
                remedy="another dimension=..., or more data",
            )
        return MatrixGroup(closed, name=name)

    def __str__(self) -> str:
        n = self.generators.shape[-1]
        found = ", ".join(f"{d:.1e}" for d in self.defects[: len(self.generators) + 2])
        return (
            f"{len(self.generators)} generators of {n} x {n}; defects {found}, …; "
            f"brackets off by {self.bracket:.1e}"
        )


def angle_between(one: Float[np.ndarray, "k n n"], other: Float[np.ndarray, "m n n"]) -> float:
    """The largest principal angle between the spans of two sets of matrices, in degrees.

    Args:
        one, other: independent matrices. Where their numbers differ the angle is 90.

    Example:
        >>> from schur.groups import SO3
        >>> x = SO3().generators()
        >>> angle_between(x, x[::-1] + 0.3 * x) < 1e-6, angle_between(x, x[:2])
        (True, 90.0)
    """
    if len(one) != len(other):
        return 90.0
    mine, _ = np.linalg.qr(one.reshape(len(one), -1).T)
    theirs, _ = np.linalg.qr(other.reshape(len(other), -1).T)
    # By the sine, which keeps its digits at small angles.
    sines = np.linalg.svd(theirs - mine @ (mine.T @ theirs), compute_uv=False)
    return float(np.degrees(np.arcsin(min(1.0, sines.max(initial=0.0)))))


def discover(
    data: Callable[[Tensor], Tensor] | tuple[Shaped[Tensor, "samples n"], Tensor],
    points: Shaped[Tensor, "samples n"] | None = None,
    dimension: int | None = None,
    epochs: int = 100,
    seed: int = 0,
) -> Discovery:
    """Finds the Lie algebra of linear maps that leave a function as it is.

    f(exp(t X) x) = f(x) for all t exactly if ∇f(x) · X x = 0 for all x. That is linear in X: the
    solutions are the null space of the second moments of ∇f(x) xᵀ, and small singular values are
    approximate symmetries. No trivial solution can win, as |X| = 1 is kept, and no distribution of
    group elements has to be guessed. For data (x, y) with labels a network y ≈ f(x) is fitted
    first; its gradients carry its error, so more data give a smaller angle.

    Args:
        data: a function of points (samples, n) to (samples,) or (samples, outputs), such as a
            trained network; or a pair of points and labels.
        points: for a function, the points where it is asked; they must be spread in all
            directions of interest, and off the symmetric ones.
        dimension: of the algebra; found from the largest gap between singular values if not
            given.
        epochs: of the fit to labels.
        seed: of the fit.

    Returns:
        The generators, with all singular values.

    Raises:
        NumberError: no gap says how many generators there are, or gradients vanish.

    Source: the equation for invariants is Lie's; as a measurement of networks Moskalev et al.,
    "LieGG", https://arxiv.org/abs/2210.04345. Yang et al., "Generative adversarial symmetry
    discovery", https://arxiv.org/abs/2302.00236, pose the problem and its benchmarks.

    Example:
        >>> x = torch.randn(200, 3, dtype=torch.float64)
        >>> found = discover(lambda x: x.square().sum(1), x)
        >>> from schur.groups import SO3
        >>> len(found.generators), found.angle_to(SO3().generators()) < 1e-6
        (3, True)
    """
    if isinstance(data, tuple):
        points, labels = data
        _check_points(points)
        if labels.shape[:1] != points.shape[:1]:
            raise ShapeError(
                "a label for each point", got=tuple(labels.shape), expected=f"({len(points)}, …)"
            )
        function = _fitted(points, labels, epochs, seed)
    elif points is None:
        raise ShapeError("a function is asked at points", expected="points=..., shape (samples, n)")
    else:
        function = data
        _check_points(points)
    n = points.shape[1]
    rows, size = _equations(function, points)
    _, values, right = np.linalg.svd(rows, full_matrices=True)
    defects = np.concatenate([values, np.zeros(n * n - len(values))])[::-1] / size
    count = _count(defects) if dimension is None else dimension
    if not 0 <= count <= n * n:
        raise NumberError("the dimension of an algebra", got=count, expected=f"0 to {n * n}")
    x = right[::-1][:count].reshape(count, n, n)
    return Discovery(x, defects, _leaving(x))


def _check_points(points: Tensor) -> None:
    if points.ndim != 2 or not points.numel():
        raise ShapeError(
            "points", got=tuple(points.shape), expected="(samples, n), one sample or more"
        )


def _equations(function: Callable[[Tensor], Tensor], points: Tensor) -> tuple[np.ndarray, float]:
    """A row ∇f(x)_i x_j for each point and output, and their root mean square size."""
    x = points.detach().clone().requires_grad_()
    out = function(x)
    out = out.reshape(len(x), -1)
    rows = []
    for column in range(out.shape[1]):
        (gradient,) = torch.autograd.grad(out[:, column].sum(), x, retain_graph=True)
        rows.append((gradient[:, :, None] * x.detach()[:, None, :]).reshape(len(x), -1))
    stacked = torch.cat(rows).double().numpy()
    size = float(np.linalg.norm(stacked))
    if not (np.isfinite(size) and size > 0):
        raise NumberError(
            "the gradients of this function say nothing",
            got=f"size {size}",
            expected="finite and not zero",
        )
    return stacked, size


def _count(defects: np.ndarray) -> int:
    """How many defects lie below the widest gap, by ratio; rounding counts as one size."""
    floor = np.maximum(defects, 1e-12)
    ratios = floor[1:] / floor[:-1]
    widest = int(np.argmax(ratios)) if len(ratios) else 0
    if not len(ratios) or ratios[widest] < _GAP:
        raise NumberError(
            "no gap between symmetric and other directions",
            got=", ".join(f"{d:.1e}" for d in defects),
            expected=f"two neighbours that differ {_GAP:g} times",
            remedy="give dimension=..., or more data; there may be no symmetry",
        )
    return widest + 1


def _brackets(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.einsum("aij,bjk->abik", x, y) - np.einsum("bij,ajk->abik", y, x)


def _leaving(x: np.ndarray) -> float:
    flat, span = _brackets(x, x).reshape(-1, x.shape[-1] ** 2), x.reshape(len(x), -1)
    size = float(np.linalg.norm(flat))
    rest = float(np.linalg.norm(flat - flat @ span.T @ span))
    return rest / size if size > 1e-9 else 0.0


def _closed(x: np.ndarray) -> np.ndarray:
    """A span nearby that holds its brackets, if there is one.

    With Y_j orthonormal to all X_a and X_a + Σ_j C_aj Y_j for the new span, what leaves it is to
    first order the Y-part of [X_a, X_b] + [C_a Y, X_b] + [X_a, C_b Y] - f_ab^c C_c Y. Solutions
    come in families, by conjugation: damped least squares (Levenberg and Marquardt), with the
    size of the rest as damping, keeps to the nearest and still converges quadratically.
    """
    k, n = x.shape[:2]
    for _ in range(_STEPS):
        if k == n * n or _leaving(x) < _CLOSED / 100:
            break
        span = x.reshape(k, -1)
        y = np.linalg.svd(span)[2][k:]
        found = _brackets(x, x).reshape(k, k, -1)
        f, rest = found @ span.T, found @ y.T
        moved = _brackets(y.reshape(-1, n, n), x).reshape(len(y), k, -1) @ y.T
        system = -np.einsum("abc,pq->abpcq", f, np.eye(len(y)))
        for a in range(k):
            system[a, :, :, a] += np.moveaxis(moved, 0, -1)
            system[:, a, :, a] -= np.moveaxis(moved, 0, -1)
        flat = system.reshape(rest.size, -1)
        damped = flat.T @ flat + np.sum(rest**2) * np.eye(flat.shape[1])
        step = np.linalg.solve(damped, -flat.T @ rest.reshape(-1)).reshape(k, -1)
        q, _ = np.linalg.qr((span + step @ y).T)
        x = q.T.reshape(k, n, n)
    return x


def _fitted(points: Tensor, labels: Tensor, epochs: int, seed: int) -> Callable[[Tensor], Tensor]:
    """A network with smooth activations fitted to labels by Adam, in the number type of points."""
    y = labels.reshape(len(points), -1).to(points.dtype)
    y = (y - y.mean(0)) / y.std(0).clamp_min(1e-12)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = torch.nn.Sequential(
            torch.nn.Linear(points.shape[1], 64),
            torch.nn.SiLU(),
            torch.nn.Linear(64, 64),
            torch.nn.SiLU(),
            torch.nn.Linear(64, y.shape[1]),
        ).to(points.dtype)
        optimiser = torch.optim.Adam(model.parameters(), 1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        for _ in range(epochs):
            for part in torch.randperm(len(points)).split(128):
                loss = (model(points[part]) - y[part]).square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
    return model
