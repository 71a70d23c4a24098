"""What the programs of a kernel are given: rows, chunks of rows, entries, pieces of entries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from schur.engine.device_graphs import is_quiet

# As many programs keep any device of today busy.
PROGRAMS = 4096
# A piece has at least so many rows: shorter ones would spend their time on partial sums.
_SHORTEST = 16
# Partial sums take at most this many bytes.
_BYTES = 1 << 26


@dataclass(frozen=True)
class Pieces:
    """The rows of the walked index, in pieces of which every item has one.

    Args:
        order: the rows in the order of the index.
        begin, end: piece p has `order[begin[p]:end[p]]`; some at the end may be empty.
        start: entry s has the pieces `start[s]` to `start[s + 1]`; None where each has one.
    """

    order: Int[Tensor, " rows"]
    begin: Int[Tensor, " pieces"]
    end: Int[Tensor, " pieces"]
    start: Int[Tensor, " entries_and_one"] | None


def sort_index(
    index: Int[Tensor, " rows"], size: int
) -> tuple[Int[Tensor, " rows"], Int[Tensor, " size_and_one"]]:
    """The order and the starts of a checked index, without waiting for the device."""
    ordered, order = torch.sort(index, stable=True)
    return order, torch.searchsorted(ordered, torch.arange(size + 1, device=index.device))


def pieces(
    order: Int[Tensor, " rows"],
    start: Int[Tensor, " size_and_one"],
    programs: int,
    line: int,
) -> Pieces:
    """Entries as they are, or cut into pieces where few of them have most of the rows.

    Args:
        order, start: the sort of the index.
        programs: how many programs an item has.
        line: bytes of the partial sums of an item.
    """
    entries, rows = start.numel() - 1, order.numel()
    longest = _longest(entries, rows, programs)
    longest = max(longest, rows * line // _BYTES)
    if not rows or _most_rows(start) <= 2 * longest:
        return Pieces(order, start[:-1], start[1:], None)
    return cut(order, start, longest)


def _longest(entries: int, rows: int, programs: int) -> int:
    """How many rows a piece has at most: such that there are enough pieces to go around."""
    mean = rows // max(entries, 1)
    enough = -(-rows * programs // PROGRAMS)
    return max(_SHORTEST, 2 * mean if entries * programs >= PROGRAMS else enough)


def cut(order: Int[Tensor, " rows"], start: Int[Tensor, " size_and_one"], longest: int) -> Pieces:
    """Every entry in as many pieces of `longest` rows as it needs, at least one.

    How many there are is bounded without asking the device.
    """
    entries, rows = start.numel() - 1, order.numel()
    count = torch.clamp_min((start.diff() + longest - 1) // longest, 1)
    first = torch.zeros_like(start)
    torch.cumsum(count, 0, out=first[1:])
    piece = torch.arange(entries + rows // longest, device=start.device)
    entry = torch.searchsorted(first, piece, right=True) - 1
    past = entry >= entries
    entry = entry.clamp_max(entries - 1)
    begin = torch.minimum(start[entry] + (piece - first[entry]) * longest, start[entry + 1])
    end = torch.minimum(begin + longest, start[entry + 1])
    return Pieces(order, begin, torch.where(past, begin, end), first)


_counted: dict[int, tuple[Tensor, int]] = {}


def _most_rows(start: Int[Tensor, " size_and_one"]) -> int:
    """The rows of the entry that has most; asked of the device once for each sort."""
    known = _counted.get(start.data_ptr())
    if known is not None and known[0] is start:
        return known[1]
    if start.device.type != "cpu" and is_quiet():
        return 0  # entries stay as they are
    most = _asked(start)
    if len(_counted) > 64:
        _counted.clear()
    _counted[start.data_ptr()] = (start, most)
    return most


def _asked(start: Int[Tensor, " size_and_one"]) -> int:
    """The same, which waits for the device."""
    return int(start.diff().max()) if start.numel() > 1 else 0
