"""Kept memory is handed out again only when nothing looks at it any more."""

from __future__ import annotations

import gc
import random
import sys
import threading

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.dlpack import to_dlpack

from schur.engine import allocation
from schur.engine.allocation import empty

LIKE = torch.zeros(1)
# Large enough to be kept.
NUMBERS = (1 << 20) // 4 + 5

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is kept on Linux"
)


def filled(value: float, numbers: int = NUMBERS) -> Tensor:
    tensor = empty(numbers, like=LIKE)
    tensor.fill_(value)
    return tensor


def overwritten() -> None:
    """Ask for so many blocks that anything handed out too early is written over."""
    for tensor in [filled(-1.0) for _ in range(4)]:
        del tensor


LOOKING = {
    "tensor": lambda t: t,
    "view": lambda t: t[3:50].view(-1, 1),
    "storage": lambda t: t.untyped_storage(),
    "detached": lambda t: t.detach()[-5:],
    "numpy": lambda t: t.numpy(),
    "numpy view": lambda t: t.numpy()[7:9],
    "memoryview": lambda t: memoryview(t.numpy())[5:9],
    "dlpack": lambda t: to_dlpack(t),
    "numpy of dlpack": lambda t: np.from_dlpack(t),
    "saved for backward": lambda t: (t * torch.ones(1, requires_grad=True)).grad_fn,
    "strided": lambda t: t.as_strided((2, 2), (1, 3)),
    "other type": lambda t: t.view(torch.int32),
    "cycle": lambda t: _cycle(t),
}


def _cycle(tensor: Tensor) -> list[object]:
    loop: list[object] = [tensor]
    loop.append(loop)
    return loop


@pytest.mark.parametrize("kind", LOOKING)
def test_whatever_looks_at_a_block_keeps_it(kind: str) -> None:
    tensor = filled(1.5)
    block = tensor.data_ptr()
    looking = LOOKING[kind](tensor)
    del tensor
    others = [empty(NUMBERS, like=LIKE) for _ in range(4)]
    assert block not in [other.data_ptr() for other in others]
    for other in others:
        other.fill_(-1.0)
    if isinstance(looking, Tensor):
        expected = torch.tensor(1.5).view(looking.dtype)
        assert bool((looking == expected).all())
    elif isinstance(looking, np.ndarray):
        assert (looking == 1.5).all()
    del looking, others
    gc.collect()


def test_a_block_is_used_again() -> None:
    """Otherwise nothing is kept, and the tests above prove nothing."""
    tensor = filled(1.0)
    block = tensor.data_ptr()
    del tensor
    again = [empty(NUMBERS, like=LIKE) for _ in range(6)]
    assert block in [tensor.data_ptr() for tensor in again]
    assert len({tensor.data_ptr() for tensor in again}) == len(again)


def test_the_limit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody uses is given back beyond the limit, also while kept blocks are used again."""
    monkeypatch.setattr(allocation, "_KEPT", 1 << 24)
    tensors = [filled(1.0, NUMBERS * k) for k in range(1, 12)]
    del tensors
    gc.collect()
    empty(NUMBERS, like=LIKE)
    assert sum(len(allocation._blocks[k]) for k in allocation._idle()) <= (1 << 24) + (1 << 22)
    for k in range(1, 40):
        empty(NUMBERS * k // 2, like=LIKE)
        held = sum(len(allocation._blocks[k]) for k in allocation._idle())
        # The block just made is unused as well by now.
        assert held <= (1 << 24) + NUMBERS * 4 * k + (1 << 21)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_type_and_state(dtype: torch.dtype) -> None:
    for shape in [(0,), (3, 0), (2, 3), (1 << 10, 1 << 10), (NUMBERS,)]:
        tensor = empty(*shape, like=torch.zeros(1, dtype=dtype))
        assert tensor.shape == shape and tensor.dtype == dtype and tensor.is_contiguous()
        assert tensor.data_ptr() % 64 == 0 or tensor.numel() == 0
        assert not tensor.requires_grad and not tensor._is_view() and tensor.is_leaf


def test_many_threads() -> None:
    """Each thread holds several blocks for a while; no two holders ever see one block."""
    failures: list[str] = []

    def work(seed: int) -> None:
        chosen = random.Random(seed)
        held: list[tuple[Tensor, float]] = []
        for step in range(150):
            value = seed * 1000.0 + step
            held.append((filled(value, NUMBERS + chosen.randrange(3) * 1000), value))
            if len(held) > 3:
                tensor, right = held.pop(chosen.randrange(4))
                if not bool((tensor[:: 1 << 12] == right).all()) or tensor[-1] != right:
                    failures.append(f"{right}: {tensor[0]}")

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
