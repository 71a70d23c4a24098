"""Rows of an ASE database as frames, and back: every number as it is stored.

A row keeps `energy`, `free_energy`, `forces`, `stress` of a calculator in columns of their own,
small values in `key_value_pairs` and everything else in `data`. (ASE's `Atoms` of a row would
lose the last two, and its `get_forces()` sets those of constrained atoms to zero.)

Source: https://wiki.fysik.dtu.dk/ase/ase/db/db.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DataError
from .frame import Frame
from .symmetric import voigt

_WHOLE = ("energy", "free_energy", "stress", "dipole", "magmom")
_EACH_ATOM = ("forces", "magmoms", "charges", "tags", "initial_magmoms", "initial_charges")
_OF_ATOMS = "arrays"  # in `data`: what is said of each atom under other names


def frame_of_row(row: Mapping[str, Any], path: str, index: int) -> Frame:
    """The frame of a row's dictionary, with `key_value_pairs` and `data` in it.

    Names in `key_value_pairs` go before those in `data`, the calculator's before both.

    Raises:
        DataError: a row without atoms.
    """
    if "numbers" not in row or "positions" not in row:
        raise DataError(
            f"{path}, frame {index} holds no atoms",
            got=", ".join(sorted(row)) or "an empty row",
            expected="a row of an ASE database with numbers and positions",
        )
    data = dict(row.get("data") or {})
    arrays = {name: np.asarray(value) for name, value in (data.pop(_OF_ATOMS, None) or {}).items()}
    info = {**data, **(row.get("key_value_pairs") or {})}
    for name in [name for name in info if "force" in name.lower()]:
        arrays[name] = np.asarray(info.pop(name))
    info.update({name: _plain(row[name]) for name in _WHOLE if row.get(name) is not None})
    arrays.update({n: np.asarray(row[n]) for n in _EACH_ATOM if row.get(n) is not None})
    cell = np.zeros((3, 3)) if row.get("cell") is None else _cell(row["cell"])
    a, b, c = np.broadcast_to(np.asarray(row.get("pbc", False), dtype=bool), 3).tolist()
    return Frame(
        np.asarray(row["numbers"], dtype=np.int64),
        np.asarray(row["positions"], dtype=np.float64),
        {name: _plain(value) for name, value in info.items()},
        arrays,
        cell if cell.any() else None,
        (a, b, c),
        path,
        index,
    )


def _cell(raw: Any) -> np.ndarray:
    if isinstance(raw, Mapping):  # {"array": ..., "__ase_objtype__": "cell"} of ase.io.jsonio
        raw = raw["array"]
    return np.array(raw, dtype=np.float64).reshape(3, 3)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    if isinstance(value, list):
        return np.asarray(value)
    return value.item() if isinstance(value, np.generic) else value


def row_of_frame(frame: Frame) -> dict[str, Any]:
    """A row's dictionary that `frame_of_row` makes the same frame of."""
    info = dict(frame.info)
    row: dict[str, Any] = {
        "numbers": frame.numbers,
        "positions": np.asarray(frame.positions, dtype=np.float64),
        "cell": np.zeros((3, 3)) if frame.cell is None else frame.cell,
        "pbc": np.array(frame.pbc),
    }
    for name in ("energy", "free_energy"):
        if isinstance(info.get(name), float | int):
            row[name] = float(info.pop(name))
    stress = np.asarray(info.get("stress", 0.0))
    if stress.size == 9 and np.array_equal(stress.reshape(3, 3), stress.reshape(3, 3).T):
        stress = voigt(stress.reshape(3, 3))
    if stress.size == 6 and stress.dtype.kind == "f":
        row["stress"] = stress.reshape(6)
        del info["stress"]
    arrays = dict(frame.arrays)
    if "forces" in arrays:
        row["forces"] = np.asarray(arrays.pop("forces"), dtype=np.float64)
    kind = info.pop("config_type", None)
    row["key_value_pairs"] = {} if kind is None else {"config_type": str(kind)}
    row["data"] = {**info, **({_OF_ATOMS: arrays} if arrays else {})}
    return row
