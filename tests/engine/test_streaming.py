"""Large outputs are written past the caches: the same numbers, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.engine import Routine, c_backend
from schur.forms import Block, Factor, Form, Operand, Path, derive

ROWS = 37


def product(channels: int) -> Form:
    """out[k, u] = Σ C[i, j, k] x[i, u] y[j] w[u], and a second block from other coefficients."""
    rng = np.random.default_rng(0)
    x = Operand("x", (Block(3, (channels,)),))
    y = Operand("y", (Block(3),))
    w = Operand("w", (Block(1, (channels,)), Block(1, (channels,))))
    out = Operand("out", (Block(2, (channels,)), Block(3, (channels,))))
    paths = []
    for block, components in enumerate((2, 3)):
        read = [Factor("x", 0, "u"), Factor("y", 0), Factor("w", block, "u")]
        tensor = rng.normal(size=(3, 3, 1, components))
        paths.append(Path.dense([*read, Factor("out", block, "u")], tensor, f"path {block}"))
    return Form((x, y, w, out), tuple(paths))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [16, 48, 20])  # 20: rows that do not fill cache lines
def test_streamed_outputs_are_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, channels: int, dtype: torch.dtype
) -> None:
    forward = product(channels).open("out")
    generator = torch.Generator().manual_seed(1)
    for program in (forward, derive(forward)):
        values = [
            torch.randn(ROWS, operand.size, generator=generator, dtype=dtype)
            for operand in program.inputs
        ]
        made = []
        for limit in (1 << 60, 0):
            monkeypatch.setattr(c_backend, "_STREAM_BYTES", limit)
            outputs = Routine(program, "c")(*values)
            made.append(outputs if isinstance(outputs, tuple) else (outputs,))
        for kept, streamed in zip(*made, strict=True):
            assert torch.equal(kept, streamed)
            assert kept.abs().sum() > 0


def test_only_whole_cache_lines_are_streamed() -> None:
    whole, rest = (
        "\n".join(c_backend.source(product(channels).open("out"), "float")) for channels in (32, 20)
    )
    call = "store_streaming(p"
    assert whole.count(call) > rest.count(call) == whole.count("#define store_streaming(p")
