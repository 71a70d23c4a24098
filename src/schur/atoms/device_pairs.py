"""Pairs of atoms closer than a cutoff, found by torch where the atoms are to be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..engine.transfer import moved
from .neighbours import complete_cell
from .system import System

# Distances that are in memory at a time.
_AT_A_TIME = 1 << 22


@dataclass(frozen=True, eq=False)
class DevicePairs:
    """One direction of each pair: sender before receiver, or the larger shift for an image.

    Args:
        senders, receivers: atom indices.
        shifts: how many lattice vectors the sender is moved by.
        offsets: shift · cell, Å, in float64.
    """

    senders: Int[Tensor, " pairs"]
    receivers: Int[Tensor, " pairs"]
    shifts: Int[Tensor, "pairs 3"]
    offsets: Float[Tensor, "pairs 3"]

    @property
    def edge_index(self) -> Int[Tensor, "2 edges"]:
        """Senders and receivers of both directions; the second half reverses the first."""
        one = torch.stack([self.senders, self.receivers])
        return torch.cat([one, one.flip(0)], 1)

    def filled_up(self, pairs: int, atoms: int, distance: float) -> DevicePairs:
        """The same with so many pairs, the new ones of atoms with themselves, so far apart (Å).

        Example:
            >>> chain = System([1], [[0, 0, 0]], [[1, 0, 0], [0, 9, 0], [0, 0, 9]], True)
            >>> more = device_pairs(chain, 1.5, "cpu").filled_up(3, atoms=1, distance=4.0)
            >>> more.vectors(torch.zeros(1, 3, dtype=torch.float64))[:, 0]
            tensor([-1., -4., -4.], dtype=torch.float64)
        """
        further = torch.arange(pairs - len(self.senders), device=self.senders.device)
        ends = further % max(atoms, 1)
        far = self.offsets.new_zeros(len(further), 3)
        far[:, 0] = distance
        parts = (self.senders, ends), (self.receivers, ends), (self.shifts, far.to(torch.int64))
        senders, receivers, shifts = (torch.cat(part) for part in parts)
        return DevicePairs(senders, receivers, shifts, torch.cat([self.offsets, far]))

    def vectors(self, positions: Float[Tensor, "atoms 3"]) -> Float[Tensor, "pairs 3"]:
        """r_receiver - (r_sender + shift · cell) of each pair, Å."""
        return positions[self.receivers] - positions[self.senders] - self.offsets


def device_pairs(system: System, cutoff: float, device: torch.device | str) -> DevicePairs:
    """All pairs with 0 < distance < cutoff; an atom meets its own images but not itself.

    Every atom is compared with every image of every other one: n² m distances for n atoms and m
    images of the cell within reach, which a GPU works off in pieces faster than it could sort
    a few thousand atoms into boxes. Atoms are first moved into the cell, so that an image
    Σ_k S_k a_k is within reach only where |S_k| ≤ ⌈cutoff / h_k⌉, with h_k the distance of the
    cell's faces; of each image and its opposite one is tried.

    Args:
        system: atoms; where a direction repeats its lattice vector must not vanish.
        cutoff: Å.
        device: where the list is made and stays.

    Raises:
        DataError: a periodic direction without a lattice vector, or a flat cell.

    Example:
        >>> chain = System([1], [[0, 0, 0]], [[1, 0, 0], [0, 9, 0], [0, 0, 9]], True)
        >>> device_pairs(chain, cutoff=2.5, device="cpu").shifts
        tensor([[1, 0, 0],
                [2, 0, 0]])
    """
    cell = complete_cell(system)
    inverse = np.linalg.inv(cell)
    whole = np.where(system.pbc, np.floor(system.positions @ inverse), 0.0)
    images = torch.from_numpy(_images(inverse, system.pbc, cutoff))
    lattice = moved(torch.from_numpy(cell), device)
    atoms = moved(torch.from_numpy(system.positions - whole @ cell), device)
    steps = moved(torch.from_numpy(whole.astype(np.int64)), device)
    images = moved(images, device)
    at_a_time = max(1, _AT_A_TIME // max(1, len(system) ** 2))
    found = [
        _within(atoms, part, part.to(atoms.dtype) @ lattice, cutoff)
        for part in images.split(at_a_time)
    ]
    receivers, senders, shifts = (torch.cat(parts) for parts in zip(*found, strict=True))
    shifts = shifts + steps[receivers] - steps[senders]
    turned = senders > receivers
    senders, receivers = (
        torch.where(turned, receivers, senders),
        torch.where(turned, senders, receivers),
    )
    shifts = torch.where(turned[:, None], -shifts, shifts)
    return DevicePairs(senders, receivers, shifts, shifts.to(atoms.dtype) @ lattice)


def _images(inverse: np.ndarray, pbc: np.ndarray, cutoff: float) -> Int[np.ndarray, "images 3"]:
    """No shift, and of each shift within reach and its opposite the larger one."""
    faces = np.linalg.norm(inverse, axis=0)  # one over the distance of each pair of faces
    reach = [int(n) if p else 0 for n, p in zip(np.ceil(cutoff * faces), pbc, strict=True)]
    every = product(*[range(-n, n + 1) for n in reach])
    return np.array([shift for shift in every if shift >= (0, 0, 0)], dtype=np.int64)


def _within(
    atoms: Float[Tensor, "atoms 3"],
    images: Int[Tensor, "images 3"],
    offsets: Float[Tensor, "images 3"],
    cutoff: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Receiver, sender and shift of the pairs of some images; the sender is the one moved."""
    rows = max(1, _AT_A_TIME // max(1, len(images) * len(atoms)))
    unmoved = (images == 0).all(1)
    first = torch.arange(len(atoms), device=atoms.device)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for part in first.split(rows):
        apart = atoms[part][None, :, None] - atoms - offsets[:, None, None]
        near = apart.square().sum(-1) < cutoff**2
        near &= ~unmoved[:, None, None] | (first < part[:, None])
        image, receiver, sender = near.nonzero().unbind(1)
        found.append((part[receiver], sender, images[image]))
    receivers, senders, shifts = (torch.cat(parts) for parts in zip(*found, strict=True))
    return receivers, senders, shifts
