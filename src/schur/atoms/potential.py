"""An interatomic potential: a model of atoms' energies with units, forces and stress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from ..engine import rehearsal
from ..errors import ShapeError
from ..models.tabulated import tabulated, with_children
from ..nn.cutoffs import PolynomialCutoff
from .batch import Batch


class AtomicModel(Protocol):
    """What an architecture offers: one number an atom from species and edge vectors.

    One with an attribute `takes_topology` that is true takes a `Species` and a `Graph` too, in
    place of species and edges; on a GPU that saves waiting for what they hold.
    """

    def __call__(
        self, vectors: Tensor, species: Tensor, edge_index: Tensor, paired: bool = False
    ) -> Tensor:
        """(edges, 3), (atoms,), (2, edges) -> (atoms,); edges `paired` as a `Batch` has them."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What a potential says of a batch.

    Args:
        energies: (systems,) eV, float64.
        atom_energies: (atoms,) eV, float64; they sum to `energies`.
        forces: (atoms, 3) eV/Å, or None where not asked for.
        stresses: (systems, 3, 3) eV/Å^3, float64, tension positive, or None.
    """

    energies: Tensor
    atom_energies: Tensor
    forces: Tensor | None = None
    stresses: Tensor | None = None

    def on_host(self) -> Prediction:
        """The same in the memory of the CPU, in one wait for the device."""
        if self.energies.device.type == "cpu":
            return self
        parts = (self.energies, self.atom_energies, self.forces, self.stresses)
        return Prediction(*(None if part is None else part.cpu() for part in parts))  # pyright: ignore[reportArgumentType]


class Potential(nn.Module):
    """E(system) = Σ_i [E0(z_i) + shift + scale · model_i], forces and stress by differentiation.

    The model sees nothing but edge vectors r_ij = r_i - r_j (i receives), so that with
    g_ij = ∂E/∂r_ij

        F_k = -Σ_j g_kj + Σ_i g_ik        stress = (1/V) Σ_ij sym(r_ij ⊗ g_ij)

    which needs no strain and no positions. Atoms' energies are added in float64.

    Args:
        model: (vectors, species, edge_index) -> one number an atom.
        elements: atomic numbers in the order of the model's species.
        reference: E0 of each element, eV.
        cutoff: Å.
        scale, shift: eV; typical size and mean of an atom's energy.
        lone_atoms: `free` as above; or `reference`, so that an atom alone has the energy E0. What
            the formula above says of an atom of that element alone is then subtracted from each
            atom's energy, times

                exp(-3 Σ_j f(r_ij / cutoff))

            with f the polynomial cutoff of order 6. That is 1 without neighbours, about one half
            with one at 0.8 cutoffs, and nothing to speak of for an atom inside a molecule.

    Raises:
        ShapeError: not one reference energy for each element.
    """

    def __init__(
        self,
        model: nn.Module,
        elements: Sequence[int],
        reference: Sequence[float],
        cutoff: float,
        scale: float = 1.0,
        shift: float = 0.0,
        lone_atoms: Literal["free", "reference"] = "free",
    ) -> None:
        super().__init__()
        if len(elements) != len(reference):
            raise ShapeError(
                "each element needs one reference energy",
                got=len(reference),
                expected=len(elements),
            )
        self.model = model
        self.elements = tuple(int(z) for z in elements)
        self.cutoff = float(cutoff)
        self.scale = float(scale)
        self.shift = float(shift)
        self.fade = PolynomialCutoff(cutoff) if lone_atoms == "reference" else None
        # Not a buffer: `.to(float32)` must not round total energies of thousands of eV.
        self.reference = tuple(float(e) for e in reference)
        self._rehearsed = _Rehearsed()

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the parameters."""
        return next(self.parameters()).dtype

    def tabulated(self) -> Potential:
        """The potential with splines of the distance in place of radial networks.

        Raises:
            RepresentationError, NumberError: a model that has no such networks; see
                `schur.models.tabulated`.
        """
        return with_children(self, model=tabulated(self.model, self.cutoff)[0])  # pyright: ignore[reportReturnType]

    def forward(
        self,
        batch: Batch,
        forces: bool = True,
        stress: bool = False,
        differentiable: bool = False,
    ) -> Prediction:
        """Energies of a batch, with forces and stress where asked for.

        Args:
            batch: of an `AtomicDataset` with the same elements and cutoff.
            forces, stress: what to differentiate for.
            differentiable: keep the graph of the forces, for a loss on them.
        """
        if not torch.compiler.is_compiling():
            asked = (batch.vectors.device, batch.vectors.dtype, forces, stress, differentiable)
            if asked not in self._rehearsed.asked:
                self._rehearsed.asked.add(asked)
                self._rehearse(batch, *asked[2:])
        return self._predicted(batch, forces, stress, differentiable)

    def _rehearse(self, batch: Batch, forces: bool, stress: bool, differentiable: bool) -> None:
        """Before a first evaluation on a GPU have its kernels compiled, all at a time."""
        if not rehearsal.is_worth(batch.vectors):
            return

        def work() -> None:
            said = self._predicted(batch, forces, stress, differentiable)
            parts = (said.energies, said.forces, said.stresses)
            made = [part.sum() for part in parts if part is not None and part.requires_grad]
            learned = [each for each in self.parameters() if each.requires_grad]
            if made and learned:  # as training does
                torch.autograd.grad(made, learned, allow_unused=True)

        rehearsal.rehearse(work, batch.vectors.device)

    def _predicted(
        self, batch: Batch, forces: bool, stress: bool, differentiable: bool
    ) -> Prediction:
        wants_gradient = forces or stress
        # Forces are a gradient whatever the caller's grad mode.
        with torch.set_grad_enabled(wants_gradient or torch.is_grad_enabled()):
            vectors = batch.vectors.detach().requires_grad_(wants_gradient)
            raw, alone = self._raw(vectors, batch)
            reference = _table(self.reference, vectors.device)[batch.species]
            atoms = reference + self.shift + self.scale * raw.to(torch.float64)
            parts, weights = [raw], [torch.full_like(raw, self.scale)]
            if self.fade is not None:
                lone = self._loneliness(vectors, batch) * (self.shift + self.scale * alone.double())
                atoms = atoms - lone
                parts, weights = [*parts, lone], [*weights, torch.full_like(lone, -1.0)]
            energies = torch.zeros_like(batch.sizes).index_add(0, batch.system, atoms)
            if not wants_gradient:
                return Prediction(energies, atoms)
            if vectors.device.type != "cpu":
                # torch takes a third of a second to load what it checks given cotangents with.
                pairs = zip(parts, weights, strict=True)
                parts, weights = [torch.stack([(p * w).sum() for p, w in pairs]).sum()], None
            (gradient,) = torch.autograd.grad(parts, vectors, weights, create_graph=differentiable)
        result = _Derivatives(batch, vectors, gradient)
        if not differentiable:
            energies, atoms = energies.detach(), atoms.detach()
        return Prediction(
            energies,
            atoms,
            result.forces() if forces else None,
            result.stresses() if stress else None,
        )

    def _raw(self, vectors: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the model says of each atom, and what of one alone; the latter only where asked."""
        species, atoms = batch.species, batch.num_atoms
        known = batch.topology if getattr(self.model, "takes_topology", False) else None
        if self.fade is None:
            which, edges = (known.species, known.graph) if known else (species, batch.edge_index)
            raw = self.model(vectors, which, edges, paired=True)
            return raw, raw[:0]
        # One atom of each element that no edge touches: cheaper than to ask a second time.
        if known:
            more = known.with_lone_atoms()
            which, edges = more.species, more.graph
        else:
            lonely = torch.arange(len(self.elements), device=species.device)
            which, edges = torch.cat([species, lonely]), batch.edge_index
        raw = self.model(vectors, which, edges, paired=True)
        return raw[:atoms], raw[atoms:][species]

    def _loneliness(self, vectors: Tensor, batch: Batch) -> Tensor:
        """1 for an atom without neighbours, nearly 0 for a bonded one, float64."""
        assert self.fade is not None
        half = len(vectors) // 2
        near = self.fade(torch.linalg.vector_norm(vectors[:half], dim=1))
        first, second = batch.edge_index[:, :half]
        count = near.new_zeros(batch.num_atoms).index_add(0, first, near).index_add(0, second, near)
        return torch.exp(-3.0 * count.to(torch.float64))


class _Rehearsed:
    """What has been asked for in this process; a copy, or what is read from a file, knows nothing.

    Attributes:
        asked: places, number types and what was wanted.
    """

    def __init__(self) -> None:
        self.asked: set[tuple[Any, ...]] = set()

    def __reduce__(self) -> tuple[type[_Rehearsed], tuple[()]]:
        return _Rehearsed, ()


@dataclass(frozen=True)
class _Derivatives:
    batch: Batch
    vectors: Tensor
    gradient: Tensor

    def forces(self) -> Tensor:
        senders, receivers = self.batch.edge_index
        zero = self.gradient.new_zeros(self.batch.num_atoms, 3)
        return zero.index_add(0, senders, self.gradient).index_add(
            0, receivers, self.gradient, alpha=-1
        )

    def stresses(self) -> Tensor:
        owner = self.batch.system[self.batch.edge_index[1]]
        product = self.vectors.detach().double()[:, :, None] * self.gradient.double()[:, None, :]
        zero = product.new_zeros(self.batch.num_systems, 3, 3)
        virial = zero.index_add(0, owner, product)
        symmetric = 0.5 * (virial + virial.transpose(1, 2))
        return symmetric / self.batch.volumes[:, None, None]


def _table(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers as a tensor in float64.

    Copied to another device once: such a copy has to be waited for. A tracer's tensors are not
    kept, as they are none outside of it.
    """
    if device.type == "cpu" or torch.compiler.is_compiling():
        return torch.tensor(values, dtype=torch.float64, device=device)
    return _kept_table(values, device)


@lru_cache(maxsize=64)
def _kept_table(values: tuple[float, ...], device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float64, device=device)
