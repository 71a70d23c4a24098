"""What one would write without any library: dense contractions and bare matrix products."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import torch

from benchmarks.irreps import Part, parse
from benchmarks.mace_basis import dense_bases
from benchmarks.problem import Contender, Layout, Problem, Results, split_bytes
from benchmarks.torch_contender import DTYPES, TorchContender, size

VERSIONS = ("torch",)


def dense_symmetric_contraction(problem: Problem, dtype: str) -> TorchContender:
    """The contraction of MACE (Batatia et al. 2022, eq. 10-11), one factor after another."""
    channels = parse(problem.settings["in"])[0].multiplicity
    bases = [
        [torch.tensor(basis.numpy(), dtype=DTYPES[dtype]) for basis in per_degree]
        for per_degree in dense_bases(problem)
    ]
    one_hot = torch.nn.functional.one_hot(
        torch.tensor(problem.indices["species"]), problem.settings["species"]
    ).to(DTYPES[dtype])

    def contract(x: Any, weight: Any) -> torch.Tensor:
        x = x.unflatten(1, (channels, -1))
        outputs = []
        start = 0
        for per_degree in bases:
            weights = weight.split([start, *(b.shape[-1] for b in per_degree),
                                    weight.shape[1] - start - sum(b.shape[-1] for b in per_degree)],
                                   dim=1)[1:-1]  # fmt: skip
            start += sum(basis.shape[-1] for basis in per_degree)
            total = torch.einsum("...ik,ekc,bci,be->bc...", per_degree[-1], weights[-1], x, one_hot)
            for basis, w in zip(per_degree[-2::-1], weights[-2::-1], strict=True):
                total = total + torch.einsum("...k,ekc,be->bc...", basis, w, one_hot)
                total = torch.einsum("bc...i,bci->bc...", total, x)
            outputs.append(total.flatten(1))
        return torch.cat(outputs, dim=1)

    # Channels outermost: all irreps of one channel lie together.
    inside = _channel_outermost(parse(problem.settings["in"]))
    return TorchContender(contract, problem, dtype, {"x": inside})


def _channel_outermost(parts: list[Part]) -> Layout:
    channels = parts[0].multiplicity
    starts = np.cumsum([0, *(part.dim for part in parts)])
    gather = np.concatenate(
        [
            (start + np.arange(part.dim)).reshape(channels, -1)
            for part, start in zip(parts, starts, strict=False)
        ],
        axis=1,
    ).reshape(-1)
    scatter = np.argsort(gather)
    return Layout(lambda x: x[..., gather], lambda x: x[..., scatter])


class BareLinear(Contender):
    """One matrix product a block (and species) on contiguous operands: the least there is to do."""

    def __init__(self, problem: Problem, dtype: str) -> None:
        self.problem = problem
        self.parts = parse(problem.settings["irreps"])
        nodes = len(problem.inputs["x"])
        species = problem.indices.get("species", np.zeros(nodes, dtype=int))
        self.groups = [np.flatnonzero(species == s) for s in range(int(species.max()) + 1)]
        self.dtype = DTYPES[dtype]
        directions = problem.directions
        self.x = [m.requires_grad_() for m in self._rows(problem.inputs["x"])]
        self.w = [m.requires_grad_() for m in self._matrices(problem.inputs["weight"])]
        self.directions = self._rows(directions["x"]) + self._matrices(directions["weight"])
        self.cotangent = self._rows(problem.cotangent)

    def run(self, what: str) -> list[torch.Tensor]:
        if what == "F":
            with torch.no_grad():
                return [x @ w for x, w in zip(self.x, self.w, strict=True)]
        out = [x @ w for x, w in zip(self.x, self.w, strict=True)]
        inputs = self.x + self.w
        first = torch.autograd.grad(out, inputs, self.cotangent, create_graph=what == "FBB")
        if what == "FB":
            return [*out, *first]
        return [*out, *first, *torch.autograd.grad(first, inputs, self.directions)]

    def results(self, what: str) -> Results:
        values = [value.detach().double().cpu().numpy() for value in self.run(what)]
        count = len(self.x)
        found = {"out": self._from_rows(values[:count])}
        for k, name in enumerate(("gradient", "second")[: ("F", "FB", "FBB").index(what)]):
            rest = values[count + 2 * k * count :]
            found[f"{name} x"] = self._from_rows(rest[:count])
            found[f"{name} weight"] = self._from_matrices(rest[count : 2 * count])
        return found

    def bytes_held(self, what: str) -> tuple[int, int]:
        always = size([*self.x, *self.w, *self.run(what)])
        return split_bytes(what, always, size(self.cotangent), size(self.directions))

    def _rows(self, x: np.ndarray) -> list[torch.Tensor]:
        """For each species and block a matrix (nodes and components, channels)."""
        found = []
        for group in self.groups:
            for part, block in zip(self.parts, self._blocks(x[group]), strict=True):
                rows = block.reshape(-1, part.multiplicity, 2 * part.l + 1).transpose(0, 2, 1)
                found.append(self._tensor(rows.reshape(-1, part.multiplicity)))
        return found

    def _matrices(self, weight: np.ndarray) -> list[torch.Tensor]:
        ends = np.cumsum([part.multiplicity**2 for part in self.parts])[:-1]
        return [
            self._tensor(w.reshape(part.multiplicity, -1) / sqrt(part.multiplicity))
            for row in weight
            for part, w in zip(self.parts, np.split(row, ends), strict=True)
        ]

    def _from_rows(self, values: list[np.ndarray]) -> np.ndarray:
        out = np.empty(self.problem.output_shape)
        for k, group in enumerate(self.groups):
            blocks = values[k * len(self.parts) : (k + 1) * len(self.parts)]
            out[group] = np.concatenate(
                [
                    b.reshape(len(group), -1, part.multiplicity)
                    .transpose(0, 2, 1)
                    .reshape(len(group), -1)
                    for part, b in zip(self.parts, blocks, strict=True)
                ],
                axis=1,
            )
        return out

    def _from_matrices(self, values: list[np.ndarray]) -> np.ndarray:
        count = len(self.parts)
        scaled = [m.reshape(-1) / sqrt(len(m)) for m in values]
        return np.stack(
            [np.concatenate(scaled[k * count : (k + 1) * count]) for k in range(len(self.groups))]
        )

    def _blocks(self, x: np.ndarray) -> list[np.ndarray]:
        return np.split(x, np.cumsum([part.dim for part in self.parts])[:-1], axis=1)

    def _tensor(self, x: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.ascontiguousarray(x), dtype=self.dtype)


def bare_linear(problem: Problem, dtype: str) -> BareLinear:
    return BareLinear(problem, dtype)
