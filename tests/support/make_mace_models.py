"""Makes tiny models of mace-torch 0.3.16 with random weights, and what they say of structures.

Run with an interpreter that has mace-torch, which pins another e3nn than the tests need:

    python tests/support/make_mace_models.py tests/data/mace          # the files kept there
    python tests/support/make_mace_models.py --more some/folder       # further variants

Each NAME.model.xz is what `torch.save(model)` wrote, compressed. `reference.json` has the
structures once, and for each model and head energies (eV), forces (eV/Å) and stresses (eV/Å^3),
computed in float64.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import torch

torch.serialization.add_safe_globals([slice])  # e3nn 0.4 reads its constants with torch.load
from ase import Atoms  # noqa: E402
from e3nn import o3  # noqa: E402
from mace import data, modules  # noqa: E402
from mace.tools import AtomicNumberTable, torch_geometric  # noqa: E402

ELEMENTS = (1, 6, 8)
CUTOFF = 3.0

Settings = dict[str, Any]

BASE: Settings = {
    "hidden": "2x0e",
    "lmax": 2,
    "correlation": 3,
    "layers": 2,
    "first": "Residual",
    "rest": "Residual",
    "scaled": True,
    "neighbours": 4.5,
    "heads": ["Default"],
    "extra": {},
    "dtype": "float64",
}

KEPT: dict[str, Settings] = {
    "scalars": {"hidden": "3x0e"},
    "vectors": {"hidden": "2x0e + 2x1o", "first": ""},
    "tensors": {
        "hidden": "2x0e + 2x1o + 2x2e",
        "correlation": 2,
        "layers": 3,
        "first": "",
        "scaled": False,
    },
    "density": {
        "hidden": "2x0e + 2x1o",
        "lmax": 1,
        "correlation": 2,
        "first": "Density",
        "rest": "DensityResidual",
        "heads": ["pbe", "r2scan"],
        "extra": {"pair_repulsion": True, "distance_transform": "Agnesi"},
    },
    "degree4": {"lmax": 1, "correlation": 4, "layers": 1, "dtype": "float32"},
    # Large messages, for otherwise a product of three of them that makes 1e is not felt.
    "pseudovectors": {
        "hidden": "2x0e + 2x1o + 2x1e",
        "correlation": [3, 2, 1],
        "layers": 3,
        "neighbours": 0.5,
    },
    "options": {
        "hidden": "2x0e + 2x1o",
        "lmax": 1,
        "correlation": [1, 3],
        "heads": ["one", "two"],
        "extra": {
            "distance_transform": "Soft",
            "apply_cutoff": False,
            "use_last_readout_only": True,
            "use_agnostic_product": True,
            "edge_irreps": o3.Irreps("3x0e + 3x1o"),
            "use_edge_irreps_first": True,
        },
    },
}

MORE: dict[str, Settings] = {
    "degree1": {"hidden": "4x0e + 4x1o", "correlation": 1},
    "degree4vectors": {"hidden": "2x0e + 2x1o", "lmax": 1, "correlation": 4, "layers": 3},
    "oneplain": {"hidden": "4x0e + 4x1o", "layers": 1, "scaled": False, "first": ""},
    "parities": {"hidden": "2x0e + 2x0o + 2x1o + 2x1e", "lmax": 2, "layers": 3},
    "degrees": {"hidden": "3x0e + 3x1o + 3x2e + 3x3o", "lmax": 3},
    "densityweights": {
        "hidden": "3x0e + 3x1o",
        "first": "DensityResidual",
        "rest": "DensityResidual",
        "extra": {"apply_cutoff": False, "pair_repulsion": True},
    },
    "allscalarsimple": {"first": "", "rest": "", "hidden": "4x0e", "scaled": False},
    "edges": {
        "hidden": "4x0e + 4x1o",
        "extra": {"edge_irreps": o3.Irreps("2x0e + 2x1o"), "use_edge_irreps_first": True},
    },
    "threeheads": {"hidden": "4x0e + 4x1o + 4x2e", "heads": ["a", "b", "c"], "scaled": False},
    "keptirreps": {"hidden": "4x0e + 4x1o", "extra": {"keep_last_layer_irreps": True}},
}


def interaction(kind: str) -> type[torch.nn.Module]:
    """`Residual` -> RealAgnosticResidualInteractionBlock, and so on."""
    return modules.interaction_classes[f"RealAgnostic{kind}InteractionBlock"]


def build(given: Settings, seed: int) -> torch.nn.Module:
    """A model with random weights."""
    settings = {**BASE, **given}
    torch.manual_seed(seed)
    torch.set_default_dtype(getattr(torch, settings["dtype"]))
    heads = settings["heads"]
    generator = np.random.default_rng(seed)
    reference = generator.uniform(-5, -1, (len(heads), len(ELEMENTS)))
    arguments = {
        "r_max": CUTOFF,
        "num_bessel": 5,
        "num_polynomial_cutoff": 5,
        "max_ell": settings["lmax"],
        "interaction_cls": interaction(settings["rest"]),
        "interaction_cls_first": interaction(settings["first"]),
        "num_interactions": settings["layers"],
        "num_elements": len(ELEMENTS),
        "hidden_irreps": o3.Irreps(settings["hidden"]),
        "MLP_irreps": o3.Irreps("3x0e"),
        "atomic_energies": reference if len(heads) > 1 else reference[0],
        "avg_num_neighbors": settings["neighbours"],
        "atomic_numbers": list(ELEMENTS),
        "correlation": settings["correlation"],
        "gate": torch.nn.functional.silu,
        "radial_MLP": [4, 6],
        "heads": heads,
        **settings["extra"],
    }
    if not settings["scaled"]:
        return modules.MACE(**arguments)
    scale, shift = generator.uniform(0.5, 1.5, (2, len(heads)))
    if len(heads) == 1:
        scale, shift = scale[0], shift[0]
    return modules.ScaleShiftMACE(atomic_inter_scale=scale, atomic_inter_shift=shift, **arguments)


def structures() -> list[Atoms]:
    """A molecule, a skewed cell smaller than the cutoff, a close pair and a lone atom."""
    generator = np.random.default_rng(7)
    molecule = Atoms([8, 6, 1, 1, 6], generator.uniform(0, 2.4, (5, 3)))
    cell = np.diag([2.8, 3.4, 3.9]) + generator.uniform(-0.3, 0.3, (3, 3))
    crystal = Atoms([6, 8, 1], generator.uniform(0, 2.8, (3, 3)), cell=cell, pbc=True)
    pair = Atoms([6, 8], [[0, 0, 0], [0.1, 0.5, 0.3]])
    return [molecule, crystal, pair, Atoms([6], [[0, 0, 0]])]


def say(model: torch.nn.Module, atoms: Atoms, head: str, heads: list[str]) -> Settings:
    """Energy, forces and, for a crystal, stress."""
    torch.set_default_dtype(torch.float64)
    table = AtomicNumberTable(list(ELEMENTS))
    config = data.config_from_atoms(atoms, head_name=head)
    graph = data.AtomicData.from_config(config, z_table=table, cutoff=CUTOFF, heads=heads)
    loader = torch_geometric.dataloader.DataLoader([graph], batch_size=1)
    periodic = bool(atoms.pbc.all())
    said = model(next(iter(loader)).to_dict(), compute_stress=periodic)
    result = {"energy": float(said["energy"]), "forces": said["forces"].tolist()}
    return result | ({"stress": said["stress"][0].tolist()} if periodic else {})


def main() -> None:
    """Writes models and reference into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--more", action="store_true")
    words = parser.parse_args()
    words.folder.mkdir(parents=True, exist_ok=True)
    frames = structures()
    answers = {}
    for seed, (name, settings) in enumerate((MORE if words.more else KEPT).items()):
        model = build(settings, seed)
        stream = io.BytesIO()
        torch.save(model, stream)
        (words.folder / f"{name}.model.xz").write_bytes(lzma.compress(stream.getvalue(), preset=9))
        model = model.double()
        heads = settings.get("heads", BASE["heads"])
        answers[name] = {head: [say(model, f, head, heads) for f in frames] for head in heads}
    systems = [
        {
            "numbers": frame.numbers.tolist(),
            "positions": frame.positions.tolist(),
            "cell": frame.cell.array.tolist(),
            "pbc": bool(frame.pbc.all()),
        }
        for frame in frames
    ]
    text = json.dumps({"systems": systems, "models": answers}, indent=1)
    (words.folder / "reference.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
