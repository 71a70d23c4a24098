"""One program with every feature, on which the tests of this folder try what callers do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement

NODES, EDGES = 5, 9


def message_program(few: int = 3, many: int = 5) -> Program:
    """Messages from nodes along edges, summed, with shared and per-edge weights and a total.

    Read at `senders` and summed at `receivers`; channels depth-wise and mixed; the edge operand is
    read twice; two outputs, of which the second is shared by all rows.

    Args:
        few: channels of the first block of a node.
        many: channels of its second block and of the edges' weights.
    """
    rng = np.random.default_rng(0)
    x = Operand("x", (Block(1, (few,)), Block(3, (many,))), "indexed", "senders")
    edge = Operand("edge", (Block(3),))
    weight = Operand("weight", (Block(1, (many,)),))
    mix = Operand("mix", (Block(1, (few, many)),), "shared")
    out = Operand("out", (Block(3, (many,)), Block(1)), "indexed", "receivers")
    total = Operand("total", (Block(1, (many,)),), "shared")
    mixed = Path.dense(
        (
            Factor("x", 0, "u"),
            Factor("mix", 0, "uv"),
            Factor("edge"),
            Factor("weight", 0, "v"),
            Factor("out", 0, "v"),
        ),
        np.eye(3).reshape(1, 1, 3, 1, 3),
        "mixed",
    )
    wise = Path.dense(
        (Factor("x", 1, "u"), Factor("edge"), Factor("weight", 0, "u"), Factor("out", 0, "u")),
        rng.standard_normal((3, 3, 1, 3)),
        "wise",
    )
    square = Path.dense(
        (Factor("edge"), Factor("edge"), Factor("out", 1)), np.eye(3)[:, :, None], "square"
    )
    message = Form((x, edge, weight, mix, out), (mixed, wise, square))
    summed = Path.dense(
        (Factor("x", 1, "u"), Factor("edge"), Factor("total", 0, "u")), np.eye(3)[:, :, None]
    )
    statements = (
        Statement(message, "out"),
        Statement(Form((x, edge, total), (summed,)), "total"),
    )
    return Program((x, edge, weight, mix), statements, ("out", "total"))


def operands(dtype: torch.dtype = torch.float64, edges: int = EDGES, seed: int = 0) -> list[Tensor]:
    """Standard normal numbers for the program's inputs."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(NODES, 18), (edges, 3), (edges, 5), (15,)]
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def edges(kind: str = "unsorted") -> dict[str, Tensor]:
    """Senders and receivers; node 4 is isolated."""
    senders, receivers = {
        "unsorted": ([0, 3, 1, 2, 2, 0, 1, 3, 0], [1, 0, 3, 1, 0, 2, 2, 1, 3]),
        "sorted": ([3, 2, 0, 2, 3, 0, 1, 1, 0], [0, 0, 1, 1, 1, 2, 2, 3, 3]),
        "self loops": ([0, 1, 1, 2, 3, 3, 2, 0, 1], [0, 1, 1, 2, 3, 3, 2, 0, 1]),
        "duplicates": ([2, 2, 2, 2, 1, 1, 2, 2, 2], [3, 3, 3, 3, 0, 0, 3, 3, 3]),
        "none": ([], []),
    }[kind]
    return {
        "senders": torch.tensor(senders, dtype=torch.int64),
        "receivers": torch.tensor(receivers, dtype=torch.int64),
    }


KINDS = ("unsorted", "sorted", "self loops", "duplicates", "none")
SIZES = {"receivers": NODES}
