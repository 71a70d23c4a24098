"""Large outputs are written past the caches: the same numbers, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.engine import Routine, c_backend, c_lanes
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_without_channels_are_streamed_in_lanes(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """23 numbers a row: tiles, a rest of a tile and a rest of a block."""
    rng = np.random.default_rng(0)
    operands = tuple(Operand(name, (Block(n),)) for name, n in (("x", 7), ("y", 3), ("out", 23)))
    factors = tuple(Factor(operand.name, 0) for operand in operands)
    tensor = rng.normal(size=(7, 3, 23))
    program = Form(operands, (Path.dense(factors, tensor),)).open("out")
    x, y = (torch.tensor(rng.normal(size=(ROWS, n)), dtype=dtype) for n in (7, 3))
    made = []
    for limit in (1 << 60, 0):
        monkeypatch.setattr(c_backend, "_STREAM_TORN_BYTES", limit)
        made.append(Routine(program, "c")(x, y))
    assert torch.equal(*made)
    exact = np.einsum("ni,nj,ijk->nk", x.double(), y.double(), tensor)
    bound = 64 * torch.finfo(dtype).eps * np.einsum(
        "ni,nj,ijk->nk", abs(x.double()), abs(y.double()), abs(tensor)
    )  # fmt: skip
    assert np.all(abs(made[0].double().numpy() - exact) <= bound)


def test_a_large_block_in_lanes_is_cut_and_computes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(1)
    operands = tuple(Operand(name, (Block(n),)) for name, n in (("x", 8), ("y", 7), ("out", 40)))
    factors = tuple(Factor(operand.name, 0) for operand in operands)
    program = Form(operands, (Path.dense(factors, rng.normal(size=(8, 7, 40))),)).open("out")
    monkeypatch.setattr(c_lanes, "_FUNCTION_OPERATIONS", 1 << 30)
    whole = c_lanes.LanesText(program, 0, "double")
    x, y = (torch.tensor(rng.normal(size=(ROWS, n))) for n in (8, 7))
    expected = Routine(program, "torch")(x, y)
    monkeypatch.setattr(c_lanes, "_FUNCTION_OPERATIONS", 500)
    monkeypatch.setattr(c_lanes, "_MOST_REPEATED", 3)
    cut = c_lanes.LanesText(program, 0, "double")
    assert len(whole.functions()) == 0 and len(cut.functions()) > 1
    c_backend._compiled.cache_clear()
    monkeypatch.setattr(c_backend, "_emission", lambda: "cut")
    found = Routine(program, "c")(x, y)
    c_backend._compiled.cache_clear()
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
