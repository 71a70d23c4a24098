"""What `--model` and `--size` set."""

from __future__ import annotations

from typing import Any, Literal

Size = Literal["small", "medium", "large"]

DEFAULT_ARCHITECTURE = "mace"

TRAINING: dict[Size, dict[str, Any]] = {
    "small": {"epochs": 120},
    "medium": {"epochs": 350},
    "large": {"epochs": 1000, "learning_rate": 0.02},
}
"""Settings of the training by size."""

# Of EquiformerV2, whose attention mixes all channels on each edge.
_FEW = {"channels": 32, "value_channels": 8, "hidden": 24, "feed_forward": 32}

SHAPES: dict[str, dict[Size, dict[str, Any]]] = {
    "mace": {
        "small": {"hidden": "32x0e + 32x1o", "edge_lmax": 2, "cutoff": 4.0},
        "medium": {"hidden": "64x0e + 64x1o", "edge_lmax": 3, "cutoff": 5.0},
        "large": {"hidden": "128x0e + 128x1o", "edge_lmax": 3, "cutoff": 5.0},
    },
    "nequip": {
        "small": {"layers": 3, "lmax": 1, "features": 32, "parity": False, "cutoff": 4.0},
        "medium": {"layers": 4, "lmax": 2, "features": 32, "parity": True, "cutoff": 4.5},
        "large": {"layers": 5, "lmax": 3, "features": 64, "parity": True, "cutoff": 5.0},
    },
    "egnn": {
        "small": {"layers": 3, "features": 64, "cutoff": 4.0},
        "medium": {"layers": 4, "features": 64, "cutoff": 5.0},
        "large": {"layers": 5, "features": 128, "cutoff": 5.0},
    },
    "tensornet": {
        "small": {"layers": 2, "features": 32, "cutoff": 4.0},
        "medium": {"layers": 2, "features": 64, "cutoff": 5.0},
        "large": {"layers": 2, "features": 128, "cutoff": 5.0},
    },
    "tensor-field-network": {
        "small": {"layers": 3, "lmax": 1, "features": 32, "cutoff": 4.0},
        "medium": {"layers": 3, "lmax": 2, "features": 48, "cutoff": 4.5},
        "large": {"layers": 4, "lmax": 3, "features": 64, "cutoff": 5.0},
    },
    "se3-transformer": {
        "small": {"layers": 3, "lmax": 1, "features": 32, "cutoff": 4.0},
        "medium": {"layers": 3, "lmax": 2, "features": 32, "cutoff": 4.5},
        "large": {"layers": 4, "lmax": 3, "features": 64, "cutoff": 5.0},
    },
    "escn": {
        "small": {"layers": 3, "lmax": 2, "order": 2, "channels": 32, "cutoff": 4.0},
        "medium": {"layers": 3, "lmax": 2, "order": 2, "channels": 48, "cutoff": 4.5},
        "large": {"layers": 4, "lmax": 4, "order": 2, "channels": 64, "cutoff": 5.0},
    },
    "equiformer-v2": {
        "small": {"layers": 2, "lmax": 1, "order": 1, "grid": 12, "cutoff": 4.0} | _FEW,
        "medium": {"layers": 2, "lmax": 2, "order": 1, "grid": 16, "cutoff": 4.5} | _FEW,
        "large": {"layers": 4, "lmax": 4, "order": 2, "channels": 64, "cutoff": 5.0},
    },
    "ecomformer": {
        "small": {"layers": 3, "lmax": 2, "features": 32, "cutoff": 4.0},
        "medium": {"layers": 3, "lmax": 2, "features": 64, "cutoff": 5.0},
        "large": {"layers": 4, "lmax": 2, "features": 128, "cutoff": 5.0},
    },
    "ponita": {
        "small": {"layers": 2, "features": 24, "cutoff": 4.0},
        "medium": {"layers": 3, "features": 32, "cutoff": 5.0},
        "large": {"layers": 3, "features": 64, "cutoff": 5.0},
    },
    "faenet": {
        "small": {"layers": 3, "features": 64, "cutoff": 4.0},
        "medium": {"layers": 4, "features": 64, "cutoff": 5.0},
        "large": {"layers": 5, "features": 128, "cutoff": 5.0},
    },
}
"""Shape of the model by architecture and size."""


def preset(architecture: str, size: Size) -> dict[str, dict[str, Any]]:
    """The settings of a size of an architecture.

    Example:
        >>> preset("egnn", "small")["model"]
        {'architecture': 'egnn', 'layers': 3, 'features': 64, 'cutoff': 4.0}
    """
    shape = {"architecture": architecture, **SHAPES[architecture][size]}
    return {"model": shape, "training": TRAINING[size]}
