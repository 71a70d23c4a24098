"""Physics of MACE as a potential: laws that hold for any parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.modelfile import build_potential
from schur.atoms.potential import Potential, Prediction
from schur.atoms.system import System
from schur.errors import RepresentationError, ShapeError
from schur.models.mace import MACE, MACEConfig

ELEMENTS = (1, 6, 8)
CUTOFF = 3.0
EPS = 2.3e-16


def build(hidden: str = "4x0e + 4x1o", dtype: torch.dtype = torch.float64) -> Potential:
    config = MACEConfig(hidden=hidden, edge_lmax=2, cutoff=CUTOFF, radial_hidden=(8,), readout=4)
    return build_potential(config, ELEMENTS, (-1.0, -2.0, -3.0), 5.0, 0.8, -0.1, 0, dtype)


@pytest.fixture(scope="module")
def potential() -> Potential:
    return build()


def molecule(seed: int = 0, size: int = 6) -> System:
    generator = np.random.default_rng(seed)
    return System(generator.choice(ELEMENTS, size), generator.uniform(0, 2.5, (size, 3)))


def say(potential: Potential, *systems: System, stress: bool = False) -> Prediction:
    dtype = next(potential.parameters()).dtype
    data = AtomicDataset(systems, ELEMENTS, CUTOFF, dtype)
    return potential(data.batch(range(len(systems))), stress=stress)


def forces_of(potential: Potential, system: System) -> np.ndarray:
    forces = say(potential, system).forces
    assert forces is not None
    return forces.numpy()


def moved(system: System, positions: np.ndarray) -> System:
    return System(system.numbers, positions, system.cell, system.pbc)


def orthogonal(seed: int, proper: bool) -> np.ndarray:
    matrix = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    return matrix * (1 if (np.linalg.det(matrix) > 0) == proper else -1)


def invariance_fault(potential: Potential, system: System, rotation: np.ndarray) -> float:
    """Largest relative change of energy and of forces (turned back) under a rotation."""
    turned = moved(system, system.positions @ rotation.T)
    before, after = say(potential, system), say(potential, turned)
    scale = before.atom_energies.abs().sum()
    energy = float((after.energies - before.energies).abs().max() / scale)
    forces = forces_of(potential, system)
    difference = np.abs(forces_of(potential, turned) @ rotation - forces).max()
    return max(energy, float(difference / np.abs(forces).max()))


@pytest.mark.parametrize("hidden", ["4x0e", "4x0e + 4x1o", "3x0e + 3x1o + 3x2e"])
@pytest.mark.parametrize("proper", [True, False])
def test_rotation_and_inversion(hidden: str, proper: bool) -> None:
    fault = invariance_fault(build(hidden), molecule(), orthogonal(1, proper))
    assert fault < 1e-12


def test_invariance_check_catches_a_fault(potential: Potential) -> None:
    stretched = orthogonal(1, True) @ np.diag([1.0, 1.0, 1.0 + 1e-9])
    assert invariance_fault(potential, molecule(), stretched) > 1e-12


def test_permutation_and_translation(potential: Potential) -> None:
    system = molecule()
    order = np.random.default_rng(2).permutation(len(system))
    shuffled = System(system.numbers[order], system.positions[order] + np.array([5.0, -3.0, 2.0]))
    before, after = say(potential, system), say(potential, shuffled)
    assert torch.allclose(before.energies, after.energies, rtol=1e-13, atol=0)
    forces = forces_of(potential, system)
    assert (
        np.abs(forces_of(potential, shuffled) - forces[order]).max() < 1e-12 * np.abs(forces).max()
    )


def difference_errors(potential: Potential, system: System, forces: np.ndarray) -> list[float]:
    """|work - central difference| for a step and half of it."""
    direction = np.random.default_rng(3).standard_normal(forces.shape)
    work = -float((forces * direction).sum())
    errors = []
    for step in (4e-4, 2e-4):
        up, down = (
            float(say(potential, moved(system, system.positions + s * direction)).energies.sum())
            for s in (step, -step)
        )
        errors.append(abs((up - down) / (2 * step) - work) / abs(work))
    return errors


def test_forces_are_the_gradient(potential: Potential) -> None:
    """The error of central differences must fall fourfold when the step is halved."""
    system = molecule()
    coarse, fine = difference_errors(potential, system, forces_of(potential, system))
    assert fine < 1e-4
    assert coarse / fine == pytest.approx(4.0, rel=0.1)


def test_gradient_check_catches_a_fault(potential: Potential) -> None:
    system = molecule()
    wrong = forces_of(potential, system) * (1 + 1e-3)
    coarse, fine = difference_errors(potential, system, wrong)
    assert coarse / fine < 2


def test_force_jacobian_is_symmetric(potential: Potential) -> None:
    system = molecule(size=4)
    step, count = 1e-5, 12
    jacobian = np.empty((count, count))
    for k in range(count):
        shift = np.zeros(count)
        shift[k] = step
        up, down = (
            forces_of(potential, moved(system, system.positions + s * shift.reshape(-1, 3)))
            for s in (1, -1)
        )
        jacobian[k] = (up - down).reshape(-1) / (2 * step)
    assert np.abs(jacobian - jacobian.T).max() < 1e-8 * np.abs(jacobian).max()


def test_no_net_force_and_no_net_torque(potential: Potential) -> None:
    system = molecule()
    forces = forces_of(potential, system)
    size = np.abs(forces).sum()
    assert np.abs(forces.sum(0)).max() < 64 * EPS * size
    torque = np.cross(system.positions, forces)
    assert np.abs(torque.sum(0)).max() < 256 * EPS * np.abs(torque).sum()


def test_energy_of_separated_fragments_adds(potential: Potential) -> None:
    first, second = molecule(0), molecule(1)
    apart = System(
        np.concatenate([first.numbers, second.numbers]),
        np.concatenate([first.positions, second.positions + 50.0]),
    )
    together, one, other = (say(potential, s).energies for s in (apart, first, second))
    assert torch.allclose(together, one + other, rtol=1e-13, atol=0)


def test_lone_atom_has_no_force_and_a_constant_energy(potential: Potential) -> None:
    said = say(potential, System([6], [[0, 0, 0]]), System([6], [[1, 2, 3]]))
    assert said.forces is not None and (said.forces == 0).all()
    assert said.energies[0] == said.energies[1]


def test_smooth_at_the_cutoff(potential: Potential) -> None:
    """Energy, force and curvature go to zero as a third atom comes within reach."""
    base = System([6, 8], [[0, 0, 0], [0, 0, 1.2]])

    def pulled(distance: float) -> tuple[float, float]:
        system = System([6, 8, 1], [[0, 0, 0], [0, 0, 1.2], [-distance, 0, 0]])
        said = say(potential, system)
        assert said.forces is not None
        return float(said.energies), float(said.forces[2, 0])

    outside, force_outside = pulled(CUTOFF + 1e-9)
    assert force_outside == 0.0
    lone = say(potential, base).energies + say(potential, System([1], [[0, 0, 0]])).energies
    assert outside == pytest.approx(float(lone), rel=1e-13)
    energies = [abs(pulled(CUTOFF - step)[0] - outside) for step in (0.04, 0.02)]
    forces = [abs(pulled(CUTOFF - step)[1]) for step in (0.04, 0.02)]
    # The envelope has a threefold root, and a pair's message enters the energy once or more.
    assert energies[0] / energies[1] > 0.9 * 2**3
    assert forces[0] / forces[1] > 0.9 * 2**2


def test_batch_equals_single(potential: Potential) -> None:
    systems = [molecule(0), System([1], [[0, 0, 0]]), molecule(1, 4)]
    together = say(potential, *systems)
    assert together.forces is not None
    forces = np.concatenate([forces_of(potential, system) for system in systems])
    energies = torch.cat([say(potential, system).energies for system in systems])
    assert torch.allclose(together.energies, energies, rtol=1e-13, atol=0)
    assert np.abs(together.forces.numpy() - forces).max() < 1e-12 * np.abs(forces).max()


def test_periodic_images_count_as_neighbours(potential: Potential) -> None:
    """A cell and its double along one direction have the same energy an atom, force and stress."""
    generator = np.random.default_rng(5)
    cell = np.diag([3.1, 3.3, 3.5]) + generator.uniform(-0.3, 0.3, (3, 3))
    numbers, positions = generator.choice(ELEMENTS, 4), generator.uniform(0, 3, (4, 3))
    small = System(numbers, positions, cell, True)
    double = System(
        np.concatenate([numbers, numbers]),
        np.concatenate([positions, positions + cell[0]]),
        cell * np.array([[2.0], [1.0], [1.0]]),
        True,
    )
    one, two = (say(potential, system, stress=True) for system in (small, double))
    assert one.forces is not None and two.forces is not None
    assert torch.allclose(2 * one.energies, two.energies, rtol=1e-13, atol=0)
    assert torch.allclose(one.forces.repeat(2, 1), two.forces, rtol=0, atol=1e-11)
    assert one.stresses is not None and two.stresses is not None
    assert torch.allclose(one.stresses, two.stresses, rtol=0, atol=1e-12)


def test_float32_agrees_with_float64(potential: Potential) -> None:
    system = molecule()
    single = build(dtype=torch.float32)
    single.load_state_dict(potential.state_dict())
    forces = forces_of(potential, system)
    difference = np.abs(forces_of(single, system) - forces).max()
    assert difference < 1e-4 * np.abs(forces).max()


def test_gradients_of_a_force_loss(potential: Potential) -> None:
    """d/dθ Σ F² against differences along a random direction of parameters."""
    model = build()
    batch = AtomicDataset([molecule()], ELEMENTS, CUTOFF, torch.float64).batch([0])

    def loss() -> torch.Tensor:
        forces = model(batch, differentiable=True).forces
        assert forces is not None
        return forces.square().sum()

    value = loss()
    value.backward()
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(0)
    ways = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    slope = sum(
        float((p.grad * w).sum())
        for p, w in zip(parameters, ways, strict=True)
        if p.grad is not None
    )

    def at(step: float) -> float:
        with torch.no_grad():
            for p, w in zip(parameters, ways, strict=True):
                p.add_(w, alpha=step)
        result = float(loss().detach())
        with torch.no_grad():
            for p, w in zip(parameters, ways, strict=True):
                p.sub_(w, alpha=step)
        return result

    errors = [abs((at(s) - at(-s)) / (2 * s) - slope) / abs(slope) for s in (4e-4, 2e-4)]
    assert errors[1] < 1e-4 and errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_paired_edges_give_the_same_and_are_checked(potential: Potential) -> None:
    batch = AtomicDataset([molecule()], ELEMENTS, CUTOFF, torch.float64).batch([0])
    arguments = batch.vectors, batch.species, batch.edge_index
    paired = potential.model(*arguments, paired=True)
    assert torch.allclose(paired, potential.model(*arguments), rtol=1e-13, atol=1e-13)
    other = batch.edge_index[:, batch.edge_index[1].argsort()]
    with pytest.raises(ShapeError, match="opposite pairs"):
        potential.model(batch.vectors, batch.species, other, paired=True)


def test_parameters_depend_on_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first, second = build(), build()
    assert torch.equal(before, torch.get_rng_state())
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("hidden", ["4x0e + 3x1o", "4x1o", "4x1o + 4x0e"])
def test_hidden_irreps_that_are_no_mace(hidden: str) -> None:
    with pytest.raises(RepresentationError, match="hidden features"):
        MACE(MACEConfig(hidden=hidden), num_species=1, mean_neighbours=1.0)
