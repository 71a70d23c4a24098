"""What kernels compute: values, the loops around them, the layers inside, and what they may use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from schur.engine.nest import Entry, Group, Node
from schur.engine.schedule import Pass
from schur.engine.triton_layers import Layers
from schur.engine.triton_matrices import MatrixProduct

Kind = Literal["vector", "reduced", "scalar"]
Component = tuple[str, int]  # operand, offset


@dataclass(frozen=True)
class Root:
    """A value that is added to an entry.

    Args:
        kind: `"vector"` for an entry with a number for each channel, `"reduced"` for a vector
            that is summed over its channels, `"scalar"` for a number.
    """

    entry: Entry
    value: Node | float
    kind: Kind
    factor: Node | float = 1.0

    @property
    def component(self) -> Component:
        """What it is added to, apart from channels."""
        return self.entry.operand, self.entry.offset


@dataclass
class Part:
    """What one kernel computes of one group."""

    group: Group
    roots: list[Root] = field(default_factory=list)


@dataclass
class Nest:
    """Parts inside the same loops over channels, one by one; `extents` of the loops."""

    extents: tuple[int, ...]
    parts: list[Part] = field(default_factory=list)


@dataclass
class Kernel:
    """One launch.

    Args:
        walk: the index whose entries are the items, or None.
        chunked: whether an item is a chunk of rows.
        hoisted: extents of the channels that the grid enumerates, as their sums over the rows
            would not all fit in registers.
        adds: components that an earlier kernel of the pass has stored and this one adds to.
    """

    walk: str | None
    chunked: bool
    hoisted: tuple[int, ...]
    nests: list[Nest] = field(default_factory=list)
    adds: set[Component] = field(default_factory=set)

    @property
    def parts(self) -> Iterator[Part]:
        """All parts."""
        return (part for nest in self.nests for part in nest.parts)

    @property
    def roots(self) -> Iterator[Root]:
        """All values that are made."""
        return (root for part in self.parts for root in part.roots)


@dataclass(frozen=True)
class Launches:
    """The kernels of a pass, one after another, and how many blocks of channels they have.

    Or, where there are `products`, one kernel for each of them.
    """

    work: Pass
    kernels: tuple[Kernel, ...]
    width: int
    blocks: int
    layers: Layers = field(default_factory=Layers)
    products: tuple[MatrixProduct, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The values that the kernels write to memory."""
        own = [name for name in self.work.targets if not self.layers.of(name)]
        made = [layer.hidden for layer in self.layers.spread]
        made += [layer.matrix for layer in self.layers.summed]
        return tuple(dict.fromkeys([*own, *made]))


@dataclass(frozen=True)
class Budget:
    """What a program may use.

    Args:
        channels: the most channels in a block.
        registers: vectors of channels and numbers that are alive at a time.
    """

    channels: int = 32
    registers: int = 150


def values_of(root: Root) -> list[Node]:
    """The nodes that a root needs."""
    return [value for value in (root.value, root.factor) if not isinstance(value, float)]
