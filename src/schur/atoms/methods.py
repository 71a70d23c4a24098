"""Energies and forces to sample with: tblite's methods, and any calculator of ASE by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, optional_package
from .units import BOHR, HARTREE, HARTREE_PER_BOHR

XTB = ("GFN2-xTB", "GFN1-xTB")
Method = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Positions in Å -> energy in eV and forces in eV/Å."""


def chosen_method(asked: str | None, periodic: bool) -> str:
    """The method that was asked for, else GFN2-xTB, or GFN1-xTB where a structure repeats.

    Example:
        >>> chosen_method(None, False), chosen_method(None, True), chosen_method("gfn1-xtb", False)
        ('GFN2-xTB', 'GFN1-xTB', 'GFN1-xTB')
    """
    if asked is None:
        return XTB[1] if periodic else XTB[0]
    return next((name for name in XTB if name.lower() == asked.lower()), asked)


def single_point(
    method: str,
    numbers: np.ndarray,
    unpaired: int = 0,
    cell: Sequence[Sequence[float]] | None = None,
    pbc: Sequence[bool] = (False, False, False),
) -> Method:
    """Energy in eV and forces in eV/Å as a function of positions in Å.

    Args:
        method: GFN2-xTB, GFN1-xTB, a name of ASE such as emt, or module:Class.
        numbers: atomic numbers.
        unpaired: electrons, for tblite.
        cell, pbc: of the structure.

    Raises:
        BackendError: tblite is not installed.
        DataError: no such calculator, or GFN2-xTB for a structure that repeats.
    """
    if method in XTB:
        return _tblite(method, numbers, unpaired, cell, pbc)
    return _ase(method, numbers, cell, pbc)


def _tblite(method: str, numbers: np.ndarray, unpaired: int, cell: Any, pbc: Any) -> Method:
    require_tblite()
    if method == XTB[0] and any(pbc):
        raise DataError(
            "tblite has GFN2-xTB for molecules only",
            got=f"a structure that repeats, pbc {list(pbc)}",
            remedy="leave out --calculator, or name GFN1-xTB",
        )
    from tblite.interface import Calculator

    box: dict[str, Any] = {}
    if any(pbc):
        box = {"lattice": np.asarray(cell, dtype=float) / BOHR, "periodic": np.asarray(pbc)}
    calculators: list[Calculator] = []

    def forces(positions: np.ndarray) -> tuple[float, np.ndarray]:
        if calculators:
            calculators[0].update(positions / BOHR)
        else:
            calculators.append(Calculator(method, numbers, positions / BOHR, uhf=unpaired, **box))
            calculators[0].set("verbosity", 0)
        result = calculators[0].singlepoint()
        energy = float(np.asarray(result.get("energy")))
        return energy * HARTREE, -np.asarray(result.get("gradient")) * HARTREE_PER_BOHR

    return forces


def require_tblite() -> None:
    """Stops where the package of the default methods is not installed.

    Raises:
        BackendError: with the words that install it.
    """
    remedy = "pip install 'schur[sample]', or name another calculator"
    with optional_package("sampling needs the package tblite", "tblite", remedy):
        import tblite.interface  # noqa: F401


def _ase(method: str, numbers: np.ndarray, cell: Any, pbc: Any) -> Method:
    from ase import Atoms

    calculator = calculator_class(method)()
    atoms = Atoms(numbers, np.zeros((len(numbers), 3)), cell=cell, pbc=pbc)
    atoms.calc = calculator

    def forces(positions: np.ndarray) -> tuple[float, np.ndarray]:
        atoms.positions = positions
        return float(atoms.get_potential_energy()), np.array(atoms.get_forces())

    return forces


def calculator_class(name: str) -> Callable[[], Any]:
    """A calculator of ASE by its name, or `module:Class`.

    Raises:
        DataError: there is none.

    Example:
        >>> calculator_class("emt").__name__, calculator_class("ase.calculators.lj:LennardJones")
        ('EMT', <class 'ase.calculators.lj.LennardJones'>)
    """
    from ase.calculators.calculator import get_calculator_class

    try:
        module, mark, attribute = name.partition(":")
        if mark:
            return getattr(importlib.import_module(module), attribute)
        return get_calculator_class(name.lower())
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(
            "there is no such calculator",
            got=f"{name} ({error})",
            expected=f"{', '.join(XTB)}, a name of ASE such as emt, or module:Class",
        ) from None
