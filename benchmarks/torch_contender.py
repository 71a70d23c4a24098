"""The three passes of any function written in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from benchmarks.problem import AS_IT_IS, Contender, Layout, Problem, Results, split_bytes

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def size(tensors: Sequence[torch.Tensor]) -> int:
    """Bytes of all together."""
    return sum(x.numel() * x.element_size() for x in tensors)


class TorchContender(Contender):
    """A function of tensors, its inputs in its own layout, and the way back.

    Args:
        function: takes the problem's inputs in order, as tensors.
        problem: the numbers.
        dtype: "float32" or "float64".
        layouts: for each input, and for "out", how it is converted; absent means as it is.
    """

    def __init__(
        self,
        function: Callable[..., torch.Tensor],
        problem: Problem,
        dtype: str,
        layouts: Mapping[str, Layout] | None = None,
    ) -> None:
        self.function = function
        self.layouts = dict(layouts or {})
        self.dtype = DTYPES[dtype]
        directions = problem.directions
        self.inputs = {
            name: self._native(name, x).requires_grad_() for name, x in problem.inputs.items()
        }
        self.directions = [self._native(name, directions[name]) for name in self.inputs]
        self.cotangent = self._native("out", problem.cotangent)

    def run(self, what: str) -> list[torch.Tensor]:
        inputs = list(self.inputs.values())
        if what == "F":
            with torch.no_grad():
                return [self.function(*inputs)]
        out = self.function(*inputs)
        keep = what == "FBB"
        gradients = torch.autograd.grad(out, inputs, self.cotangent, create_graph=keep)
        if what == "FB":
            return [out, *gradients]
        # A gradient that does not depend on the inputs (of a linear function) has no graph.
        pairs = [(g, d) for g, d in zip(gradients, self.directions, strict=True) if g.requires_grad]
        heads, weights = zip(*pairs, strict=True)
        second = torch.autograd.grad(heads, inputs, weights, allow_unused=True)
        return [out, *gradients, *(torch.zeros_like(x) if s is None else s
                                   for x, s in zip(inputs, second, strict=True))]  # fmt: skip

    def results(self, what: str) -> Results:
        return {
            name: self._canonical(name.split(" ")[-1], value)
            for name, value in zip(self.names(what), self.run(what), strict=True)
        }

    def names(self, what: str) -> list[str]:
        """What each entry of a pass's result is."""
        first = [f"gradient {name}" for name in self.inputs]
        second = [f"second {name}" for name in self.inputs]
        return ["out"] + (first if what != "F" else []) + (second if what == "FBB" else [])

    def bytes_held(self, what: str) -> tuple[int, int]:
        always = size([*self.inputs.values(), *self.run(what)])
        return split_bytes(what, always, size([self.cotangent]), size(self.directions))

    def _native(self, name: str, x: np.ndarray) -> torch.Tensor:
        native = self.layouts.get(name, AS_IT_IS).to_native(x)
        return torch.tensor(np.ascontiguousarray(native), dtype=self.dtype)

    def _canonical(self, name: str, x: torch.Tensor) -> np.ndarray:
        return self.layouts.get(name, AS_IT_IS).to_canonical(x.detach().double().cpu().numpy())
