"""Trainable functions on geometric tensors: equivariant by construction, compiled.

Public names are loaded when they are first used, so that `import schur` is instant and the exact
parts (`schur.groups`, `schur.forms`, `schur.reps`, `schur.harmonics`, `schur.decompositions`,
`schur.products`) never load torch.

Example:
    >>> import schur
    >>> schur.Irreps("2x0e + 1o").dim
    5
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from schur import (
        decompositions,
        engine,
        errors,
        forms,
        groups,
        harmonics,
        nn,
        products,
        reps,
        tensors,
        testing,
    )
    from schur.atoms.audit import audit
    from schur.atoms.calculator import Calculator
    from schur.atoms.load import load
    from schur.nn.frames import Equivariant
    from schur.reps import Irrep, Irreps, clebsch_gordan
    from schur.tensors import GeometricTensor, Graph
    from schur.tensors.harmonics import spherical_harmonics, wigner_D
    from schur.train.discover import discover

__all__ = [
    "__version__",
    # values
    "Calculator",
    "Equivariant",
    "GeometricTensor",
    "Graph",
    "Irrep",
    "Irreps",
    # functions
    "audit",
    "clebsch_gordan",
    "discover",
    "load",
    "spherical_harmonics",
    "wigner_D",
    # parts
    "decompositions",
    "engine",
    "errors",
    "forms",
    "groups",
    "harmonics",
    "nn",
    "products",
    "reps",
    "tensors",
    "testing",
]

# Public name -> the module that defines it; the other names are parts of the package.
_HOME = {
    "audit": "schur.atoms.audit",
    "Calculator": "schur.atoms.calculator",
    "Equivariant": "schur.nn.frames",
    "GeometricTensor": "schur.tensors",
    "Graph": "schur.tensors",
    "Irrep": "schur.reps",
    "Irreps": "schur.reps",
    "clebsch_gordan": "schur.reps",
    "discover": "schur.train.discover",
    "load": "schur.atoms.load",
    "spherical_harmonics": "schur.tensors.harmonics",
    "wigner_D": "schur.tensors.harmonics",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'schur' has no attribute {name!r}")
    if name not in _HOME:
        return importlib.import_module(f"schur.{name}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
