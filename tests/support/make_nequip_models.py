"""Writes `tests/data/nequip`: small models of the package nequip with their energies and forces.

Run with nequip 0.19 installed: `python tests/support/make_nequip_models.py`. Each file holds the
model's tensors (`model/...`), two structures and what the package says of them in float64: energy,
energies of atoms, forces, stress of the crystal. `settings` is JSON with the arguments that the
model was built from.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nequip.data import AtomicDataDict, compute_neighborlist_, from_dict
from nequip.model import NequIPGNNModel
from nequip.utils.global_state import set_global_state

FOLDER = Path(__file__).resolve().parents[1] / "data" / "nequip"
TYPES = ["H", "C", "O"]

SHAPES: dict[str, dict[str, Any]] = {
    "parity": {"num_layers": 4, "l_max": 1, "parity": True, "num_features": [4, 2]},
    "natural": {
        "num_layers": 2,
        "l_max": 2,
        "parity": False,
        "num_features": [3, 2, 2],
        "type_embed_num_features": 5,
        "radial_mlp_depth": 2,
        "radial_mlp_width": 8,
        "readout_mlp_hidden_layers_depth": 1,
        "readout_mlp_hidden_layers_width": 6,
        "num_bessels": 5,
        "bessel_trainable": True,
        "polynomial_cutoff_p": 5,
    },
}
COMMON: dict[str, Any] = {
    "r_max": 3.5,
    "avg_num_neighbors": 7.0,
    "radial_mlp_width": 8,
    "per_type_energy_scales": 0.7,
    "per_type_energy_shifts": dict(zip(TYPES, [-1.0, -2.5, -4.0], strict=True)),
}


def structure(seed: int, periodic: bool) -> dict[str, Any]:
    """Eight atoms at random, in a skewed cell or in none."""
    rng = np.random.default_rng(seed)
    cell = np.diag([4.1, 4.6, 5.2]) + rng.uniform(-0.4, 0.4, (3, 3))
    found: dict[str, Any] = {
        "pos": rng.uniform(0, 1, (8, 3)) @ cell,
        "atom_types": rng.integers(0, len(TYPES), 8),
    }
    return found | ({"cell": cell, "pbc": True} if periodic else {})


def main() -> None:
    """Builds each model, with frequencies off their start, and asks it about two structures."""
    warnings.filterwarnings("ignore")
    set_global_state()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed, (name, shape) in enumerate(SHAPES.items()):
        settings = COMMON | shape
        model = NequIPGNNModel(seed=seed, model_dtype="float64", type_names=TYPES, **settings)
        state = model.state_dict()
        state["model.func.bessel_encode.bessel_weights"] *= 1.01 if seed else 1.0
        used = {
            key: value for key, value in state.items() if value.numel() and "_compiled" not in key
        }
        arrays = {f"model/{key}": value.numpy() for key, value in used.items() if "mask" not in key}
        for label, periodic in (("molecule", False), ("crystal", True)):
            frame = structure(10 + seed, periodic)
            data = compute_neighborlist_(from_dict(frame), settings["r_max"])
            said = model(data)
            keys = {
                "energy": AtomicDataDict.TOTAL_ENERGY_KEY,
                "energies": AtomicDataDict.PER_ATOM_ENERGY_KEY,
                "forces": AtomicDataDict.FORCE_KEY,
            }
            if periodic:
                keys["stress"] = AtomicDataDict.STRESS_KEY
            arrays |= {f"{label}/{key}": np.asarray(value) for key, value in frame.items()}
            arrays |= {f"{label}/{key}": said[k].detach().numpy() for key, k in keys.items()}
        np.savez_compressed(FOLDER / f"{name}.npz", settings=json.dumps(settings), **arrays)
    print(f"wrote {', '.join(SHAPES)} to {FOLDER}; torch {torch.__version__}")


if __name__ == "__main__":
    main()
