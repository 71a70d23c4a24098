"""Physics of every architecture as a potential: laws that hold for any parameters."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.modelfile import build_potential
from schur.atoms.potential import Potential, Prediction
from schur.atoms.system import System
from schur.models.ecomformer import EComFormerConfig
from schur.models.egnn import EGNNConfig
from schur.models.equiformer_v2 import EquiformerV2Config
from schur.models.escn import ESCNConfig
from schur.models.faenet import FAENetConfig
from schur.models.mace import MACEConfig
from schur.models.nequip import NequIPConfig
from schur.models.ponita import PONITAConfig
from schur.models.registry import ARCHITECTURES, ModelConfig, config_of
from schur.models.se3_transformer import SE3TransformerConfig
from schur.models.tensor_field_network import TensorFieldNetworkConfig
from schur.models.tensornet import TensorNetConfig

ELEMENTS = (1, 6, 8)
CUTOFF = 3.0
EPS = 2.3e-16

SHAPES: dict[str, ModelConfig] = {
    "mace": MACEConfig(
        hidden="4x0e + 4x1o", edge_lmax=2, cutoff=CUTOFF, radial_hidden=(8,), readout=4
    ),
    "nequip": NequIPConfig(
        layers=3, lmax=1, features=(4, 3), cutoff=CUTOFF, radial_hidden=(8,), readout=(4,)
    ),
    "egnn": EGNNConfig(layers=3, features=6, radial=4, cutoff=CUTOFF, readout=4),
    "tensornet": TensorNetConfig(features=4, cutoff=CUTOFF, radial_hidden=(8,), readout=4),
    "tensor-field-network": TensorFieldNetworkConfig(
        layers=3, lmax=1, features=4, cutoff=CUTOFF, radial_hidden=(8,), readout=(4,)
    ),
    "se3-transformer": SE3TransformerConfig(
        layers=3, lmax=1, features=4, heads=2, cutoff=CUTOFF, radial_hidden=(8,), readout=(4,)
    ),
    "escn": ESCNConfig(
        layers=3, lmax=2, order=1, channels=4, cutoff=CUTOFF, type_features=4, radial_hidden=(8,)
    ),
    "ecomformer": EComFormerConfig(
        layers=2, features=4, cutoff=CUTOFF, radial_hidden=(8,), readout=(4,)
    ),
    # On so fine a grid rotations hold to rounding; test_equiformer_v2.py has the coarser ones.
    "equiformer-v2": EquiformerV2Config(
        layers=2,
        lmax=2,
        order=1,
        channels=4,
        heads=2,
        attention_channels=4,
        value_channels=2,
        hidden=4,
        feed_forward=4,
        grid=96,
        cutoff=CUTOFF,
        type_features=4,
        radial_hidden=(8,),
    ),
    "ponita": PONITAConfig(
        layers=2, features=4, cutoff=CUTOFF, radial=4, kernel_hidden=(8,), readout=4
    ),
    "faenet": FAENetConfig(layers=2, features=6, cutoff=CUTOFF, frames="all", readout=4),
}
MORE_SHAPES: dict[str, ModelConfig] = {
    "mace scalars": MACEConfig(
        hidden="4x0e", edge_lmax=3, cutoff=CUTOFF, radial_hidden=(8,), interaction="simple"
    ),
    "mace 2e": MACEConfig(hidden="3x0e + 3x1o + 3x2e", cutoff=CUTOFF, radial_hidden=(8,)),
    "nequip 2e": NequIPConfig(layers=2, lmax=2, features=(4, 3, 2), cutoff=CUTOFF),
    "nequip natural": NequIPConfig(layers=3, lmax=1, features=3, parity=False, cutoff=CUTOFF),
}
ON_A_GRID = {"ponita"}
"""Models with a grid of directions: exact under the symmetries of an icosahedron alone."""


def build(config: ModelConfig) -> Potential:
    energies = (-1.0, -2.0, -3.0)
    # What training leaves to chance has no place in laws.
    return build_potential(config, ELEMENTS, energies, 5.0, 0.8, -0.1, 0, torch.float64).eval()


@pytest.fixture(scope="module", params=SHAPES)
def potential(request: pytest.FixtureRequest) -> Potential:
    return build(SHAPES[request.param])


def test_every_architecture_is_here() -> None:
    assert set(SHAPES) == set(ARCHITECTURES)


def molecule(seed: int = 0, size: int = 6) -> System:
    generator = np.random.default_rng(seed)
    return System(generator.choice(ELEMENTS, size), generator.uniform(0, 2.5, (size, 3)))


def crystal() -> System:
    """Four atoms in a skewed cell that is smaller than twice the cutoff."""
    generator = np.random.default_rng(5)
    cell = np.diag([3.1, 3.3, 3.5]) + generator.uniform(-0.3, 0.3, (3, 3))
    return System(generator.choice(ELEMENTS, 4), generator.uniform(0, 3, (4, 3)), cell, True)


def moved(system: System, positions: np.ndarray) -> System:
    return System(system.numbers, positions, system.cell, system.pbc)


def say(potential: Potential, *systems: System, stress: bool = False) -> Prediction:
    data = AtomicDataset(systems, ELEMENTS, CUTOFF, torch.float64)
    return potential(data.batch(range(len(systems))), stress=stress)


def energy_of(potential: Potential, system: System) -> float:
    return float(say(potential, system).energies)


def forces_of(potential: Potential, system: System) -> np.ndarray:
    forces = say(potential, system).forces
    assert forces is not None
    return forces.numpy()


def stress_of(potential: Potential, system: System) -> np.ndarray:
    stresses = say(potential, system, stress=True).stresses
    assert stresses is not None
    return stresses[0].numpy()


# --- symmetries -------------------------------------------------------------------------------


def orthogonal(seed: int, proper: bool) -> np.ndarray:
    matrix = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    return matrix * (1 if (np.linalg.det(matrix) > 0) == proper else -1)


def invariance_fault(potential: Potential, system: System, rotation: np.ndarray) -> float:
    """Largest relative change of energy and of forces (turned back) under a rotation."""
    turned = moved(system, system.positions @ rotation.T)
    before, after = say(potential, system), say(potential, turned)
    assert before.forces is not None and after.forces is not None
    scale = float(before.atom_energies.abs().sum())
    energy = float((after.energies - before.energies).abs().max()) / scale
    forces = before.forces.numpy()
    difference = np.abs(after.forces.numpy() @ rotation - forces).max()
    return max(energy, float(difference / np.abs(forces).max()))


def fifth_of_a_turn(proper: bool) -> np.ndarray:
    """About a corner (0, 1, φ) of the icosahedron; with an inversion if not proper."""
    axis = np.array([0, 1, (1 + 5**0.5) / 2])
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = 2 * np.pi / 5
    rotation = np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * cross @ cross
    return rotation * (1 if proper else -1)


@pytest.mark.parametrize("shape", [*SHAPES, *MORE_SHAPES])
@pytest.mark.parametrize("proper", [True, False])
def test_rotation_and_inversion(shape: str, proper: bool) -> None:
    potential = build((SHAPES | MORE_SHAPES)[shape])
    turn = fifth_of_a_turn(proper) if shape in ON_A_GRID else orthogonal(1, proper)
    assert invariance_fault(potential, molecule(), turn) < 1e-12


def test_invariance_check_catches_a_fault(potential: Potential) -> None:
    stretched = orthogonal(1, True) @ np.diag([1.0, 1.0, 1.0 + 1e-9])
    assert invariance_fault(potential, molecule(), stretched) > 1e-12


def test_permutation_and_translation(potential: Potential) -> None:
    system = molecule()
    order = np.random.default_rng(2).permutation(len(system))
    shuffled = System(system.numbers[order], system.positions[order] + np.array([5.0, -3.0, 2.0]))
    assert energy_of(potential, shuffled) == pytest.approx(energy_of(potential, system), rel=1e-13)
    forces = forces_of(potential, system)
    difference = np.abs(forces_of(potential, shuffled) - forces[order]).max()
    assert difference < 1e-12 * np.abs(forces).max()


def test_batch_equals_single(potential: Potential) -> None:
    systems = [molecule(0), System([1], [[0, 0, 0]]), crystal(), molecule(1, 4)]
    together = say(potential, *systems)
    assert together.forces is not None
    forces = np.concatenate([forces_of(potential, system) for system in systems])
    energies = torch.cat([say(potential, system).energies for system in systems])
    assert torch.allclose(together.energies, energies, rtol=1e-13, atol=0)
    assert np.abs(together.forces.numpy() - forces).max() < 1e-12 * np.abs(forces).max()


# --- forces are the gradient of an energy -------------------------------------------------------


def difference_errors(potential: Potential, system: System, forces: np.ndarray) -> list[float]:
    """|work - central difference| / |work| for a step and half of it."""
    direction = np.random.default_rng(3).standard_normal(forces.shape)
    work = -float((forces * direction).sum())
    errors = []
    for step in (1e-3, 5e-4):
        up, down = (
            energy_of(potential, moved(system, system.positions + s * direction))
            for s in (step, -step)
        )
        errors.append(abs((up - down) / (2 * step) - work) / abs(work))
    return errors


def test_forces_are_the_gradient(potential: Potential) -> None:
    """The error of central differences must fall fourfold when the step is halved."""
    system = molecule()
    coarse, fine = difference_errors(potential, system, forces_of(potential, system))
    assert fine < 1e-3
    assert coarse / fine == pytest.approx(4.0, rel=0.1)


def test_gradient_check_catches_a_fault(potential: Potential) -> None:
    system = molecule()
    wrong = forces_of(potential, system) * (1 + 1e-3)
    coarse, fine = difference_errors(potential, system, wrong)
    assert coarse / fine < 2


def test_force_jacobian_is_symmetric(potential: Potential) -> None:
    system = molecule(size=4)
    step, count = 3e-6, 12
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
    assert np.abs(forces.sum(0)).max() < 64 * EPS * np.abs(forces).sum()
    if config_of(potential.model).architecture in ON_A_GRID:
        return  # a torque of the size of the error under rotations is left
    torque = np.cross(system.positions, forces)
    assert np.abs(torque.sum(0)).max() < 256 * EPS * np.abs(torque).sum()


def test_gradients_of_a_force_loss(potential: Potential) -> None:
    """d/dθ Σ F² against differences along a random direction of parameters."""
    model = copy.deepcopy(potential)
    batch = AtomicDataset([molecule()], ELEMENTS, CUTOFF, torch.float64).batch([0])

    def loss() -> torch.Tensor:
        forces = model(batch, differentiable=True).forces
        assert forces is not None
        return forces.square().sum()

    loss().backward()
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
    assert errors[1] < 1e-3 and errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_float32_agrees_with_float64(potential: Potential) -> None:
    system = molecule()
    single = copy.deepcopy(potential).to(torch.float32)
    batch = AtomicDataset([system], ELEMENTS, CUTOFF, torch.float32).batch([0])
    found, exact = single(batch).forces.numpy(), forces_of(potential, system)
    assert found.dtype == np.float32
    assert np.abs(found - exact).max() < 1e-4 * np.abs(exact).max()


# --- locality -----------------------------------------------------------------------------------


def test_energy_of_separated_fragments_adds(potential: Potential) -> None:
    first, second = molecule(0), molecule(1)
    apart = System(
        np.concatenate([first.numbers, second.numbers]),
        np.concatenate([first.positions, second.positions + 50.0]),
    )
    one, other = energy_of(potential, first), energy_of(potential, second)
    assert energy_of(potential, apart) == pytest.approx(one + other, rel=1e-13)


def test_lone_atom_has_no_force_and_a_constant_energy(potential: Potential) -> None:
    said = say(potential, System([6], [[0, 0, 0]]), System([6], [[1, 2, 3]]))
    assert said.forces is not None and (said.forces == 0).all()
    assert said.energies[0] == said.energies[1]


def test_smooth_at_the_cutoff(potential: Potential) -> None:
    """Energy as δ³, force as δ² and curvature as δ, at a distance δ within the cutoff.

    The envelope has a threefold root, and a pair's message enters the energy once or more.
    """

    def pulled(distance: float) -> tuple[float, float]:
        system = System([6, 8, 1], [[0, 0, 0], [0, 0, 1.2], [-distance, 0, 0]])
        said = say(potential, system)
        assert said.forces is not None
        return float(said.energies), float(said.forces[2, 0])

    outside, force_outside = pulled(CUTOFF + 1e-9)
    assert force_outside == 0.0
    pair, lone = System([6, 8], [[0, 0, 0], [0, 0, 1.2]]), System([1], [[0, 0, 0]])
    apart = energy_of(potential, pair) + energy_of(potential, lone)
    assert outside == pytest.approx(apart, rel=1e-13)
    steps = [0.02, 0.01]
    energies = [abs(pulled(CUTOFF - step)[0] - outside) for step in steps]
    forces = [abs(pulled(CUTOFF - step)[1]) for step in steps]
    width = 5e-4
    curvatures = [
        abs(pulled(CUTOFF - step + width)[1] - pulled(CUTOFF - step - width)[1]) for step in steps
    ]
    for power, values in ((3, energies), (2, forces), (1, curvatures)):
        assert values[1] > 0 and values[0] / values[1] > 0.9 * 2**power


# --- periodic systems ---------------------------------------------------------------------------


def repeated(system: System, times: tuple[int, int, int]) -> System:
    """A supercell: the first copy is the system itself."""
    shifts = np.stack(np.meshgrid(*[np.arange(n) for n in times], indexing="ij"), -1).reshape(-1, 3)
    positions = np.concatenate([system.positions + shift @ system.cell for shift in shifts])
    numbers = np.tile(system.numbers, len(shifts))
    return System(numbers, positions, system.cell * np.array(times)[:, None], True)


@pytest.mark.parametrize("times", [(2, 1, 1), (2, 1, 3)])
def test_supercell(potential: Potential, times: tuple[int, int, int]) -> None:
    """n times the energy; the same forces on each copy, and the same stress."""
    small = crystal()
    large, count = repeated(small, times), int(np.prod(times))
    one, many = (say(potential, system, stress=True) for system in (small, large))
    assert one.forces is not None and many.forces is not None
    assert one.stresses is not None and many.stresses is not None
    assert torch.allclose(count * one.energies, many.energies, rtol=1e-13, atol=0)
    forces = one.forces.repeat(count, 1)
    assert (many.forces - forces).abs().max() < 1e-12 * forces.abs().max()
    assert (many.stresses - one.stresses).abs().max() < 1e-12 * one.stresses.abs().max()


EQUIVALENT = {
    "skewed": [[1, 1, 0], [0, 1, 2], [0, 0, 1]],
    "left-handed": [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
    "left-handed and skewed": [[-1, 0, 0], [3, 1, 0], [0, -2, 1]],
}


@pytest.mark.parametrize("name", EQUIVALENT)
def test_other_cells_of_the_same_lattice(potential: Potential, name: str) -> None:
    """Rows of an integer matrix of determinant ±1 give the same crystal."""
    system = crystal()
    cell = np.array(EQUIVALENT[name]) @ system.cell
    assert abs(np.linalg.det(cell)) == pytest.approx(abs(np.linalg.det(system.cell)), rel=1e-12)
    assert_same(potential, system, System(system.numbers, system.positions, cell, True))


def test_atoms_outside_the_cell(potential: Potential) -> None:
    system = crystal()
    images = np.array([[3, 0, 0], [0, -2, 1], [0, 0, 0], [-4, 5, 6]])
    assert_same(potential, system, moved(system, system.positions + images @ system.cell))


def assert_same(potential: Potential, system: System, other: System) -> None:
    """Two descriptions of one crystal have the same energy, forces and stress."""
    assert energy_of(potential, other) == pytest.approx(energy_of(potential, system), rel=1e-12)
    forces, stress = forces_of(potential, system), stress_of(potential, system)
    assert np.abs(forces_of(potential, other) - forces).max() < 1e-12 * np.abs(forces).max()
    assert np.abs(stress_of(potential, other) - stress).max() < 1e-12 * np.abs(stress).max()


def strain_errors(potential: Potential, system: System, stress: np.ndarray) -> list[float]:
    """|V σ:ε - central difference| relative, for a strain and half of it."""
    strain = np.random.default_rng(6).standard_normal((3, 3))
    strain = 0.5 * (strain + strain.T)
    work = float((stress * strain).sum()) * abs(np.linalg.det(system.cell))
    errors = []
    for step in (4e-4, 2e-4):
        up, down = (
            energy_of(
                potential,
                System(
                    system.numbers,
                    system.positions @ (np.eye(3) + s * strain),
                    system.cell @ (np.eye(3) + s * strain),
                    True,
                ),
            )
            for s in (step, -step)
        )
        errors.append(abs((up - down) / (2 * step) - work) / abs(work))
    return errors


def test_stress_is_the_derivative_by_strain(potential: Potential) -> None:
    system = crystal()
    coarse, fine = strain_errors(potential, system, stress_of(potential, system))
    assert fine < 1e-3
    assert coarse / fine == pytest.approx(4.0, rel=0.1)


def test_strain_check_catches_a_fault(potential: Potential) -> None:
    system = crystal()
    wrong = stress_of(potential, system) * (1 + 1e-3)
    coarse, fine = strain_errors(potential, system, wrong)
    assert coarse / fine < 2


# --- dynamics -----------------------------------------------------------------------------------

MASS = 12.0
TIME = 0.4


def energy_errors(potential: Potential, swirl: float, steps: int) -> np.ndarray:
    """Total energy less its start along velocity Verlet over a fixed time in `steps` steps.

    Args:
        potential: where the forces come from.
        swirl: strength of a force around an axis, which is the gradient of nothing.
        steps: how many.
    """
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), -1).reshape(-1, 3)[:5]
    system = System([1, 6, 8, 6, 1], 1.4 * corners + molecule(4, 5).positions / 10)
    velocity = np.random.default_rng(7).normal(0, 0.1, system.positions.shape)
    step, totals, change = TIME / steps, [], np.zeros(system.positions.shape)
    for k in range(steps + 1):
        said = say(potential, system)
        assert said.forces is not None
        around = np.cross([0.0, 0.0, swirl], system.positions)
        change = 0.5 * step * (said.forces.numpy() + around) / MASS
        velocity = velocity + change * (k > 0)
        totals.append(float(said.energies) + 0.5 * MASS * float((velocity**2).sum()))
        velocity = velocity + change
        system = moved(system, system.positions + step * velocity)
    return np.array(totals) - totals[0]


def test_dynamics_keep_the_energy(potential: Potential) -> None:
    """The error of Verlet's method falls as dt², so that what is left is the method's alone."""
    coarse, fine = (np.abs(energy_errors(potential, 0.0, steps)).max() for steps in (10, 20))
    assert coarse / fine == pytest.approx(4.0, rel=0.02)


def test_dynamics_check_catches_a_fault(potential: Potential) -> None:
    """Forces that are no gradient pump energy in, whatever the step."""
    coarse, fine = (np.abs(energy_errors(potential, 0.01, steps)).max() for steps in (10, 20))
    assert coarse / fine < 2
