"""W10 and W11 by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PASSES = ("EF", "step")

# contender -> (module that builds it, what the option --python calls its interpreter)
CONTENDERS = {
    "schur": ("benchmarks.potentials.schur_potential", "schur"),
    "mace-torch": ("benchmarks.potentials.mace_torch_potential", "mace"),
    "nequip": ("benchmarks.potentials.nequip_potential", "nequip"),
    "nequip compiled": ("benchmarks.potentials.nequip_potential", "nequip"),
}


@dataclass(frozen=True)
class PotentialCase:
    """One table: a shape of a model and a batch of structures.

    Args:
        name: what tells it from the workload's other cases.
        structures: name of the batch.
        settings: the shape, in the words of the peer's package.
        contenders: who takes part; the first is what ratios refer to.
    """

    name: str
    structures: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    contenders: tuple[str, ...] = ()


HIDDEN = {
    "32x0e": "32x0e",
    "64x(0e+1o)": "64x0e + 64x1o",
    "128x0e": "128x0e",
    "128x(0e+1o)": "128x0e + 128x1o",
    "128x(0e+1o+2e)": "128x0e + 128x1o + 128x2e",
}
MACE_CASES = tuple(
    PotentialCase(f"{name} {batch}", batch, {"hidden": hidden}, ("schur", "mace-torch"))
    for batch in ("diamond", "acac")
    for name, hidden in HIDDEN.items()
) + tuple(
    PotentialCase(f"{name} {batch}", batch, {"hidden": HIDDEN[name]}, ("schur", "mace-torch"))
    for batch in ("water", "hexanol")
    for name in ("64x(0e+1o)", "128x(0e+1o)")
)

NEQUIP_SHAPES: dict[str, dict[str, Any]] = {
    # The presets S and M of nequip 0.19, and its defaults with l <= 2, which have both parities.
    "S": {"num_layers": 2, "l_max": 1, "parity": False, "num_features": [128, 64]},
    "M": {"num_layers": 4, "l_max": 2, "parity": False, "num_features": [128, 64, 32]},
    "32 both parities": {"num_layers": 4, "l_max": 2, "parity": True, "num_features": [32] * 3},
}
NEQUIP_CASES = tuple(
    # The compiled mode of nequip needs several structures in a batch.
    PotentialCase(
        f"{name} {batch}",
        batch,
        shape,
        ("schur", "nequip", "nequip compiled") if batch == "acac" else ("schur", "nequip"),
    )
    for batch in ("copper", "water box", "acac", "water", "hexanol")
    for name, shape in NEQUIP_SHAPES.items()
    if name == "M" or batch not in ("water", "hexanol")
)

LARGE_MACE_CASES = tuple(
    PotentialCase(f"{name} {batch}", batch, {"hidden": HIDDEN[name]}, ("schur", "mace-torch"))
    for batch in ("diamond 1000", "diamond 5832")
    for name in ("64x(0e+1o)", "128x(0e+1o)")
)
LARGE_NEQUIP_CASES = tuple(
    PotentialCase(f"{name} {batch}", batch, NEQUIP_SHAPES[name], ("schur", "nequip"))
    for batch in ("copper 2048", "water box 5184")
    for name in ("S", "M")
)

POTENTIALS: dict[str, tuple[str, tuple[PotentialCase, ...]]] = {
    "W10": ("MACE, 2 layers, l <= 3, degree 3, 5 Å", MACE_CASES),
    "W11": ("NequIP, 5 Å", NEQUIP_CASES),
}
"""Workload -> title and cases."""
ON_A_GPU = {"W10": LARGE_MACE_CASES, "W11": LARGE_NEQUIP_CASES}
"""Cases that a GPU has besides."""


def cases_on(workload: str, device: str) -> tuple[PotentialCase, ...]:
    """The cases of a workload on a device."""
    return POTENTIALS[workload][1] + (ON_A_GPU[workload] if device == "cuda" else ())
