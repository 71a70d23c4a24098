"""The passes of a program with their groups of paths, which do not depend on a budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from schur.engine.nest import Entry, Group, Member, group, together
from schur.engine.schedule import Pass, schedule
from schur.engine.triton_kernels import Root
from schur.engine.triton_layers import Fusion, Layers, fusion
from schur.engine.triton_matrices import MatrixProduct, extracted
from schur.forms import Program


def passes(program: Program) -> list[Pass]:
    """The schedule with what all rows share in passes of its own.

    Those sum over chunks of rows, whatever the order in which the others are walked.
    """
    found: list[Pass] = []
    for work in schedule(program):
        if work.walk is None:
            found.append(work)
            continue
        shared = [s for s in work.statements if program.values[s.target].mode == "shared"]
        rest = [s for s in work.statements if program.values[s.target].mode != "shared"]
        found += [Pass(work.walk, tuple(rest))] if rest else []
        found += [Pass(None, tuple(shared))] if shared else []
    return found


@dataclass(frozen=True)
class Nests:
    """A pass with its groups, each with the letters that the grid enumerates, and its layers.

    One that has `products` for matrix units has nothing else.
    """

    work: Pass
    groups: tuple[tuple[Group, tuple[str, ...]], ...]
    layers: Layers
    products: tuple[MatrixProduct, ...] = ()


@lru_cache(maxsize=16)
def nests(program: Program) -> list[Nests]:
    """The passes with their groups, which take longest and do not depend on a budget."""
    fused = fusion(program)
    found = _apart(program, _fused_passes(fused))
    if all(_keeps_layers(each) for each in found):
        return found
    return _apart(program, [(work, Layers()) for work in passes(program)])


def _apart(program: Program, found: list[tuple[Pass, Layers]]) -> list[Nests]:
    """Loop nests and products for matrix units."""
    every: list[Nests] = []
    for work, layers in found:
        rest, rounds = extracted(program, work, layers)
        if rest.statements:
            every.append(_grouped(program, rest, layers))
        for products in rounds:
            targets = {product.target.operand for product in products}
            made = tuple(s for s in work.statements if s.target in targets)
            every.append(Nests(Pass(None, made), (), Layers(), tuple(products)))
    return every


def _grouped(program: Program, work: Pass, layers: Layers) -> Nests:
    groups: list[tuple[Group, tuple[str, ...]]] = []
    for members in () if work.lanes else together(work):
        filled = [member for member in members if _has_channels(member)]
        groups += _fitting(program, filled) if filled else []
    return Nests(work, tuple(groups), layers)


def _fused_passes(fused: Fusion) -> list[tuple[Pass, Layers]]:
    """The passes of what is left without its layers, and which of these each one takes in.

    What is summed over the rows into a matrix is summed in a pass of its own, over chunks of rows.
    """
    found: list[tuple[Pass, Layers]] = []
    for work in passes(fused.rest):
        spread = tuple(layer for layer in fused.spread if layer.value in work.targets)
        summed = tuple(layer for layer in fused.summed if layer.value in work.targets)
        only = {layer.value for layer in summed} - {layer.value for layer in spread}
        rest = tuple(s for s in work.statements if s.target not in only)
        if rest:
            found.append((Pass(work.walk, rest, work.lanes), Layers(fused.inlined, spread)))
        if summed:
            values = {layer.value for layer in summed}
            again = tuple(s for s in work.statements if s.target in values)
            found.append((Pass(None, again), Layers(fused.inlined, (), summed)))
    return found


def _keeps_layers(each: Nests) -> bool:
    """Whether the values of layers are vectors of channels outside of all other loops."""
    inlined = {layer.value for layer in each.layers.inlined}
    if each.work.lanes:
        return not (inlined or each.layers.spread or each.layers.summed)
    for made, hoisted in each.groups:
        for node, entry in made.graph.loads.items():
            if entry.operand in inlined and not (made.graph.vector[node] and not hoisted):
                return False
        for root in roots(made):
            if each.layers.of(root.entry.operand):
                inner = [letter for letter, _ in made.outer if letter in root.entry.letters]
                if root.kind != "vector" or inner or hoisted:
                    return False
    return True


def _has_channels(member: Member) -> bool:
    _, operands, path = member
    return all(prod(operands[f.operand].blocks[f.block].channels) for f in path.factors)


def _fitting(program: Program, members: list[Member]) -> list[tuple[Group, tuple[str, ...]]]:
    """Groups whose sums all stay in registers, and the letters that the grid enumerates.

    A sum within a row stays if the channels that it has are those of the outermost loops; a sum
    over rows if it has none of them.  Where a group holds others, each target has its own.
    """
    whole = group(members)
    if all(_stays(program, whole, root.entry) for root in roots(whole)):
        return [(whole, ())]
    apart: dict[tuple[str, str], list[Member]] = {}
    for member in members:
        target, _, path = member
        (slot,) = path.positions(target)
        apart.setdefault((target, path.factors[slot].letters), []).append(member)
    found = []
    for (target, letters), chosen in apart.items():
        made = group(chosen, outermost=letters)
        summed = program.values[target].mode != "row"
        hoisted = tuple(letter for letter, _ in made.outer if letter in letters)
        found.append((made, hoisted if summed else ()))
    return found


def _stays(program: Program, made: Group, entry: Entry) -> bool:
    outer = [letter for letter, _ in made.outer]
    held = [letter in entry.letters for letter in outer]
    if program.values[entry.operand].mode != "row":
        return not any(held)
    return held == sorted(held, reverse=True)


def roots(made: Group) -> list[Root]:
    """Everything that a group adds to its targets."""
    found: list[Root] = []
    for loop in made.loops:
        found += [Root(entry, value, "vector") for entry, value in loop.stores]
        for value, feeds in loop.reductions:
            found += [Root(entry, value, "reduced", factor) for entry, factor in feeds]
    return found + [Root(entry, value, "scalar") for entry, value in made.scalars]
