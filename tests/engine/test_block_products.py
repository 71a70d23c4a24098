"""Products of blocks of rows in C: against float64, for every shape of tile and rest."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schur.engine import block_products, c_backend
from schur.engine.block_map import (
    BlockMap,
    BlockPath,
    RowGroups,
    in_torch,
    in_torch_by_group,
    outer_in_torch,
    outer_in_torch_by_group,
)

pytestmark = pytest.mark.skipif(c_backend.missing() is not None, reason="no C compiler")

# Components, channels in and out: a panel holds 64 or 32 columns and a tile 6 or 4 lines.
shapes = st.tuples(st.integers(1, 5), st.integers(1, 70), st.integers(1, 140))
sizes = st.lists(st.integers(0, 9), min_size=1, max_size=4)


def block_map(blocks: list[tuple[int, int, int]], transposed: bool) -> BlockMap:
    """For each shape a block with two paths into it, the second from the first's input."""
    paths, start_in, start_out, start_weight = [], 0, 3, 0
    for components, mul_in, mul_out in blocks:
        for scale in (0.5, -2.0):
            paths.append(
                BlockPath(start_in, start_out, components, mul_in, mul_out, start_weight, scale)
            )
            start_weight += mul_in * mul_out
        start_in += components * mul_in
        start_out += components * mul_out
    return BlockMap(tuple(paths), start_in, start_out, start_weight, transposed)


def random_groups(counts: list[int], generator: torch.Generator) -> RowGroups:
    which = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return RowGroups.of(which[torch.randperm(len(which), generator=generator)], len(counts))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(shapes, min_size=1, max_size=3),
    sizes,
    st.booleans(),
    st.booleans(),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_against_float64(
    blocks: list[tuple[int, int, int]],
    counts: list[int],
    grouped: bool,
    transposed: bool,
    dtype: torch.dtype,
) -> None:
    generator = torch.Generator().manual_seed(len(blocks) + sum(counts))
    made = block_map(blocks, transposed)
    rows = sum(counts)
    groups = random_groups(counts, generator) if grouped else None
    lead = (len(counts),) if grouped else ()
    x = torch.randn(rows, made.dim_in, generator=generator, dtype=dtype)
    w = torch.randn(*lead, made.weight_numel, generator=generator, dtype=dtype)
    g = torch.randn(rows, made.dim_out, generator=generator, dtype=dtype)
    eps = torch.finfo(dtype).eps
    out = block_products.apply(x, w, made, groups)
    expected = in_torch(x.double(), w.double(), made, groups)
    # Each number sums at most 2 x 70 products of normal numbers times 2.
    assert out.shape == expected.shape and out.dtype == dtype
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=2000 * eps)
    gradient = block_products.outer(x, g, made, groups)
    expected = outer_in_torch(x.double(), g.double(), made, groups)
    assert gradient.shape == expected.shape
    torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=2000 * eps)


@pytest.mark.parametrize("rows", [1, 127, 128, 129, 700, 40_000])
def test_rows_in_pieces_and_threads(rows: int) -> None:
    """Pieces of rows and partial sums join without a seam, in the same bits for 1 to 3 threads."""
    made = block_map([(1, 8, 16), (3, 5, 7)], False)
    generator = torch.Generator().manual_seed(rows)
    x = torch.randn(rows, made.dim_in, generator=generator)
    w = torch.randn(made.weight_numel, generator=generator)
    g = torch.randn(rows, made.dim_out, generator=generator)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(
                (block_products.apply(x, w, made, None), block_products.outer(x, g, made, None))
            )
    finally:
        torch.set_num_threads(before)
    for out, gradient in results[1:]:
        assert torch.equal(out, results[0][0]) and torch.equal(gradient, results[0][1])
    eps = torch.finfo(torch.float32).eps
    expected = outer_in_torch(x.double(), g.double(), made, None)
    error = (results[0][1].double() - expected).abs().max()
    # The unit of a sum over rows and components is the root of their number.
    assert error <= 64 * eps * (3 * rows) ** 0.5
    torch.testing.assert_close(
        results[0][0].double(), in_torch(x.double(), w.double(), made, None), rtol=0, atol=200 * eps
    )


def test_strided_and_negated_rows_are_read_as_they_are() -> None:
    made = block_map([(2, 3, 4)], False)
    wide = torch.randn(5, 2 * made.dim_in)
    w = torch.randn(made.weight_numel)
    out = block_products.apply(wide[:, ::2], w, made, None)
    assert torch.equal(out, block_products.apply(wide[:, ::2].clone(), w, made, None))
    x = torch.randn(1, made.dim_in).expand(5, -1)
    assert torch.equal(
        block_products.apply(x, w, made, None), block_products.apply(x.clone(), w, made, None)
    )


@pytest.mark.parametrize("which", [[2, 0, 2, 0, 3], [0, 0, 2, 3, 3], []])
def test_torch_multiplies_the_rows_of_each_group_alone(which: list[int]) -> None:
    """Group 1 has no rows; in order and in disorder, and no rows at all."""
    made = BlockMap((BlockPath(0, 1, 2, 3, 2, 0, 0.5),), 6, 5, 6)
    groups = RowGroups.of(torch.tensor(which, dtype=torch.int64), 4)
    generator = torch.Generator().manual_seed(0)
    x, g, w = (
        torch.randn(*shape, dtype=torch.float64, generator=generator)
        for shape in ((len(which), 6), (len(which), 5), (4, 6))
    )
    torch.testing.assert_close(in_torch_by_group(x, w, made, groups), in_torch(x, w, made, groups))
    torch.testing.assert_close(
        outer_in_torch_by_group(x, g, made, groups), outer_in_torch(x, g, made, groups)
    )


def test_another_type_takes_torch() -> None:
    made = block_map([(1, 4, 4)], False)
    x, w = torch.randn(3, 4), torch.randn(made.weight_numel)
    low = block_products.apply(x.bfloat16(), w.bfloat16(), made, None)
    full = block_products.apply(x, w, made, None)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), full, rtol=0.1, atol=0.2)


def test_the_check_can_fail() -> None:
    """Another scale is another map."""
    made = block_map([(1, 4, 4)], False)
    x, w = torch.randn(3, 4), torch.randn(made.weight_numel)
    first, *rest = made.paths
    other = dataclasses.replace(made, paths=(dataclasses.replace(first, scale=1.0), *rest))
    assert not torch.allclose(
        block_products.apply(x, w, made, None), block_products.apply(x, w, other, None)
    )
