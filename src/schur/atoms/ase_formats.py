"""Whatever else ASE reads: trajectories, outputs of programs, crystal structures."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import DataError
from .frame import Frame, FrameSource

_WHOLE = ("energy", "free_energy", "stress", "magmom", "dipole")
_EACH_ATOM = ("forces", "magmoms", "charges")
_KNOWN_ARRAYS = ("numbers", "positions")


class AseFile(FrameSource):
    """A file in one of the formats of `ase.io`: `.traj`, `vasprun.xml`, `.cif` ...

    ASE moves labels into a calculator; they are taken from there as they are stored, without
    constraints. Trajectories are read on demand, other formats whole.

    Raises:
        DataError: a file that is absent, damaged, empty or that ASE cannot read.

    Example:
        >>> import tempfile, pathlib
        >>> from ase.build import bulk
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "cu.cif"
        >>> bulk("Cu").write(path)
        >>> AseFile(path)[0].pbc
        (True, True, True)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        if not os.path.exists(self.path):
            raise DataError(
                "the file of structures cannot be opened",
                got=f"{self.path}: No such file or directory",
                expected="a file that ASE reads",
            )
        self._images: Any = None
        self._file: io.BufferedReader | None = None
        self._count = len(self._open())
        if not self._count:
            raise DataError("the file holds no frame", got=self.path)

    def _open(self) -> Any:
        if self._images is None:
            import ase.io
            from ase.io.trajectory import TrajectoryReader

            with _legible(self.path):
                if self.path.endswith(".traj"):
                    # Opened here, for ASE leaves the file open where it is damaged.
                    self._file = open(self.path, "rb")  # noqa: SIM115
                    try:
                        self._images = TrajectoryReader(self._file)
                    except Exception:
                        self.close()
                        raise
                else:
                    self._images = ase.io.read(self.path, index=":")
        return self._images

    def __len__(self) -> int:
        return self._count

    def _frame(self, index: int) -> Frame:
        with _legible(f"{self.path}, frame {index}"):
            return frame_of_atoms(self._open()[index], self.path, index)

    @property
    def note(self) -> str:
        """That labels come out of a calculator."""
        name = os.path.basename(self.path)
        return f"{name}: read by ASE; energies, forces and stress as its calculator stored them"

    def close(self) -> None:
        """Lets go of a trajectory; the next access opens it again."""
        if self._file is not None:
            self._file.close()
            self._file, self._images = None, None

    def __del__(self) -> None:
        self.close()


@contextmanager
def _legible(place: str) -> Iterator[None]:
    # The readers of ASE raise whatever they happen to meet in a damaged file.
    try:
        yield
    except Exception as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{place} cannot be read by ASE",
            got=f"{type(error).__name__}: {error}",
            expected="a whole file in a format that ASE knows by its name or content",
            remedy="it may be cut off, damaged or of another format",
        ) from error


def frame_of_atoms(atoms: Any, path: str = "", index: int = 0) -> Frame:
    """A frame of ASE's `Atoms`; labels of its calculator, without the effect of constraints.

    Example:
        >>> import ase
        >>> frame_of_atoms(ase.Atoms("H", info={"config_type": "atom"})).info
        {'config_type': 'atom'}
    """
    results = {} if atoms.calc is None else dict(getattr(atoms.calc, "results", {}))
    info = dict(atoms.info)
    arrays = {n: np.array(a) for n, a in atoms.arrays.items() if n not in _KNOWN_ARRAYS}
    # Floats in full: ASE's numbers are numpy's.
    info.update({name: _number(results[name]) for name in _WHOLE if results.get(name) is not None})
    arrays.update(
        {name: np.array(results[name]) for name in _EACH_ATOM if results.get(name) is not None}
    )
    cell = np.array(atoms.cell.array)
    a, b, c = (bool(flag) for flag in atoms.pbc)
    return Frame(
        np.array(atoms.numbers, dtype=np.int64),
        np.array(atoms.positions),
        info,
        arrays,
        cell if cell.any() else None,
        (a, b, c),
        path,
        index,
    )


def _number(value: Any) -> Any:
    array = np.asarray(value)
    return array.item() if array.ndim == 0 else array
