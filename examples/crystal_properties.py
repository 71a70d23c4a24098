"""A property of crystals from ComFormer networks, through the training loop of schur.

Alloys of copper, silver and gold in strained cells of four atoms; the property is the energy an
atom, in eV, of ASE's effective-medium theory. `IComFormer` reads a crystal with its lattice, and
`CrystalProperty` is the mean over atoms of `EComFormer`, or of any other model of atoms.

    python crystal_properties.py            # some minutes
    python crystal_properties.py --quick    # under a minute
"""

import sys
from collections.abc import Callable, Iterable

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from torch import Tensor, nn

from schur.models.crystal_graph import CrystalGraph, crystal_graph
from schur.models.crystal_property import CrystalProperty
from schur.models.ecomformer import EComFormer, EComFormerConfig
from schur.models.icomformer import IComFormer, IComFormerConfig
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer
from schur.train.task import Loss

ELEMENTS, CUTOFF, BATCH = (29, 47, 79), 4.0, 10
Alloys = tuple[list[CrystalGraph], Tensor]


def alloys(count: int, seed: int) -> Alloys:
    """Crystals, and their energies an atom."""
    rng = np.random.default_rng(seed)
    graphs, energies = [], []
    for _ in range(count):
        atoms: Atoms = bulk("Ag", cubic=True)
        atoms.numbers = rng.choice(ELEMENTS, 4)
        # Axes of three lengths: few shortest bases, and little work for IComFormer.
        strain = np.diag([-0.08, 0.0, 0.08]) + rng.uniform(-0.03, 0.03, (3, 3))
        atoms.set_cell(np.array(atoms.cell) @ (np.eye(3) + strain), scale_atoms=True)
        atoms.rattle(0.1, rng=rng)
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy() / 4)
        known = atoms.positions, atoms.numbers, np.array(atoms.cell)
        graphs.append(crystal_graph(*known, CUTOFF, dtype=torch.float32))
    return graphs, torch.tensor(energies, dtype=torch.float32)


class Fit:
    """The task of the training loop: the mean square error, in units of the spread."""

    def __init__(
        self, say: Callable[[list[CrystalGraph]], Tensor], train: Alloys, valid: Alloys
    ) -> None:
        self.say, (self.graphs, self.wanted) = say, train
        self.valid_graphs, self.valid_wanted = valid
        self.mean, self.spread = self.wanted.mean(), self.wanted.std()
        self.num_batches = len(self.graphs) // BATCH

    def batches(self, epoch: int, start: int) -> Iterable[Tensor]:
        """Which crystals, in an order of the epoch's own."""
        order = np.random.default_rng(epoch).permutation(len(self.graphs))
        for k in range(start, self.num_batches):
            yield torch.from_numpy(order[k * BATCH : (k + 1) * BATCH])

    def loss(self, batch: Tensor, stage: float) -> Loss:
        """The mean over a batch."""
        found = self.say([self.graphs[k] for k in batch.tolist()])
        errors = (found - (self.wanted[batch] - self.mean) / self.spread).square()
        return Loss(errors.mean(), errors.detach(), [f"crystal {k}" for k in batch.tolist()])

    def validate(self) -> dict[str, int | float]:
        """The mean error in meV an atom on crystals that are not trained on."""
        with torch.no_grad():
            found = self.say(self.valid_graphs) * self.spread + self.mean
        return {"score": 1e3 * float((found - self.valid_wanted).abs().mean())}


def compare(train: int, valid: int, epochs: int, features: int = 32) -> dict[str, float]:
    """Mean errors in meV an atom: of the mean of all energies, and of both networks."""
    torch.manual_seed(0)
    shape = {"cutoff": CUTOFF, "layers": 2, "features": features}
    plain = EComFormer(EComFormerConfig(**shape), len(ELEMENTS), 18.0)
    networks: dict[str, nn.Module] = {
        "eComFormer, mean over atoms": CrystalProperty(plain, ELEMENTS),
        "iComFormer": IComFormer(IComFormerConfig(**shape), 18.0),
    }
    known, apart, found = alloys(train, 0), alloys(valid, 1), {}
    for name, network in networks.items():
        task = Fit(lambda graphs, network=network: network(graphs).flatten(), known, apart)
        found["the mean"] = 1e3 * float((task.valid_wanted - task.mean).abs().mean())
        config = TrainingConfig(
            epochs=epochs, learning_rate=0.01, late_stage=1.0, ema_decay=0.9, validate_every=epochs
        )
        Trainer(network, task, config).run()
        found[name] = float(task.validate()["score"])
    return found


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for name, error in compare(*((60, 40, 10) if quick else (400, 100, 40))).items():
        print(f"{name:30} {error:6.1f} meV an atom")
