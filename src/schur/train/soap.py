"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from schur.errors import DtypeError, NumberError

from .matrices import matrix_places

_FIRST_ITERATIONS = 10
# Added to Gram matrices, relative to the mean of their diagonals.
_SHIFT = 1e-6


class Soap(torch.optim.Optimizer):
    r"""A step of Adam for matrices W, taken in bases that decorrelate their gradients G.

        L <- β L + (1 - β) G Gᵀ        R <- β R + (1 - β) Gᵀ G
        G' = Uᵀ G V                    U, V: eigenvectors of L and R
        M' <- β₁ M' + (1 - β₁) G'      S' <- β₂ S' + (1 - β₂) G'²
        W <- (1 - η λ) W - η U (M' / c₁ / (√(S' / c₂) + ε)) Vᵀ

    with cₖ = 1 - βₖᵗ after t steps. Rows and columns of an equivariant layer's weights are
    channels, whose features are strongly correlated; Adam alone, which sees single numbers, goes
    slowly along the narrow valleys that this makes. The bases follow L and R by one orthogonal
    iteration every few steps. Vectors and single numbers get Adam.

    Matrices of equal shape are stacked and treated as one batch of products, so that a step costs
    a few milliseconds for a network of a hundred thousand weights.

    Args:
        model: whose trainable parameters are updated, and whose layers say which matrices their
            weights hold (see `schur.train.matrices.matrix_places`).
        lr: η, the length of a step for each number of W.
        betas: β₁ and β₂ of Adam's moments.
        basis_beta: β, memory of L and R.
        basis_every: steps between updates of the bases.
        weight_decay: λ.
        eps: ε, added where a second moment may vanish.

    Source: Vyas, Morwani, Zhao, Shapira, Brandfonbrener, Janson, Kakade, "SOAP: Improving and
        Stabilizing Shampoo using Adam", ICLR 2025, algorithm 3; Gupta, Koren and Singer,
        "Shampoo", ICML 2018; Kingma and Ba, "Adam", ICLR 2015.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> optimiser = Soap(layer, lr=0.1)
        >>> for _ in range(200):
        ...     optimiser.zero_grad()
        ...     (layer(torch.eye(3)) - torch.ones(3, 2)).square().sum().backward()
        ...     optimiser.step()
        >>> bool((layer(torch.eye(3)) - 1).abs().max() < 0.1)
        True
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float = 0.03,
        betas: tuple[float, float] = (0.9, 0.999),
        basis_beta: float = 0.95,
        basis_every: int = 10,
        weight_decay: float = 0.0,
        eps: float = 1e-12,
    ) -> None:
        if not 0 <= min(*betas, basis_beta) <= max(*betas, basis_beta) < 1 or basis_every < 1:
            raise NumberError(
                "the settings of SOAP are out of range",
                got=f"betas={betas}, basis_beta={basis_beta}, basis_every={basis_every}",
                expected="betas in [0, 1) and basis_every >= 1",
            )
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        kinds = {(parameter.dtype, parameter.device) for parameter in trained}
        if len(kinds) != 1:
            raise DtypeError(
                "SOAP needs parameters of one dtype on one device", got=sorted(map(str, kinds))
            )
        ((_, device),) = kinds
        settings = {
            "lr": lr,
            "betas": betas,
            "basis_beta": basis_beta,
            "basis_every": basis_every,
            "weight_decay": weight_decay,
            "eps": eps,
        }
        super().__init__(trained, settings)
        places = matrix_places(model)
        self._shapes = list(places)
        self._sizes = [place.numel() for place in places.values()]
        order = torch.cat([place.flatten() for place in places.values()])
        self._order, self._back = order.to(device), order.argsort().to(device)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Takes a step along the gradients that the parameters hold.

        A parameter without a gradient counts as one whose gradient is zero.

        Args:
            closure: evaluates the loss anew, as in torch's optimisers.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        settings = self.param_groups[0]
        trained: list[Tensor] = settings["params"]
        flat = torch.cat([_gradient(parameter).flatten() for parameter in trained])
        parts = flat.index_select(0, self._order).split(self._sizes)
        changes = []
        for shape, gradient in zip(self._shapes, parts, strict=True):
            # All state is kept with the first parameter, as tensors that a checkpoint can hold.
            state = _Part(self.state[trained[0]], "x".join(map(str, shape)) or "vectors")
            if shape:
                gradient = _decorrelated(gradient.view(-1, *shape), state, settings).flatten()
            else:
                gradient = _adam(gradient, state, settings)
            changes.append(gradient)
        change = torch.cat(changes).index_select(0, self._back).split([p.numel() for p in trained])
        if settings["weight_decay"]:
            torch._foreach_mul_(trained, 1 - settings["lr"] * settings["weight_decay"])
        moves = [part.view_as(parameter) for part, parameter in zip(change, trained, strict=True)]
        torch._foreach_add_(trained, moves, alpha=-settings["lr"])
        return loss


class _Part:
    """The entries of a parameter's state whose names begin with a prefix."""

    def __init__(self, state: dict[str, Tensor], prefix: str) -> None:
        self._state, self._prefix = state, prefix

    def __getitem__(self, name: str) -> Tensor:
        return self._state[f"{self._prefix} {name}"]

    def __setitem__(self, name: str, value: Tensor) -> None:
        self._state[f"{self._prefix} {name}"] = value

    def __contains__(self, name: str) -> bool:
        return f"{self._prefix} {name}" in self._state


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _decorrelated(
    gradient: Float[Tensor, "matrices rows columns"], state: _Part, settings: dict[str, Any]
) -> Float[Tensor, "matrices rows columns"]:
    """Adam's change, found in the bases U and V of each matrix; none before there are bases."""
    if "left" not in state:
        _begin(gradient, state, settings)
        return torch.zeros_like(gradient)
    _follow(gradient, state, settings)
    left, right = state["left basis"], state["right basis"]
    change = _adam(left.mT @ gradient @ right, state, settings)
    return left @ change @ right.mT


