"""Orbit-distance minimisation: matrix groups, compact and not, and where minima are not unique."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import NumberError, RepresentationError
from schur.groups import Cyclic, Lorentz, PseudoOrthogonal, SpecialLinear, Sym
from schur.nn.frames import Equivariant, MinimisedFrames, Symmetry, orbit_distance
from schur.nn.frames.orbit import OrbitProblem, components
from schur.testing import assert_derivatives

from .clouds import cube, generator, normal, plain


def momenta(count: int, seed: int = 0, particles: int = 3) -> Tensor:
    """Particles of mass 1 with momenta of about 1, energies first."""
    p = torch.randn(count, particles, 3, dtype=torch.float64, generator=generator(seed))
    energy = (1 + (p * p).sum(-1, keepdim=True)).sqrt()
    return torch.cat([energy, p], -1)


def boost(rapidity: float, axis: int = 0) -> Tensor:
    g = torch.eye(4, dtype=torch.float64)
    g[0, 0] = g[axis + 1, axis + 1] = np.cosh(rapidity)
    g[0, axis + 1] = g[axis + 1, 0] = np.sinh(rapidity)
    return g


def wrapped(group: str | PseudoOrthogonal, d: int, points: int, outputs: str) -> Equivariant:
    torch.manual_seed(0)
    net = plain(points, d, d)
    return Equivariant(net, group, "minimised", inputs="vectors", outputs=outputs).double()


def test_turns_of_the_plane() -> None:
    report = wrapped("SO(2)", 2, 6, "scalars").report(normal(20, 6, 2))
    assert max(report.errors) < 1e-4  # what the method promises; in fact:
    assert max(report.errors) < 1e-9


@pytest.mark.parametrize("outputs", ["scalars", "vectors", "covectors"])
@pytest.mark.parametrize("part", ["SO+(1,3)", "O(1,3)"])
def test_boosts(outputs: str, part: str) -> None:
    # Three particles leave a mirror of O(1, 3) that moves none of them: four are needed.
    model = wrapped(part, 4, 4, outputs)
    x = momenta(10, particles=4)
    reference = model(x).detach()
    elements = [boost(rapidity, axis) for rapidity in (0.5, 2.0) for axis in range(3)]
    if part.startswith("O"):
        elements += [torch.diag(torch.tensor(s).double()) for s in ([-1, 1, 1, 1], [1, -1, 1, 1])]
    for g in elements:
        dual = torch.linalg.inv(g).mT
        turned = {"scalars": reference, "vectors": reference @ g.mT}
        expected = turned.get(outputs, reference @ dual.mT)
        error = float((model(x @ g.mT) - expected).detach().abs().max() / expected.abs().max())
        assert error < 1e-8


def test_a_start_in_one_component_misses_the_others() -> None:
    """O(1, 3) has four components, and no boost or turn leads from one to another."""
    assert len(components(Lorentz("O"))) == 4 and len(components(Lorentz())) == 1
    x = momenta(5)
    flipped = x * torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    connected = wrapped("SO+(1,3)", 4, 3, "scalars")
    whole = wrapped("O(1,3)", 4, 3, "scalars")
    assert float((connected(flipped) - connected(x)).detach().abs().max()) > 1e-2
    assert float((whole(flipped) - whole(x)).detach().abs().max()) < 1e-8


def test_single_precision_fails_at_large_rapidity() -> None:
    x = momenta(10)
    errors = {}
    for dtype in (torch.float64, torch.float32):
        model = wrapped("SO+(1,3)", 4, 3, "scalars").to(dtype)
        moved = (x.to(dtype) @ boost(5.0).to(dtype).mT).to(dtype)
        y, z = model(x.to(dtype)).detach(), model(moved).detach()
        errors[dtype] = float((y - z).abs().max() / y.abs().max())
    assert errors[torch.float64] < 1e-7 and errors[torch.float32] > 1e-4


def test_two_minima_are_reported() -> None:
    """A cube has many equally good turns; a line has a stabiliser."""
    report = wrapped("SO(3)", 3, 8, "scalars").report(cube()[None] - cube().mean(0))
    assert report.margins[0] < 1e-6
    assert min(wrapped("SO(3)", 3, 6, "scalars").report(normal(5, 6, 3)).margins) > 1e-4


def test_derivatives_by_the_implicit_function_theorem() -> None:
    model = wrapped("SO(2)", 2, 4, "vectors")
    assert_derivatives(model, [normal(2, 4, 2)], order=1, fast=True)
    assert_derivatives(wrapped("SO+(1,3)", 4, 3, "scalars"), [momenta(2)], order=1, fast=True)


def test_gradient_and_hessian_of_the_distance() -> None:
    group = PseudoOrthogonal(2, 1)
    problem = OrbitProblem(torch.from_numpy(group.generators()), normal(3, 3, seed=1))
    y = normal(3, 3, seed=2)

    def energy(c: Tensor) -> Tensor:
        X = torch.einsum("a,aij->ij", c, problem.generators)
        return problem.energy(y @ torch.linalg.matrix_exp(-X).mT) / 2

    zero = torch.zeros(3, dtype=torch.float64)
    gradient = torch.autograd.functional.jacobian(energy, zero)
    hessian = torch.autograd.functional.hessian(energy, zero)
    torch.testing.assert_close(problem.gradient(y), gradient, rtol=0, atol=1e-12)
    torch.testing.assert_close(problem.hessian(y), hessian, rtol=0, atol=1e-12)


def test_a_group_without_a_form_needs_features() -> None:
    with pytest.raises(RepresentationError, match="no equivariant vectors"):
        MinimisedFrames(SpecialLinear(2))
    torch.manual_seed(0)
    model = Equivariant(
        plain(4, 2, 2),
        SpecialLinear(2),
        MinimisedFrames(SpecialLinear(2), lambda x, mask: x[:, :3], normal(3, 2, seed=4)),
        inputs="vectors",
        outputs="vectors",
    )
    assert max(model.report(normal(5, 4, 2), samples=4).errors) < 1e-7


def test_orbit_distance() -> None:
    x, turn = normal(4, 5, 3), Symmetry.of("SO(3)").sample(1, np.random.default_rng(0), normal(1))
    y = x[0] @ turn.matrix[0].mT
    assert float(orbit_distance("SO(3)", x, y)[0]) < 1e-12
    assert float(orbit_distance("SO(3)", x, y)[1:].min()) > 0.5


def test_regression_on_invariant_masses_holds_at_unseen_boosts() -> None:
    """(p_1 + p_2)²: the error at rapidity 2 is that at rest; a plain network's is far larger."""

    def target(x: Tensor) -> Tensor:
        square = (x[:, 0] + x[:, 1]) ** 2
        return (square[:, :1] - square[:, 1:].sum(-1, keepdim=True)) / 10

    x, held = momenta(800), momenta(100, seed=1)
    model = wrapped("SO+(1,3)", 4, 3, "scalars")
    with torch.no_grad():
        seen = x @ model.frames(x).pose.inverse.mT
    errors = {}
    for name, inputs in (("plain", x), ("wrapped", seen)):
        net = plain(3, 4, 1)
        net[2] = torch.nn.SiLU()  # a bounded network could not even be far off
        optimiser = torch.optim.Adam(net.parameters(), 1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 500)
        for _ in range(500):
            optimiser.zero_grad()
            (net(inputs) - target(x)).square().mean().backward()
            optimiser.step()
            schedule.step()
        model.backbone = net
        function = net if name == "plain" else model
        for place, moved in (("rest", held), ("boosted", held @ boost(2.0).mT)):
            with torch.no_grad():
                difference = function(moved) - target(held)
            errors[name, place] = float(difference.square().mean().sqrt())
    assert errors["wrapped", "boosted"] < 2 * errors["wrapped", "rest"]
    assert errors["plain", "boosted"] > 10 * errors["wrapped", "boosted"]


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="generators of a Lie algebra"):
        MinimisedFrames(Cyclic(4))
    with pytest.raises(NumberError, match="at most 16"):
        components(Sym(4))
