"""Products with a matrix that is put together from few distinct entries, without tracing each step.

A small layer costs what starting its operations costs, forward and back. Here each direction is
one call of compiled code (`assembled.c`), beside products of the linear algebra library where
there are many rows.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from schur.engine import c_backend, c_compiler

# Up to so many multiplications the loops of `assembled.c` are faster than a library, which takes
# some microseconds to start.
FEW = 1 << 16


class _Table(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("inputs", "outputs", "width_in", "width_out")],
        *[(name, ctypes.c_int64) for name in ("classes", "maps", "biases")],
        *[(name, ctypes.c_void_p) for name in ("labels", "patterns", "shifts")],
    ]


class Assembly:
    """How a matrix and a shift are made of weights and biases.

        M[(j, u), (i, w)] = Σ_d patterns[labels[j, i], d] weight[d, u, w]
        b[(i, w)]         = Σ_b shifts[i, b] bias[b, w]

    Args:
        patterns: what each weight adds to the blocks of each class; None for the unit matrix.
        labels: the class of the block of each input j and output i.
        shifts: what each bias adds to each output.
        classes, channels: how many classes there are; channels of inputs and outputs.
    """

    def __init__(
        self,
        patterns: Float[np.ndarray, "classes maps"] | None,
        labels: Int[np.ndarray, "inputs outputs"],
        shifts: Float[np.ndarray, "outputs biases"],
        classes: int,
        channels: tuple[int, int],
    ) -> None:
        self.patterns, self.shifts, self.classes, self.channels = (
            patterns,
            shifts,
            classes,
            channels,
        )
        self.labels = np.ascontiguousarray(labels, np.int32)
        self.maps = classes if patterns is None else patterns.shape[1]
        inputs, outputs = labels.shape
        self.extents = inputs * channels[0], outputs * channels[1]
        self._compiled: dict[torch.dtype, _Compiled] = {}

    def compiled(self, dtype: torch.dtype) -> _Compiled:
        """The code and the tables in numbers of one type."""
        found = self._compiled.get(dtype)
        if found is None:
            found = self._compiled[dtype] = _Compiled(self, dtype)
        return found

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_compiled": {}}


class _Compiled:
    """The functions of `assembled.c` on the tables of one assembly."""

    def __init__(self, assembly: Assembly, dtype: torch.dtype) -> None:
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        patterns = (
            None if assembly.patterns is None else np.ascontiguousarray(assembly.patterns, kind)
        )
        shifts = np.ascontiguousarray(assembly.shifts, kind)
        inputs, outputs = assembly.labels.shape
        self.extents = assembly.extents
        self.entries = assembly.classes * assembly.channels[0] * assembly.channels[1]
        self._library = _library(dtype)
        self._kept = (patterns, shifts, assembly.labels)
        self._held = _Table(
            *(inputs, outputs, *assembly.channels, assembly.classes, assembly.maps),
            shifts.shape[1],
            assembly.labels.ctypes.data,
            None if patterns is None else patterns.ctypes.data,
            shifts.ctypes.data,
        )
        self._table = ctypes.addressof(self._held)

    def forward(
        self, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Float[Tensor, "rows wide"], Float[Tensor, "deep wide"]]:
        """x M + b, and M."""
        deep, wide = self.extents
        matrix = x.new_empty(deep, wide)
        scratch = x.new_empty(self.entries + wide)
        entries = scratch.data_ptr()
        shift = entries + self.entries * x.itemsize
        self._library.assemble(
            self._table, weight.data_ptr(), _address(bias), entries, matrix.data_ptr(), shift
        )
        rows = x.numel() // deep
        if rows * deep * wide > FEW:
            x = x.view(rows, deep)
            if bias is None:
                return x.mm(matrix), matrix
            return torch.addmm(scratch[self.entries :], x, matrix), matrix
        out = x.new_empty(rows, wide)
        self._library.multiply(
            self._table, rows, x.data_ptr(), matrix.data_ptr(), shift, out.data_ptr()
        )
        return out, matrix

    def by_input(self, g: Tensor, matrix: Tensor, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """g Mᵀ, in that shape."""
        deep, wide = self.extents
        rows = g.numel() // wide
        if rows * deep * wide > FEW:
            return g.view(rows, wide).mm(matrix.t()).view(shape)
        grad = g.new_empty(shape)
        addresses = (g.data_ptr(), matrix.data_ptr(), grad.data_ptr())
        self._library.multiply_back(self._table, rows, *addresses)
        return grad

    def by_weights(
        self, x: Tensor, g: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradients of ⟨g, x M + b⟩ by weights and biases."""
        deep, wide = self.extents
        rows = x.numel() // deep
        scratch = x.new_empty(self.entries + wide)
        entries = scratch.data_ptr()
        product = None
        if rows * deep * wide > FEW:
            product = x.view(rows, deep).t().mm(g.view(rows, wide))
        # Written row by row, however the weights lie in memory.
        grad_weight = x.new_empty(weight.shape)
        grad_bias = None if bias is None else x.new_empty(bias.shape)
        self._library.gather_weights(
            *(self._table, rows, x.data_ptr(), g.data_ptr(), _address(product)),
            *(entries, entries + self.entries * x.itemsize),
            *(grad_weight.data_ptr(), _address(grad_bias)),
        )
        return grad_weight, grad_bias


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


@lru_cache(maxsize=4)
def _library(dtype: torch.dtype) -> ctypes.CDLL:
    text = f"typedef {c_backend.DTYPES[dtype]} T;\n"
    text += Path(__file__).with_name("assembled.c").read_text()
    loaded = c_compiler.library_of(text)
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    for name in ("assemble", "multiply", "multiply_back", "gather_weights"):
        getattr(loaded, name).restype = None
    loaded.assemble.argtypes = [pointer] * 6
    loaded.multiply.argtypes = [pointer, number, *[pointer] * 4]
    loaded.multiply_back.argtypes = [pointer, number, *[pointer] * 3]
    loaded.gather_weights.argtypes = [pointer, number, *[pointer] * 7]
    return loaded