def _adam(gradient: Tensor, state: _Part, settings: dict[str, Any]) -> Tensor:
    """M / c₁ / (√(S / c₂) + ε) after both moments have taken the gradient in."""
    if "first" not in state:
        state["first"], state["second"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        state["steps"] = torch.zeros((), dtype=gradient.dtype)
    # Counted on the CPU, so that no other device is waited for; a checkpoint puts it there once.
    state["steps"] = state["steps"].cpu() + 1
    steps, (beta1, beta2) = int(state["steps"]), settings["betas"]
    first = state["first"].lerp_(gradient, 1 - beta1)
    second = state["second"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    scale = (second / (1 - beta2**steps)).sqrt_()
    if scale.ndim == 3:
        # What is as small as the rounding errors of a matrix's largest number is one of them.
        largest = scale.amax((-2, -1), keepdim=True)
        scale = torch.maximum(scale, 100 * torch.finfo(scale.dtype).eps * largest)
    return first / scale.add_(settings["eps"]).mul_(1 - beta1**steps)


def _begin(gradient: Tensor, state: _Part, settings: dict[str, Any]) -> None:
    """The first gradient decides the bases, and nothing else."""
    for side, product in (("left", gradient @ gradient.mT), ("right", gradient.mT @ gradient)):
        state[side] = (1 - settings["basis_beta"]) * product
        basis = torch.eye(len(product[0])).to(product).expand_as(product)
        for _ in range(_FIRST_ITERATIONS):
            basis, _ = _iterated(product, basis)
        state[f"{side} basis"] = basis


def _follow(gradient: Tensor, state: _Part, settings: dict[str, Any]) -> None:
    """Takes the gradient into L and R, and moves the bases every few steps."""
    for side, product in (("left", gradient @ gradient.mT), ("right", gradient.mT @ gradient)):
        state[side].lerp_(product, 1 - settings["basis_beta"])
    if "steps" in state and int(state["steps"]) % settings["basis_every"] == 0:
        left, rows = _turn(state, "left")
        right, columns = _turn(state, "right")
        # The first moment is linear in the gradient. The second has no exact image; vectors
        # move little from one time to the next, and it stays with them.
        state["first"] = left.mT @ state["first"] @ right
        second = state["second"]
        second = second.gather(-2, rows[:, :, None].expand_as(second))
        state["second"] = second.gather(-1, columns[:, None, :].expand_as(second))


def _turn(state: _Part, side: str) -> tuple[Tensor, Tensor]:
    """One step of a basis; what turns the old one into the new one, and the order taken."""
    old = state[f"{side} basis"]
    new, order = _iterated(state[side], old)
    state[f"{side} basis"] = new
    return old.mT @ new, order


def _iterated(gram: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """An orthogonal iteration, which leaves alone what no gradient has reached.

    The vectors are sorted by the size of the gradients along them and converge in that order. A
    small multiple of one is added to L: without it rounding errors would choose the vectors that
    L sends to zero, and a run with its sums in another order would take another path.
    """
    mean = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    image = torch.baddbmm(_SHIFT * mean * basis, gram, basis)
    order = torch.argsort((basis * image).sum(-2), dim=-1, descending=True, stable=True)
    return torch.linalg.qr(image.gather(-1, order[:, None, :].expand_as(image))).Q, order
