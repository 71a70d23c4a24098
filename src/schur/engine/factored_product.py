"""Linear maps taken apart into contract, mix and copy, on vectors that hold a number of many rows.

What is compiled is `factored.c` and the same for all maps: which number is a sum of which others is
read from tables. So a layer is there at once, its size has no bound from a compiler, and vectors
are full however few channels there are.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from schur.engine import allocation, c_backend, c_compiler, c_lanes, c_runtime, c_text

# Rows of an item: whole vectors of any number type.
_ROWS = 64
# So few rows that their numbers fill so many bytes have vectors of as many: wider ones would be
# mostly empty.
_NARROW = 16
# At most so many partial sums of a gradient by the weights; they depend on the data alone, so that
# sums are the same for any number of threads.
_MOST_PARTIALS = 32


@dataclass(frozen=True, eq=False)
class Side:
    """The entries of a tensor and, after them, numbers that are sums of what stands before them.

        number[target] = Σ factor · number[source]

    Args:
        entries: of the tensor.
        size: entries and further numbers.
        given: how many numbers at the end are constants where the side is written.
        target, source, factor: of each term.
    """

    entries: int
    size: int
    given: int
    target: Int[np.ndarray, " terms"]
    source: Int[np.ndarray, " terms"]
    factor: Float[np.ndarray, " terms"]


@dataclass(frozen=True, eq=False)
class Couplings:
    """Which number of the side that is read goes to which of the other, by which map.

    Args:
        to, source: numbers of the side that is written and of the one that is read.
        map: 0, 1, …
        factor: of each coupling.
    """

    to: Int[np.ndarray, " couplings"]
    source: Int[np.ndarray, " couplings"]
    map: Int[np.ndarray, " couplings"]
    factor: Float[np.ndarray, " couplings"]


@dataclass(frozen=True, eq=False)
class FactoredMaps:
    """The maps x ↦ Σ_d D_d x W_d + Σ_b B_b c_b, each D_d as what is read, coupled and written.

    Args:
        read, written: the sides; `given` of what is written stands for the c_b.
        couplings: of the maps.
        maps: how many W_d there are.
        channels: rows and columns of a W_d.
    """

    read: Side
    written: Side
    couplings: Couplings
    maps: int
    channels: tuple[int, int]

    @cached_property
    def extents(self) -> tuple[int, int]:
        """Numbers of a row of x, and of the result."""
        width_in, width_out = self.channels
        return self.read.entries * width_in, self.written.entries * width_out

    @cached_property
    def operations(self) -> int:
        """Multiplications and additions for a row."""
        width_in, width_out = self.channels
        mixed = len(self.couplings.to) * width_in * width_out
        return mixed + len(self.read.target) * width_in + len(self.written.target) * width_out

    @property
    def vectors(self) -> int:
        """How many vectors are held at a time."""
        width_in, width_out = self.channels
        sums = self.maps * width_in * width_out
        return self.read.size * width_in + self.written.size * width_out + sums

    @cached_property
    def transpose(self) -> FactoredMaps:
        """The maps g ↦ Σ_d D_dᵀ g W_dᵀ."""
        c, (width_in, width_out) = self.couplings, self.channels
        exchanged = Couplings(c.source, c.to, c.map, c.factor)
        found = FactoredMaps(self.written, self.read, exchanged, self.maps, (width_out, width_in))
        found.__dict__["transpose"] = self
        return found

    def apply(
        self,
        x: Float[Tensor, "rows dim_in"],
        weight: Float[Tensor, "maps width_in width_out"],
        given: Float[Tensor, "given width_out"] | None,
    ) -> Float[Tensor, "rows dim_out"]:
        """Σ_d D_d x W_d + Σ_b B_b c_b for contiguous tensors of one type, without a gradient.

        Bit for bit the same for any number of threads.
        """
        out = allocation.empty(x.shape[0], self.extents[1], like=x)
        self._run("apply", (x, weight, given, out), _ROWS)
        return out

    def outer(
        self, x: Float[Tensor, "rows dim_in"], g: Float[Tensor, "rows dim_out"]
    ) -> tuple[Float[Tensor, "maps width_in width_out"], Float[Tensor, "given width_out"]]:
        """The gradients of ⟨g, apply(x, W, c)⟩ by W and c, likewise."""
        width_in, width_out = self.channels
        given, weights = self.written.given * width_out, self.maps * width_in * width_out
        grain = max(1, -(-x.shape[0] // (_ROWS * _MOST_PARTIALS))) * _ROWS
        partials = -(-x.shape[0] // grain)
        partial = x.new_empty(partials, weights + given)
        self._run("outer", (x, g, None, partial), grain)
        total = partial[0] if partials == 1 else partial.sum(0)
        by_weight, by_given = total.split((weights, given))
        return by_weight.view(self.maps, *self.channels), by_given.view(-1, width_out)

    def _run(self, name: str, tensors: tuple[Tensor | None, ...], grain: int) -> None:
        """Hand pieces of so many rows to one of the functions of `factored.c`."""
        first = tensors[0]
        assert first is not None
        tables = self._held.get(first.dtype)
        if tables is None:
            tables = self._held[first.dtype] = _Tables(self, first.dtype)
        addresses = [None if t is None else t.data_ptr() for t in tensors]
        task, rows = _Task(tables.address, *addresses), first.shape[0]
        library = _library(first.dtype, rows * first.itemsize <= _NARROW)
        kernel, items = getattr(library, name), c_runtime.row_items(rows, grain)
        if items.count == 1:
            kernel(ctypes.byref(task), items.address)
        else:
            c_runtime.launcher(kernel, task, items, self.operations * rows)()

    @cached_property
    def _held(self) -> dict[torch.dtype, _Tables]:
        return {}

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_held"}


class _Sums(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("start", "other", "factor")]


class _Side(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("entries", "size", "given")],
        *[(name, _Sums) for name in ("parts", "wholes")],
    ]


class _Couplings(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("start", "to", "source", "map", "factor")]


class _Maps(ctypes.Structure):
    _fields_ = [
        *[(name, _Side) for name in ("read", "written")],
        *[(name, _Couplings) for name in ("by_target", "by_map")],
        *[(name, ctypes.c_int64) for name in ("maps", "width_in", "width_out")],
    ]


class _Task(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("maps", "x", "second", "given", "out")]


class _Tables:
    """Tables as C reads them, with factors of one number type."""

    def __init__(self, maps: FactoredMaps, dtype: torch.dtype) -> None:
        self._kind = torch.empty(0, dtype=dtype).numpy().dtype
        self._kept: list[Any] = []
        c = maps.couplings
        columns = (c.to, c.source, c.map)
        self._maps = _Maps(
            self._side(maps.read),
            self._side(maps.written),
            _Couplings(*self._sorted(c.to, maps.written.size, columns, c.factor)),
            _Couplings(*self._sorted(c.map, maps.maps, columns, c.factor)),
            *(maps.maps, *maps.channels),
        )
        self.address = ctypes.addressof(self._maps)

    def _side(self, side: Side) -> _Side:
        parts = self._sorted(side.target, side.size, (side.source,), side.factor)
        wholes = self._sorted(side.source, side.size, (side.target,), side.factor)
        return _Side(side.entries, side.size, side.given, _Sums(*parts), _Sums(*wholes))

    def _sorted(
        self, key: np.ndarray, size: int, columns: tuple[np.ndarray, ...], factor: np.ndarray
    ) -> list[int | None]:
        """Addresses: where the terms of each key start, the columns in that order, the factors."""
        order = np.argsort(key, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=size))])
        tables = [np.ascontiguousarray(t, np.int32) for t in (start, *(c[order] for c in columns))]
        factors = None if np.all(factor == 1) else np.ascontiguousarray(factor[order], self._kind)
        self._kept += [*tables, factors]
        return [*(t.ctypes.data for t in tables), None if factors is None else factors.ctypes.data]


@lru_cache(maxsize=4)
def _library(dtype: torch.dtype, narrow: bool) -> ctypes.CDLL:
    """The functions of `factored.c`, on the machine's widest vectors or on those of 16 bytes."""
    suffix = {4: "ps", 8: "pd"}[dtype.itemsize]
    kind = c_backend.DTYPES[dtype]
    text = "#undef __AVX512F__\n#undef __AVX__\n" if narrow else ""
    text += c_text.PREAMBLE.format(dtype=kind, itemsize=dtype.itemsize, suffix=suffix)
    text += c_lanes.transposition() + Path(__file__).with_name("factored.c").read_text()
    loaded = c_compiler.library_of(text)
    for name in ("apply", "outer"):
        getattr(loaded, name).argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        getattr(loaded, name).restype = None
    return loaded
