"""Forces and stress of a potential are derivatives of its energy, whatever the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.errors import ShapeError

from .toy import PairModel

ELEMENTS = (1, 8)
CUTOFF = 2.5


@pytest.fixture
def potential() -> Potential:
    model = PairModel(2, CUTOFF)
    return Potential(model, ELEMENTS, (-13.6, -2041.3), CUTOFF, scale=0.7, shift=-0.3).double()


def box(seed: int = 0, size: int = 6) -> System:
    generator = np.random.default_rng(seed)
    cell = np.diag([3.0, 3.2, 3.4]) + generator.uniform(-0.3, 0.3, (3, 3))
    numbers = generator.choice(ELEMENTS, size)
    return System(numbers, generator.uniform(0, 3, (size, 3)), cell, True)


def energy(potential: Potential, system: System) -> float:
    return float(predict(potential, [system])[0].sum())


def predict(potential: Potential, systems: list[System]) -> list[torch.Tensor]:
    data = AtomicDataset(systems, ELEMENTS, CUTOFF, torch.float64)
    said = potential(data.batch(range(len(systems))), stress=True)
    assert said.forces is not None and said.stresses is not None
    return [said.energies, said.forces, said.stresses]


def slope(function: Callable[[float], float], step: float) -> float:
    return (function(step) - function(-step)) / (2 * step)


def test_forces_and_stress_against_differences(potential: Potential) -> None:
    """The error of central differences falls fourfold when the step is halved."""
    system = box()
    _, forces, stresses = predict(potential, [system])
    direction = np.random.default_rng(1).standard_normal(system.positions.shape)
    strain = np.random.default_rng(2).standard_normal((3, 3))

    def moved(step: float) -> float:
        shifted = System(
            system.numbers, system.positions + step * direction, system.cell, system.pbc
        )
        return energy(potential, shifted)

    def strained(step: float) -> float:
        deform = np.eye(3) + step * (strain + strain.T) / 2
        cell, positions = system.cell @ deform, system.positions @ deform
        return energy(potential, System(system.numbers, positions, cell, system.pbc))

    work = -float((forces.numpy() * direction).sum())
    pressure = float((stresses[0].numpy() * strain).sum()) * system.volume
    for function, exact in ((moved, work), (strained, pressure)):
        errors = [abs(slope(function, step) - exact) for step in (4e-4, 2e-4)]
        assert errors[1] < 1e-5 * abs(exact)
        assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


def test_net_force_vanishes_and_stress_is_symmetric(potential: Potential) -> None:
    _, forces, stresses = predict(potential, [box(3)])
    assert forces.sum(0).abs().max() < 1e-13 * forces.abs().sum()
    assert torch.equal(stresses, stresses.transpose(1, 2))


def test_batch_equals_single(potential: Potential) -> None:
    systems = [box(seed, size) for seed, size in ((0, 6), (1, 1), (2, 4))]
    together = predict(potential, systems)
    apart = [predict(potential, [system]) for system in systems]
    for index, values in enumerate(together):
        single = torch.cat([one[index] for one in apart])
        assert torch.allclose(values, single, rtol=1e-13, atol=1e-13)


def test_energies_are_added_in_float64(potential: Potential) -> None:
    """In float32 one E0 of oxygen alone is known to 1e-4 eV at best."""
    system = box()
    exact = energy(potential, system)
    single = potential.to(torch.float32)
    data = AtomicDataset([system], ELEMENTS, CUTOFF, torch.float32)
    said = single(data.batch([0]))
    assert said.energies.dtype == torch.float64
    interaction = abs(exact - sum(single.reference[ELEMENTS.index(z)] for z in system.numbers))
    assert abs(float(said.energies) - exact) < 32 * 6e-8 * interaction < 1e-4


def test_grad_mode_does_not_matter(potential: Potential) -> None:
    data = AtomicDataset([box()], ELEMENTS, CUTOFF, torch.float64)
    with torch.no_grad():
        forces = potential(data.batch([0])).forces
    assert torch.equal(forces, potential(data.batch([0])).forces)
    assert not forces.requires_grad


def test_differentiable_forces_reach_the_parameters(potential: Potential) -> None:
    data = AtomicDataset([box()], ELEMENTS, CUTOFF, torch.float64)
    said = potential(data.batch([0]), differentiable=True)
    said.forces.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in potential.parameters())


def test_one_reference_for_each_element() -> None:
    with pytest.raises(ShapeError, match="one reference energy"):
        Potential(PairModel(2, CUTOFF), ELEMENTS, (0.0,), CUTOFF)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lone_atoms_may_have_their_reference(dtype: torch.dtype) -> None:
    """Alone, and just within reach of one another."""
    potential = Potential(
        PairModel(2, CUTOFF), ELEMENTS, (-13.6, -2041.3), CUTOFF, 0.7, -4.3, "reference"
    )
    systems = [System([8], [[0, 0, 0]]), System([1, 8], [[0, 0, 0], [0, 0, CUTOFF - 1e-6]])]
    data = AtomicDataset(systems, ELEMENTS, CUTOFF, dtype)
    alone, apart = potential.to(dtype)(data.batch([0, 1])).energies.tolist()
    assert alone == -2041.3
    assert apart == pytest.approx(-2041.3 - 13.6, abs=1e4 * torch.finfo(dtype).eps)


def test_energies_of_lone_atoms_fade_with_their_forces() -> None:
    """Against differences, where what fades is most of the energy; and gone in a box."""
    model = PairModel(2, CUTOFF)
    fading = Potential(model, ELEMENTS, (0.0, 0.0), CUTOFF, 0.7, -50.0, "reference").double()
    plain = Potential(model, ELEMENTS, (0.0, 0.0), CUTOFF, 0.7, -50.0).double()
    pair = System([8, 1], [[0, 0, 0], [0.3, 0.2, 1.5]])
    way = np.random.default_rng(1).standard_normal((2, 3))
    _, forces, _ = predict(fading, [pair])
    assert np.abs(forces.numpy() - predict(plain, [pair])[1].numpy()).max() > 1

    def at(step: float) -> float:
        return energy(fading, System(pair.numbers, pair.positions + step * way))

    work = -float((forces.numpy() * way).sum())
    errors = [abs(slope(at, step) - work) for step in (4e-4, 2e-4)]
    assert errors[1] < 1e-4 * abs(work)
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)
    assert energy(fading, box()) == pytest.approx(energy(plain, box()), rel=1e-2)
