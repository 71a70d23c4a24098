"""What `--model` and `--size` set."""

from __future__ import annotations

from typing import Any, Literal

Size = Literal["small", "medium", "large"]

DEFAULT_ARCHITECTURE = "mace"

PRESETS: dict[str, dict[str, dict[str, dict[str, Any]]]] = {
    "mace": {
        "small": {
            "model": {"hidden": "32x0e + 32x1o", "edge_lmax": 2, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"hidden": "64x0e + 64x1o", "edge_lmax": 3, "cutoff": 5.0},
            "training": {"epochs": 350, "batch_size": 5},
        },
        "large": {
            "model": {"hidden": "128x0e + 128x1o", "edge_lmax": 3, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5, "learning_rate": 0.02},
        },
    },
    "nequip": {
        "small": {
            "model": {"layers": 3, "lmax": 1, "features": 32, "parity": False, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 4, "lmax": 2, "features": 32, "parity": True, "cutoff": 4.5},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 5, "lmax": 3, "features": 64, "parity": True, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "egnn": {
        "small": {
            "model": {"layers": 3, "features": 64, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 4, "features": 96, "cutoff": 5.0},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 5, "features": 128, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "tensornet": {
        "small": {
            "model": {"layers": 2, "features": 32, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 2, "features": 64, "cutoff": 5.0},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 2, "features": 128, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "tensor-field-network": {
        "small": {
            "model": {"layers": 3, "lmax": 1, "features": 32, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 3, "lmax": 2, "features": 48, "cutoff": 4.5},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 4, "lmax": 3, "features": 64, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "se3-transformer": {
        "small": {
            "model": {"layers": 3, "lmax": 1, "features": 32, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 3, "lmax": 2, "features": 32, "cutoff": 4.5},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 4, "lmax": 3, "features": 64, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "escn": {
        "small": {
            "model": {"layers": 3, "lmax": 2, "order": 2, "channels": 32, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 3, "lmax": 3, "order": 2, "channels": 48, "cutoff": 4.5},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 4, "lmax": 4, "order": 2, "channels": 64, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "equiformer-v2": {
        "small": {
            "model": {
                "layers": 2,
                "lmax": 2,
                "order": 2,
                "channels": 32,
                "heads": 4,
                "value_channels": 8,
                "hidden": 32,
                "feed_forward": 32,
                "grid": 14,
                "cutoff": 4.0,
            },
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 3, "lmax": 3, "order": 2, "channels": 48, "cutoff": 4.5},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 4, "lmax": 4, "order": 2, "channels": 64, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "ecomformer": {
        "small": {
            "model": {"layers": 3, "lmax": 2, "features": 32, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 3, "lmax": 2, "features": 64, "cutoff": 5.0},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 4, "lmax": 2, "features": 128, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "ponita": {
        "small": {
            "model": {"layers": 2, "features": 24, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 3, "features": 32, "cutoff": 5.0},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 3, "features": 64, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
    "faenet": {
        "small": {
            "model": {"layers": 3, "features": 64, "cutoff": 4.0},
            "training": {"epochs": 120, "batch_size": 5},
        },
        "medium": {
            "model": {"layers": 4, "features": 96, "cutoff": 5.0},
            "training": {"epochs": 300, "batch_size": 5},
        },
        "large": {
            "model": {"layers": 5, "features": 128, "cutoff": 5.0},
            "training": {"epochs": 1000, "batch_size": 5},
        },
    },
}
"""Settings by architecture and size."""
