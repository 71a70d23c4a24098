"""Batches of the same atoms, evaluated by repeating what was done to the first.

Frames of one molecule make batches that differ in positions, labels and which atoms are
neighbours, but not in species.  What is done to such a batch is kept (`schur.engine.repetition`)
and repeated for the next, which saves what torch spends around the arithmetic: a fifth of a
training step of ten small molecules on one core, a third on two.  On a GPU it is captured as a
graph of launches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..engine.device_graphs import NoGraph
from ..engine.repetition import Repetition, is_possible, repetition
from ..errors import BackendError, NumberError, RepresentationError
from .agreement import disagreement
from .batch import Batch
from .potential import Potential, Prediction

_log = logging.getLogger("schur")

# Above so many pairs arithmetic outweighs what a repetition saves; for GPUs a guess.
_MOST_PAIRS, _MOST_PAIRS_OF_A_DEVICE = 4000, 30_000
# Pairs are filled up to a multiple of this share of them, so that few numbers of pairs occur.
_FILLED_UP = 32
# Bytes of all repetitions together: a recording keeps every intermediate value, and a graph of a
# GPU as much memory as the evaluation needs.
_MEMORY, _MEMORY_OF_A_DEVICE = 1 << 30, 1 << 32
# A recording that is pushed out for want of memory has to have been repeated so many times, on
# average, or making them is no gain.
_WORTH_RECORDING = 4
# Filled-up batches may differ from the batch itself by so many roundings of the largest number.
_ROUNDINGS = 4096

# Tables take as long to make as a few evaluations.
_WORTH_TABLES = 4

Outputs = Sequence[Tensor | None]


class RepeatedBatches:
    """A function of batches that is repeated where batches repeat.

    Batches are filled up with pairs longer than the cutoff, which add nothing, so that few shapes
    occur; the first filled-up batch is compared with the batch itself, and a function that tells
    them apart is never repeated.  How a batch of the same atoms is evaluated is kept when it is
    seen for the second time.  On a CPU every evaluation of a batch gives the same bits, repeated
    or not.

    Args:
        potential: whose parameters and buffers the function reads, where they stand.
        function: of a batch and of further tensors, to tensors; all where the potential is.

    The tensors that a call returns are overwritten by the next.
    """

    def __init__(self, potential: Potential, function: Callable[..., Outputs]) -> None:
        self.potential, self.function = potential, function
        self.able = True
        self._compared = False
        self._repeats = self._pushed_out = 0
        self._seen: set[tuple[object, ...]] = set()
        self._kept: dict[tuple[object, ...], Repetition] = {}
        self._state: list[tuple[int, bool]] = []

    def __call__(self, batch: Batch, *further: Tensor) -> Outputs:
        """The function of a batch, which is moved to the potential.

        What a batch has for constant is looked at on the CPU: one that lies elsewhere is
        evaluated as it is.
        """
        pairs = len(batch.vectors) // 2
        if batch.vectors.device.type != "cpu" or not self.takes(pairs):
            return self.function(self._there(batch), *further)
        filled = filled_up(batch, rounded_up(pairs), self.potential.cutoff)
        if not self._compared and filled is not batch:
            self._forget_if_changed()
            return self._compare(self._there(batch), self._there(filled), *further)
        return self.of(_key(filled), self._there(filled), *further)

    def takes(self, pairs: int) -> bool:
        """Whether batches with so many pairs are repeated."""
        kind = self.potential.device.type
        most = _MOST_PAIRS if kind == "cpu" else _MOST_PAIRS_OF_A_DEVICE
        return self.able and 0 < pairs <= most and is_possible(kind)

    def of(self, key: tuple[object, ...], batch: Batch, *further: Tensor) -> Outputs:
        """The function of a batch that is filled up already and lies where the potential is.

        Args:
            key: tells all apart that is constant in a repetition: the number of pairs, atoms,
                their elements, and which system each belongs to.
        """
        if not self.able:
            return self.function(batch, *further)
        self._forget_if_changed()
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._repeats += 1
            self._kept[key] = kept  # the latest used comes last
            return kept(*_inputs(batch), *further)
        if key in self._seen:
            return self._keep(key, batch, *further)
        self._seen.add(key)
        return self.function(batch, *further)

    def _there(self, batch: Batch) -> Batch:
        return batch.to(self.potential.device, len(self.potential.elements))

    def _forget_if_changed(self) -> None:
        """Repetitions hold addresses of parameters, and know which of them get a gradient."""
        state = [(t.data_ptr(), t.requires_grad) for t in _tensors(self.potential)]
        state.append((0, self.potential.training))
        if state != self._state:
            self._state = state
            self._seen.clear()
            self._kept.clear()

    def _compare(self, batch: Batch, filled: Batch, *further: Tensor) -> Outputs:
        """The function of the filled-up batch, if it is that of the batch itself."""
        itself, said = self.function(batch, *further), self.function(filled, *further)
        # Sums are kept in float64, but they are sums of what was rounded before.
        eps = torch.finfo(batch.vectors.dtype).eps
        for one, other in zip(itself, said, strict=True):
            if one is None or other is None or not one.numel():
                continue
            size = float(one.detach().nan_to_num().abs().max())
            tolerance = _ROUNDINGS * eps * size
            if not torch.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True):
                self._give_up("pairs beyond the cutoff are not without effect")
                return itself
        self._compared = True
        return said

    def _give_up(self, reason: str) -> None:
        self.able = False
        if self.potential.device.type == "cpu":
            _log.debug("no recordings: %s", reason)
        else:
            _log.warning("no graphs of the device, each kernel is launched by itself: %s", reason)

    def _keep(self, key: tuple[object, ...], batch: Batch, *further: Tensor) -> Outputs:
        inputs = _inputs(batch)

        def evaluate(*given: Tensor) -> Outputs:
            return self.function(_with_inputs(batch, given[: len(inputs)]), *given[len(inputs) :])

        try:
            made = repetition(evaluate, *inputs, *further, live=_tensors(self.potential))
        except BackendError as error:
            self._give_up(error.reason if isinstance(error, NoGraph) else str(error))
            return self.function(batch, *further)
        self._kept[key] = made
        most = _MEMORY if self.potential.device.type == "cpu" else _MEMORY_OF_A_DEVICE
        held = sum(each.nbytes for each in self._kept.values())
        while held > most:
            oldest = next(iter(self._kept))
            held -= self._kept.pop(oldest).nbytes
            self._pushed_out += 1
        if self._repeats < _WORTH_RECORDING * (self._pushed_out - 1):
            self._kept.clear()
            self._give_up(f"there is no room, one takes {made.nbytes >> 20} MiB")
        return made.outputs


class RepeatedPotential:
    """A potential whose evaluations of batches of the same atoms are repeated.

    Args:
        potential: what is evaluated; its parameters may change from call to call.
        splines: replace radial networks by splines of the distance from the fourth batch on, where
            that moves the forces on this batch by less than 1e-6 eV/Å, rounding apart, and as long
            as parameters stay what they are.
    """

    def __init__(self, potential: Potential, splines: bool = False) -> None:
        self.potential, self.splines = potential, splines
        self._served = 0
        self._tables: Potential | None = None
        self._tabulated: list[int] = []
        self._by_request: dict[tuple[bool, bool, bool], RepeatedBatches] = {}

    def __call__(self, batch: Batch, forces: bool = True, stress: bool = False) -> Prediction:
        """What the potential says; see `Potential`."""
        self._served += 1
        tables = self._with_tables(batch)
        request = (forces, stress, tables is not None)
        repeated = self._by_request.get(request)
        if repeated is None:
            repeated = repeated_prediction(tables or self.potential, forces, stress)
            self._by_request[request] = repeated
        energies, atoms, *rest = (
            None if out is None else out.detach().clone() for out in repeated(batch)
        )
        assert energies is not None and atoms is not None
        return Prediction(energies, atoms, *rest)

    def _with_tables(self, batch: Batch) -> Potential | None:
        if not self.splines or self._served < _WORTH_TABLES:
            return None
        versions = [tensor._version for tensor in _tensors(self.potential)]
        if versions == self._tabulated:
            return self._tables
        if self._tabulated:  # parameters are being changed: tables would not last
            self.splines = False
            return None
        self._tabulated = versions
        try:
            tables = self.potential.tabulated()
        except (RepresentationError, NumberError) as error:
            wrong = str(error)
        else:
            said, expected = (_forces(each, batch) for each in (tables, self.potential))
            wrong = disagreement(said, expected, torch.finfo(batch.vectors.dtype).eps)
            self._tables = tables if wrong is None else None
        if self._tables is None:
            self.splines = False
            _log.debug("no splines: %s", wrong)
        return self._tables


def repeated_prediction(potential: Potential, forces: bool, stress: bool) -> RepeatedBatches:
    """Energies, energies of atoms, forces and stresses of batches, repeated where these are."""

    def evaluate(batch: Batch) -> Outputs:
        said = potential(batch, forces=forces, stress=stress)
        return said.energies, said.atom_energies, said.forces, said.stresses

    return RepeatedBatches(potential, evaluate)


def _forces(potential: Potential, batch: Batch) -> np.ndarray:
    batch = batch.to(potential.device, len(potential.elements))
    forces = potential(batch, forces=True).forces
    assert forces is not None  # asked for
    return forces.cpu().numpy()


def filled_up(batch: Batch, pairs: int, cutoff: float) -> Batch:
    """A batch with so many pairs, the new ones of atoms with themselves and beyond the cutoff.

    Example:
        >>> from schur.atoms.batch import AtomicDataset
        >>> from schur.atoms.system import System
        >>> data = AtomicDataset([System([1, 1], [[0, 0, 0], [0, 0, 0.74]])], (1,), cutoff=2.0)
        >>> filled_up(data.batch([0]), 2, cutoff=2.0).edge_index
        tensor([[0, 0, 1, 0],
                [1, 0, 0, 0]])
    """
    half = len(batch.vectors) // 2
    if pairs == half:
        return batch
    # Spread over the atoms: one with very many pairs would be summed in pieces.
    ends = (torch.arange(pairs - half) % batch.num_atoms).expand(2, -1)
    far = batch.vectors.new_zeros(pairs - half, 3)
    far[:, 0] = 2.0 * cutoff
    vectors, edges = batch.vectors, batch.edge_index
    return replace(
        batch,
        vectors=torch.cat([vectors[:half], far, vectors[half:], -far]),
        edge_index=torch.cat([edges[:, :half], ends, edges[:, half:], ends], 1),
    )


def rounded_up(pairs: int) -> int:
    """How many pairs to fill up to: the next multiple of 8, or of a larger power of two.

    That is the one between 1/64 and 1/32 of the number.

    Example:
        >>> [rounded_up(n) for n in (5, 100, 460, 1000)]
        [8, 104, 464, 1008]
    """
    step = 1 << max((pairs // _FILLED_UP).bit_length() - 1, 3)
    return -(-pairs // step) * step


def _key(batch: Batch) -> tuple[object, ...]:
    """What a recording takes for constant."""
    constant = (batch.species, batch.system, batch.sizes)
    return (len(batch.vectors), batch.vectors.dtype, *(t.numpy().tobytes() for t in constant))


def _inputs(batch: Batch) -> list[Tensor]:
    """What else there is in a batch."""
    places = [batch.vectors, batch.edge_index, batch.volumes]
    labels = [batch.energies, batch.forces, batch.stresses, batch.weights]
    return [*places, *labels, *(batch.topology.varying() if batch.topology else ())]


def _with_inputs(batch: Batch, given: Sequence[Tensor]) -> Batch:
    vectors, edge_index, volumes, energies, forces, stresses, weights, *neighbours = given
    topology = batch.topology and batch.topology.with_varying(neighbours)
    return replace(
        batch,
        vectors=vectors,
        edge_index=edge_index,
        volumes=volumes,
        energies=energies,
        forces=forces,
        stresses=stresses,
        weights=weights,
        topology=topology,
    )


def _tensors(potential: Potential) -> list[Tensor]:
    return [*potential.parameters(), *potential.buffers()]
