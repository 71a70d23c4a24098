"""What is built and applied: a group, an order in, an order out."""

from __future__ import annotations

from dataclasses import dataclass

CHANNELS, ROWS = 4, (1, 64, 1000)


@dataclass(frozen=True)
class LayerCase:
    """The general equivariant map of tensors of order k to order l, 4 channels to 4.

    Args:
        family: `"S"` for permutations of n points, `"O"` for the orthogonal group.
        n: size of the matrices.
        order_in, order_out: k and l.
    """

    family: str
    n: int
    order_in: int
    order_out: int

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.family}({self.n}) {self.order_in} to {self.order_out}"


CASES = {
    case.name: case
    for case in (
        LayerCase("S", 5, 1, 1),
        LayerCase("S", 5, 2, 1),
        LayerCase("S", 5, 2, 2),
        LayerCase("S", 5, 3, 2),
        LayerCase("S", 4, 3, 3),
        LayerCase("S", 12, 2, 1),
        LayerCase("S", 8, 2, 2),
        LayerCase("S", 10, 2, 2),
        LayerCase("S", 8, 3, 1),
        LayerCase("O", 3, 1, 1),
        LayerCase("O", 3, 2, 2),
        LayerCase("O", 3, 3, 1),
        LayerCase("O", 3, 3, 3),
        LayerCase("O", 5, 2, 2),
        LayerCase("O", 5, 3, 1),
        LayerCase("O", 8, 2, 2),
        LayerCase("O", 4, 3, 3),
    )
}
