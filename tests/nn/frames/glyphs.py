"""Upright seven-segment digits, drawn with jitter: pictures that need no download."""

from __future__ import annotations

import torch
from torch import Tensor

SIZE = 13
# Segments: top, upper left, upper right, middle, lower left, lower right, bottom.
_LIT = ["1110111", "0010010", "1011101", "1011011", "0111010"]
_LIT += ["1101011", "1101111", "1010010", "1111111", "1111011"]
_PLACES = [
    (slice(2, 3), slice(4, 9)),
    (slice(2, 7), slice(4, 5)),
    (slice(2, 7), slice(8, 9)),
    (slice(6, 7), slice(4, 9)),
    (slice(6, 11), slice(4, 5)),
    (slice(6, 11), slice(8, 9)),
    (slice(10, 11), slice(4, 9)),
]


def digits(
    count: int, names: list[int], seed: int, noise: float = 0.1, smooth: bool = False
) -> tuple[Tensor, Tensor]:
    """Images (count, 1, 13, 13) and the places of their digits in `names`.

    Smooth strokes are two pixels wide: they outlast interpolation.
    """
    generator = torch.Generator().manual_seed(seed)
    clean = torch.zeros(len(names), SIZE, SIZE)
    for image, name in zip(clean, names, strict=True):
        for lit, (rows, columns) in zip(_LIT[name], _PLACES, strict=True):
            if lit == "1":
                image[rows, columns] = 1.0
    labels = torch.randint(len(names), (count,), generator=generator)
    shifts = torch.randint(-1, 2, (count, 2), generator=generator)
    images = torch.stack(
        [
            clean[label].roll(tuple(shift.tolist()), (0, 1))
            for label, shift in zip(labels.tolist(), shifts, strict=True)
        ]
    )
    if smooth:
        row = torch.tensor([0.25, 0.5, 0.25])
        kernel = (row[:, None] * row)[None, None]
        images = 1.5 * torch.nn.functional.conv2d(images[:, None], kernel, padding=1)[:, 0]
    ink = 0.7 + 0.3 * torch.rand(count, 1, 1, generator=generator)
    images = images * ink + noise * torch.randn(images.shape, generator=generator)
    return images[:, None], labels
