"""The three passes of any function written in JAX, each compiled as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problem import AS_IT_IS, Contender, Layout, Problem, Results, split_bytes


class JaxContender(Contender):
    """As `TorchContender`, with `jax.jit` around each pass."""

    def __init__(
        self,
        function: Callable[..., Any],
        problem: Problem,
        dtype: str,
        layouts: Mapping[str, Layout] | None = None,
    ) -> None:
        jax.config.update("jax_enable_x64", True)
        self.layouts = dict(layouts or {})
        self.dtype = dtype
        self.names = list(problem.inputs)
        directions = problem.directions
        self.inputs = [self._native(name, x) for name, x in problem.inputs.items()]
        self.directions = [self._native(name, directions[name]) for name in self.names]
        self.cotangent = self._native("out", problem.cotangent)
        # Indices and cotangents are arguments: constants would be folded while compiling.
        self.compiled = {
            "F": jax.jit(lambda inputs, cotangent, directions: [function(*inputs)]),
            "FB": jax.jit(
                lambda inputs, cotangent, directions: _first(function, inputs, cotangent)
            ),
            "FBB": jax.jit(
                lambda inputs, cotangent, directions: _second(
                    function, inputs, cotangent, directions
                )
            ),
        }

    def run(self, what: str) -> object:
        done = self.compiled[what](self.inputs, self.cotangent, self.directions)
        return jax.block_until_ready(done)

    def results(self, what: str) -> Results:
        keys = ["out"] + [f"gradient {n}" for n in self.names] + [f"second {n}" for n in self.names]
        values: Any = self.run(what)
        found: Results = {}
        for key, value in zip(keys, values, strict=False):
            layout = self.layouts.get(key.split(" ")[-1], AS_IT_IS)
            found[key] = layout.to_canonical(np.asarray(value, dtype=np.float64))
        return found

    def bytes_held(self, what: str) -> tuple[int, int]:
        values: Any = self.run(what)
        always = sum(x.nbytes for x in [*self.inputs, *values])
        directions = sum(x.nbytes for x in self.directions)
        return split_bytes(what, always, self.cotangent.nbytes, directions)

    def _native(self, name: str, x: np.ndarray) -> Any:
        return jnp.asarray(self.layouts.get(name, AS_IT_IS).to_native(x), dtype=self.dtype)


def _first(function: Callable[..., Any], inputs: list[Any], cotangent: Any) -> list[Any]:
    out, pull_back = jax.vjp(function, *inputs)
    return [out, *pull_back(cotangent)]


def _second(
    function: Callable[..., Any], inputs: list[Any], cotangent: Any, directions: list[Any]
) -> list[Any]:
    def loss(*inputs: Any) -> tuple[Any, list[Any]]:
        first = _first(function, list(inputs), cotangent)
        pairs = zip(first[1:], directions, strict=True)
        return sum(jnp.vdot(g, d) for g, d in pairs), first

    every = tuple(range(len(inputs)))
    second, first = jax.grad(loss, argnums=every, has_aux=True)(*inputs)
    return [*first, *second]
