"""Minimising Σ_k |g⁻¹ v_k - a_k|² over a group of matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from schur.errors import NumberError
from schur.groups import Group

_LONGEST = 1.0  # length of a step in the Lie algebra
_MOST_COMPONENTS = 16


def components(group: Group) -> Float[np.ndarray, "count n n"]:
    """One element in each component of a group: the products of its discrete generators.

    Raises:
        NumberError: there are more than 16.

    Example:
        >>> from schur.groups import Lorentz
        >>> len(components(Lorentz("O")))
        4
    """
    found = [np.eye(group.n)]
    for element in found:
        for h in group.discrete():
            product = element @ h
            if not any(np.allclose(product, other, atol=1e-9) for other in found):
                found.append(product)  # the loop goes on over what it appends
            if len(found) > _MOST_COMPONENTS:
                raise NumberError(
                    f"the discrete generators of {group} make many elements",
                    expected=f"at most {_MOST_COMPONENTS}",
                )
    return np.stack(found)


@dataclass(frozen=True)
class OrbitProblem:
    """E(g) = Σ_k |g⁻¹ v_k - a_k|² in the neighbourhood g exp(Σ c_a X_a) of an element.

    With y_k = g⁻¹ v_k, half the derivatives at c = 0 are

        gradient_a = -Σ_k X_a y_k · (y_k - a_k),
        Hessian_ab = Σ_k X_a y_k · X_b y_k + (y_k - a_k) · ½ (X_a X_b + X_b X_a) y_k.

    Args:
        generators: X_a.
        reference: a_k, one a row.
    """

    generators: Float64[Tensor, "dim d d"]
    reference: Float64[Tensor, "k d"]

    def gradient(self, y: Float64[Tensor, "*batch k d"]) -> Float64[Tensor, "*batch dim"]:
        """Half the gradient."""
        return -torch.einsum("aij,...kj,...ki->...a", self.generators, y, y - self.reference)

    def hessian(self, y: Float64[Tensor, "*batch k d"]) -> Float64[Tensor, "*batch dim dim"]:
        """Half the Hessian."""
        moved = torch.einsum("aij,...kj->...aki", self.generators, y)
        square = torch.einsum("...aki,...bki->...ab", moved, moved)
        second = torch.einsum("aij,...bkj->...abki", self.generators, moved)
        bend = torch.einsum("...abki,...ki->...ab", second, y - self.reference)
        return square + (bend + bend.mT) / 2

    def energy(self, y: Float64[Tensor, "*batch k d"]) -> Float64[Tensor, "*batch"]:
        """E itself."""
        return ((y - self.reference) ** 2).sum((-2, -1))

    def solved(
        self,
        vectors: Float64[Tensor, "clouds k d"],
        starts: Float64[Tensor, "starts d d"],
        steps: int,
    ) -> tuple[
        Float64[Tensor, "clouds d d"], Float64[Tensor, "clouds d d"], Float64[Tensor, "clouds"]
    ]:
        """The best g, its inverse, and how unique it is; see `MinimisedFrames`."""
        if not bool(torch.isfinite(vectors.detach()).all()):
            raise NumberError("vectors that are no numbers", got="nan or inf", expected="finite")
        with torch.no_grad():
            g, inverse = self._descent(vectors.detach(), starts, steps)
            energy = self.energy(vectors.detach()[:, None] @ inverse.mT)
            best = energy.argmin(1)
            every = torch.arange(len(best), device=best.device)
            margin = self._margin(vectors.detach(), inverse, energy, best)
            g, inverse = g[every, best], inverse[every, best]
            curvature = torch.linalg.pinv(
                self.hessian(vectors.detach() @ inverse.mT), rtol=1e-12, hermitian=True
            )
        # One more Newton step, zero but for rounding, through which derivatives flow.
        step = -(curvature @ self.gradient(vectors @ inverse.mT)[..., None])[..., 0]
        forward = torch.linalg.matrix_exp(self._element(step))
        back = torch.linalg.matrix_exp(-self._element(step))
        return g @ forward, back @ inverse, margin

    def _element(self, c: Tensor) -> Tensor:
        return torch.einsum("...a,aij->...ij", c, self.generators)

    def _descent(self, vectors: Tensor, starts: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Damped Newton steps from every start, each accepted where the energy falls."""
        g = starts.expand(len(vectors), *starts.shape).clone()
        inverse = torch.linalg.inv(g)
        y = vectors[:, None] @ inverse.mT
        energy = self.energy(y)
        damping = torch.full_like(energy, 1e-3)
        for _ in range(steps):
            values, axes = torch.linalg.eigh(self.hessian(y))
            floor = 1e-12 * values.abs().amax(-1, keepdim=True) + 1e-300
            stiff = values.abs() + damping[..., None] * values.abs().mean(-1, keepdim=True) + floor
            step = -(axes @ ((axes.mT @ self.gradient(y)[..., None])[..., 0] / stiff)[..., None])
            step = step[..., 0]
            length = torch.linalg.vector_norm(step, dim=-1, keepdim=True)
            if not len(length) or float(length.max()) < 1e-9:
                break
            X = self._element(step * (_LONGEST / length.clamp(min=_LONGEST)))
            new_inverse = torch.linalg.matrix_exp(-X) @ inverse
            new_y = vectors[:, None] @ new_inverse.mT
            new_energy = self.energy(new_y)
            better = new_energy <= energy * (1 + 1e-15)
            pick = better[..., None, None]
            g = torch.where(pick, g @ torch.linalg.matrix_exp(X), g)
            inverse = torch.where(pick, new_inverse, inverse)
            y, energy = torch.where(pick, new_y, y), torch.where(better, new_energy, energy)
            damping = torch.where(better, damping / 8, damping * 8).clamp(1e-12, 1e8)
        return g, inverse

    def _margin(self, vectors: Tensor, inverse: Tensor, energy: Tensor, best: Tensor) -> Tensor:
        every = torch.arange(len(best), device=best.device)
        y = vectors[:, None] @ inverse.mT
        values = torch.linalg.eigvalsh(self.hessian(y[every, best]))
        ratio = (values[..., 0] / values[..., -1].clamp(min=1e-300)).clamp(0, 1)
        lowest = energy[every, best, None]
        size = torch.linalg.vector_norm(y[every, best], dim=(-2, -1))[:, None]
        apart = torch.linalg.matrix_norm(y - y[every, best][:, None]) > 1e-4 * size
        gap = (energy - lowest) / energy.clamp(min=1e-300)
        return torch.minimum(ratio, torch.where(apart, gap, 1.0).amin(1))
