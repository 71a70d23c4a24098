"""One structure with its labels, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import NumberError, ShapeError
from .elements import formula


@dataclass(frozen=True, eq=False)
class System:
    """Atoms in a box, with what is known of their energy.

    All values are in the units of this package (eV, Å, eV/Å, eV/Å^3, tension positive). Arrays
    are private copies and read-only: nothing that is done with a system touches the caller's.

    Args:
        numbers: atomic numbers.
        positions: Å.
        cell: rows are the lattice vectors, Å; zeros where there is no cell.
        pbc: which lattice vectors repeat.
        energy: total energy, eV.
        forces: eV/Å.
        stress: symmetric 3 x 3, eV/Å^3, tension positive.
        config_type: name of the group that errors are reported for.
        weight: factor of this frame in a loss.
        origin: where the frame was read, for messages.

    Raises:
        ShapeError: arrays that do not fit each other.
        NumberError: positions or a cell that are not finite.

    Example:
        >>> water = System([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
        >>> len(water), water.formula, water.periodic
        (3, 'H2O', False)
    """

    numbers: Int[np.ndarray, " n"]
    positions: Float[np.ndarray, "n 3"]
    cell: Float[np.ndarray, "3 3"]
    pbc: Bool[np.ndarray, "3"]
    energy: float | None
    forces: Float[np.ndarray, "n 3"] | None
    stress: Float[np.ndarray, "3 3"] | None
    config_type: str
    weight: float
    origin: str

    def __init__(
        self,
        numbers: object,
        positions: object,
        cell: object = None,
        pbc: object = False,
        energy: float | None = None,
        forces: object = None,
        stress: object = None,
        config_type: str = "default",
        weight: float = 1.0,
        origin: str = "a structure",
    ) -> None:
        count = np.asarray(numbers).reshape(-1).shape[0]
        put = object.__setattr__
        put(self, "numbers", _array(numbers, np.int64, (count,), "numbers", origin))
        put(self, "positions", _array(positions, np.float64, (count, 3), "positions", origin))
        box = np.zeros((3, 3)) if cell is None else cell
        put(self, "cell", _array(box, np.float64, (3, 3), "cell", origin))
        put(self, "pbc", _array(np.broadcast_to(np.asarray(pbc), 3), bool, (3,), "pbc", origin))
        put(self, "energy", None if energy is None else float(energy))
        optional = {"forces": (forces, (count, 3)), "stress": (stress, (3, 3))}
        for name, (value, shape) in optional.items():
            array = None if value is None else _array(value, np.float64, shape, name, origin)
            put(self, name, array)
        put(self, "config_type", config_type)
        put(self, "weight", float(weight))
        put(self, "origin", origin)
        for name in ("positions", "cell"):
            if not np.isfinite(getattr(self, name)).all():
                raise NumberError(
                    f"the {name} of {origin} are not finite",
                    got=getattr(self, name)[~np.isfinite(getattr(self, name))][:3],
                    expected="finite numbers in Å",
                )

    def __len__(self) -> int:
        return int(self.numbers.shape[0])

    @property
    def formula(self) -> str:
        """Chemical formula in Hill's order."""
        return formula(self.numbers.tolist())

    @property
    def periodic(self) -> bool:
        """Whether any direction repeats."""
        return bool(self.pbc.any())

    @property
    def volume(self) -> float:
        """Volume of the cell in Å^3; zero without a cell."""
        return float(abs(np.linalg.det(self.cell)))


def _array(
    value: object, dtype: type, shape: tuple[int, ...], name: str, origin: str
) -> np.ndarray:
    array = np.array(value, dtype=dtype)
    if array.shape != shape:
        raise ShapeError(
            f"the {name} of {origin} have the wrong shape", got=array.shape, expected=shape
        )
    array.setflags(write=False)
    return array
