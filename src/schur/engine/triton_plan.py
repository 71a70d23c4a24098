"""The loop nest of a pass on a GPU: which program computes what, and what stays in registers.

A program is one block of channels of one item.  An item is a row, a chunk of rows that what all
rows share is summed over, or the rows that point to one entry of the walked index.  What an item
sums over its rows is held in registers until they are done, so nothing is added to memory by two
programs and results repeat bit for bit.

A pass becomes one kernel, or several one after another where one would not fit in the registers.
No text is made here.
"""

from __future__ import annotations

from math import prod

from schur.engine.triton_kernels import Budget, Launches
from schur.engine.triton_nests import Nests, nests
from schur.engine.triton_packing import Packer
from schur.forms import Operand, Program


def plan(program: Program, budget: Budget) -> list[Launches]:
    """The kernels of a program's passes, but for the passes in lanes, which have none here."""
    return [_launches(program, each, budget) for each in nests(program)]


def _launches(program: Program, made: Nests, budget: Budget) -> Launches:
    if made.work.lanes or made.products:
        return Launches(made.work, (), 0, 1, products=made.products)
    packer = Packer(program, made, budget)
    for group, hoisted in made.groups:
        packer.add(group, hoisted)
    widest = max((group.extent for group, _ in made.groups), default=1)
    width = min(budget.channels, 1 << (widest - 1).bit_length())
    kernels = tuple(packer.kernels)
    return Launches(made.work, kernels, width, -(-widest // width), made.layers)


def covered(target: Operand, launches: Launches) -> bool:
    """Whether every number of a target's line is stored."""
    if target.name in {layer.matrix for layer in launches.layers.summed}:
        return False
    spread = {layer.value for layer in launches.layers.spread if layer.hidden == target.name}
    if spread:
        return target.size == max(layer.width for layer in launches.layers.spread) and any(
            root.entry.operand in spread for kernel in launches.kernels for root in kernel.roots
        )
    found = {
        root.component
        for kernel in launches.kernels
        for root in kernel.roots
        if root.entry.operand == target.name
    }
    return len(found) == sum(block.components for block in target.blocks if prod(block.channels))


def summed_over_blocks(target: Operand, launches: Launches) -> bool:
    """Whether several blocks of channels add to one number of the target."""
    if launches.blocks > 1 and target.name in {la.hidden for la in launches.layers.spread}:
        return True
    return launches.blocks > 1 and any(
        root.kind != "vector"
        for kernel in launches.kernels
        for root in kernel.roots
        if root.entry.operand == target.name
    )
