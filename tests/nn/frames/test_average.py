"""Frame averaging: exact symmetry, the number of evaluations, derivatives, and the jump."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import schur
from schur.errors import RepresentationError, ShapeError
from schur.groups import SE3, SO3, Sym
from schur.nn.frames import Equivariant, PrincipalFrames, SortedRows
from schur.reps import Irreps
from schur.testing import assert_derivatives

from .clouds import cube, normal, plain

EXACT = 1e-10
GROUPS = ["O(2)", "SO(2)", "E(2)", "SE(2)", "O(3)", "SO(3)", "E(3)", "SE(3)", "O(4)", "SE(4)"]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("outputs", ["scalars", "vectors", "points"])
def test_any_backbone_becomes_equivariant(group: str, outputs: str) -> None:
    d = int(group[-2])
    model = Equivariant(plain(6, d, d), group, outputs=outputs)
    report = model.report(normal(4, 6, d))
    assert max(report.errors) < EXACT
    assert report.frames == 2**d / (2 if group.startswith("S") else 1)


def test_the_check_sees_a_plain_module() -> None:
    class OneFrame(PrincipalFrames):
        def forward(self, cloud: Tensor, mask: Tensor | None = None) -> Any:
            return super().forward(torch.ones_like(cloud) * cube()[:6], mask)

    report = Equivariant(plain(6, 3, 1), "SO(3)", OneFrame("SO(3)")).report(normal(4, 6, 3))
    assert min(report.errors) > 0.01


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("pseudoscalars", (2,)),
        ("pseudovectors", (3,)),
        ("matrices", (3, 3)),
        ("covectors", (3,)),
        ("2 vectors + 3 scalars + matrices", (18,)),
        ("points + pseudovectors + 2 pseudoscalars", (8,)),
        (Irreps("2x0e + 0o + 1x1o + 1e + 2e + 3o"), (21,)),
    ],
    ids=str,
)
@pytest.mark.parametrize("group", ["E(3)", "SO(3)"])
def test_every_kind_of_argument_and_result(kind: Any, shape: tuple[int, ...], group: str) -> None:
    width = torch.Size(shape).numel()
    net = plain(1, 18 + width, 2 * width)

    def backbone(x: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        both = net(torch.cat([x.flatten(1), extra.flatten(1)], -1)).unflatten(1, (2, *shape))
        return both[:, 0], both[:, 1]

    model = Equivariant(backbone, group, inputs=["points", kind], outputs=[kind, kind])
    assert max(model.report(normal(5, 6, 3), normal(5, *shape, seed=2)).errors) < EXACT


def test_an_equivariant_backbone_is_reproduced() -> None:
    def gram(x: Tensor) -> Tensor:
        x = x - x.mean(1, keepdim=True)
        return (x @ x.mT).flatten(1)

    x = normal(4, 6, 3)
    torch.testing.assert_close(Equivariant(gram, "E(3)")(x), gram(x), rtol=0, atol=1e-13)

    def cross(x: Tensor) -> Tensor:
        return torch.linalg.cross(x[:, 0] - x[:, 1], x[:, 2] - x[:, 1])

    torch.testing.assert_close(
        Equivariant(cross, "E(3)", outputs="pseudovectors")(x), cross(x), rtol=0, atol=1e-13
    )


def test_masks_hide_points_from_frames_and_backbone() -> None:
    def backbone(x: Tensor, mask: Tensor) -> Tensor:
        return (x.sin() * mask[..., None]).sum(1)

    model = Equivariant(backbone, "E(3)", inputs=["points", "mask"], outputs="vectors")
    x, mask = normal(3, 6, 3), torch.ones(3, 6, dtype=torch.bool)
    mask[1, 4:] = False
    assert max(model.report(x, mask).errors) < EXACT
    alone = model(x[1:2, :4], mask[1:2, :4])
    padded = x.clone()
    padded[1, 4:] = 1e6
    torch.testing.assert_close(model(padded, mask)[1:2], alone, rtol=0, atol=1e-13)


def test_a_cloud_without_a_batch_axis_and_several_batch_axes() -> None:
    def graph(x: Tensor, edges: Tensor) -> Tensor:
        assert x.ndim == 2
        return torch.zeros_like(x).index_add(0, edges[1], (x[edges[0]] - x[edges[1]]).sin())

    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    model = Equivariant(graph, "E(3)", inputs=["points", "constant"], outputs="vectors")
    report = model.report(normal(4, 3), edges)
    assert max(report.errors) < EXACT and report.frames == 8
    deep = Equivariant(plain(6, 3, 3), SE3(), outputs="vectors", chunk=3)
    x = normal(2, 5, 6, 3)
    assert deep(x).shape == (2, 5, 3)
    whole = Equivariant(deep.backbone, SE3(), outputs="vectors")
    torch.testing.assert_close(deep(x)[1], whole(x[1]), rtol=0, atol=1e-13)
    assert max(deep.report(x).errors) < EXACT


def test_symmetries_of_a_slab_are_those_of_the_plane() -> None:
    """Turns about z and shifts in the plane; heights are scalars."""
    kind = "points + scalars"
    model = Equivariant(plain(6, 3, 3), "E(2)", inputs=kind, outputs="vectors + scalars")
    report = model.report(normal(4, 6, 3))
    assert max(report.errors) < EXACT and report.frames == 4
    tilted = normal(4, 6, 3)[..., [2, 1, 0]]
    assert float((model(tilted) - model(normal(4, 6, 3))).detach().abs().max()) > 0.01


def test_derivatives_go_through_the_frames() -> None:
    model = Equivariant(plain(5, 3, 3), "E(3)", outputs="vectors")
    assert_derivatives(model, [normal(2, 5, 3)], order=2, fast=True)


def test_forces_of_a_wrapped_energy_turn_and_a_direct_head_has_curl() -> None:
    energy = Equivariant(plain(5, 3, 1), "E(3)")

    def forces(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(energy(x).sum(), x)
        return -g

    x = normal(1, 5, 3)
    turn = torch.from_numpy(SO3().exp(normal(3, seed=3).numpy()))
    torch.testing.assert_close(forces(x @ turn.mT), forces(x) @ turn.mT, rtol=0, atol=1e-12)

    def asymmetry(field: Any) -> float:
        jacobian = torch.autograd.functional.jacobian(
            lambda flat: field(flat.reshape(1, 5, 3)).reshape(-1), x.reshape(-1)
        )
        return float((jacobian - jacobian.mT).abs().max() / jacobian.abs().max())

    def gradient(x: Tensor) -> Tensor:
        return torch.autograd.grad(energy(x).sum(), x, create_graph=True)[0]

    direct = Equivariant(lambda x: net(x).unflatten(1, (5, 3)), "E(3)", outputs="vectors")
    net = plain(5, 3, 15)
    assert asymmetry(gradient) < 1e-10
    assert asymmetry(direct) > 0.1


def test_derivatives_are_finite_where_eigenvalues_meet() -> None:
    x = cube()[None].requires_grad_()
    Equivariant(plain(8, 3, 1), "E(3)")(x).sum().backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())


def test_one_frame_at_random() -> None:
    torch.manual_seed(0)
    net = plain(6, 3, 1)
    full, one = Equivariant(net, "E(3)"), Equivariant(net, "E(3)", "stochastic")
    x = normal(1, 6, 3)

    def seen(x: Tensor) -> list[float]:
        with torch.no_grad():
            return sorted({round(float(one(x)), 12) for _ in range(100)})

    single = seen(x)
    assert len(single) == 8
    torch.testing.assert_close(sum(single) / 8, float(full(x).detach()), rtol=0, atol=1e-10)
    # The set of values is that of any turned cloud; a value alone is not invariant.
    turn = torch.from_numpy(SO3().exp(normal(3, seed=3).numpy()))
    torch.testing.assert_close(seen(x @ turn.mT), single, rtol=0, atol=1e-10)
    always = Equivariant(net, "E(3)", "stochastic", drawn="always")
    assert always.eval().report(x).error > 0.1 * full.report(x).spread
    torch.testing.assert_close(one.eval()(x), full(x))
    assert len(one.train().frames(normal(7, 6, 3)).weight) == 7


def test_averaging_jumps_at_a_cube() -> None:
    """The published catch: exact for every cloud in general position, and discontinuous."""
    model = Equivariant(plain(8, 3, 1), "E(3)")
    x = cube()[None] + 1e-9 * normal(200, 8, 3)
    values = model(x).detach()
    assert float(values.max() - values.min()) > 0.1 * float(values.abs().max())
    report = model.report(cube()[None].expand(20, 8, 3))
    assert report.jump is not None and report.jump > 0.1
    assert report.degenerate == 20
    assert "20 of 20" in str(report)


def test_sets_by_sorting() -> None:
    net = plain(5, 3, 5)
    model = Equivariant(lambda x: net(x)[..., None], Sym(5), inputs="rows", outputs="rows")
    x = normal(4, 5, 3)
    report = model.report(x)
    assert max(report.errors) < EXACT and report.frames == 1
    # Equal rows: 3! 2! orders, one evaluation.
    tied = x[:, [0, 1, 0, 1, 0]]
    assert max(model.report(tied).errors) < EXACT
    assert model.report(tied).degenerate == 4
    values = model(tied).detach()[..., 0]
    torch.testing.assert_close(values[:, 0], values[:, 2], rtol=0, atol=1e-14)


def test_sorting_jumps_where_first_entries_meet() -> None:
    model = Equivariant(plain(5, 3, 1), Sym(5), inputs="rows")
    x = normal(1, 5, 3)
    x[:, 0, 0] = x[:, 1, 0]
    step = torch.zeros_like(x)
    step[:, 0, 0] = 1e-9
    assert float((model(x + step) - model(x - step)).detach().abs()) > 1e-3


def test_groups_nest() -> None:
    """A perceptron under permutations inside, motions outside."""
    inner = Equivariant(plain(5, 3, 1), Sym(5), inputs="rows")
    model = Equivariant(inner, "E(3)")
    x = normal(4, 5, 3)
    assert max(model.report(x).errors) < EXACT
    torch.testing.assert_close(model(x[:, [3, 1, 4, 0, 2]]), model(x), rtol=0, atol=EXACT)


def test_single_precision() -> None:
    model = Equivariant(plain(6, 3, 3).float(), "E(3)", outputs="vectors")
    assert max(model.report(normal(4, 6, 3).float()).errors) < 1e-4


def test_it_is_a_module_and_a_public_name() -> None:
    model = schur.Equivariant(plain(6, 3, 1), "E(3)")
    assert set(model.state_dict()) == {f"backbone.{n}" for n in plain(6, 3, 1).state_dict()}
    assert "E(3)" in repr(model)


def test_errors() -> None:
    net = plain(6, 3, 1)
    with pytest.raises(RepresentationError, match="no group has this name"):
        Equivariant(net, "E3")
    with pytest.raises(RepresentationError, match="a method"):
        Equivariant(net, "E(3)", "frames")
    with pytest.raises(RepresentationError, match="an option"):
        Equivariant(net, "E(3)", "weighted", sharp=1)
    with pytest.raises(RepresentationError, match="not known"):
        Equivariant(net, "E(3)", inputs="dots")
    with pytest.raises(RepresentationError, match="cannot make frames"):
        SortedRows("E(3)")
    with pytest.raises(RepresentationError, match="made already"):
        Equivariant(net, "E(3)", PrincipalFrames("O(3)"))
    with pytest.raises(RepresentationError, match="where the frames are"):
        Equivariant(net, "E(3)", inputs="scalars")(normal(2, 6, 3))
    with pytest.raises(ShapeError, match="points in 3 dimensions"):
        Equivariant(net, "E(3)")(normal(2, 6, 2))
    with pytest.raises(ShapeError, match="one argument"):
        Equivariant(net, "E(3)")(normal(2, 6, 3), normal(2, 6, 3))
    with pytest.raises(ShapeError, match="different batches"):
        Equivariant(net, "E(3)", inputs=["points", "scalars"])(normal(2, 6, 3), normal(3, 6))
    with pytest.raises(ShapeError, match="keeps the batch"):
        Equivariant(lambda x: x.sum(0), "E(3)")(normal(2, 6, 3))
    with pytest.raises(ShapeError, match="one result"):
        Equivariant(net, "E(3)", outputs=["scalars", "scalars"])(normal(2, 6, 3))
