"""Spherical harmonics and Wigner matrices of tensors: e3nn's values, derivatives, edge cases."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from e3nn import o3
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from schur.errors import DtypeError, NumberError, RepresentationError, ShapeError
from schur.reps import Irreps
from schur.tensors.harmonics import harmonic_degrees, spherical_harmonics, wigner_D

EPS = torch.finfo(torch.float64).eps
EPS32 = torch.finfo(torch.float32).eps
# What users call: the checker of the tests would see wrong shapes and types first.
plain: Callable[..., Tensor] = inspect.unwrap(spherical_harmonics)
plain_wigner: Callable[..., Tensor] = inspect.unwrap(wigner_D)


@pytest.fixture
def double() -> Iterator[None]:
    """e3nn keeps its constants in the default number type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def vectors(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, 3, generator=generator, dtype=torch.float64).to(dtype)


def assert_close(actual: Tensor, expected: Tensor, units: float, eps: float = EPS) -> None:
    size = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(actual, expected, rtol=0, atol=units * eps * size)


class TestAgainstE3nn:
    @pytest.mark.parametrize(
        ("l", "normalize", "normalization"),
        [
            (0, True, "integral"),
            (5, True, "norm"),
            ([0, 1, 2, 3], True, "component"),
            ([2, 2, 0], False, "component"),
            ("0e+1o+2e", True, "integral"),
            ("1e + 2x2e", False, "norm"),
            ("3o", True, "norm"),
            (list(range(12)), False, "integral"),
        ],
    )
    def test_values(self, l: Any, normalize: bool, normalization: str) -> None:  # noqa: E741
        x = vectors(4, 5)
        expected = o3.spherical_harmonics(l, x, normalize, normalization)
        assert_close(spherical_harmonics(l, x, normalize, normalization), expected, 200)

    def test_integral_is_the_default(self) -> None:
        x = vectors(4)
        assert torch.equal(
            spherical_harmonics([2], x, True), spherical_harmonics([2], x, True, "integral")
        )

    @pytest.mark.parametrize("normalize", [True, False])
    @pytest.mark.parametrize("degree", [1, 3, 6])
    def test_gradients_and_hessians(self, degree: int, normalize: bool) -> None:
        x, weight = vectors(3), vectors(2 * degree + 1)[:, 0]
        derivatives = []
        for function in (spherical_harmonics, o3.spherical_harmonics):

            def scalar(x: Tensor, function: Any = function) -> Tensor:
                return (function([degree], x, normalize, "component") @ weight).sum()

            derivatives.append(
                (torch.func.grad(scalar)(x), torch.autograd.functional.hessian(scalar, x))
            )
        for ours, theirs in zip(*derivatives, strict=True):
            assert_close(ours, theirs, 200 * (degree + 1))

    def test_another_order_of_axes_is_seen(self) -> None:
        x = vectors(5)
        wrong = o3.spherical_harmonics(2, x.roll(1, -1), True)
        assert (spherical_harmonics(2, x, True) - wrong).abs().max() > 0.1

    @pytest.mark.usefixtures("double")
    @pytest.mark.parametrize("degree", range(8))
    def test_wigner(self, degree: int) -> None:
        alpha, beta, gamma = vectors(4).T[:, :, None] * torch.linspace(0, 2, 3)
        expected = o3.wigner_D(degree, alpha, beta, gamma)
        assert_close(wigner_D(degree, alpha, beta, gamma), expected, 50 * (degree + 1))


class TestDerivatives:
    @pytest.mark.parametrize(("degrees", "normalize"), [([0, 1, 3], True), ([2, 5], False)])
    def test_three_orders(self, degrees: list[int], normalize: bool) -> None:
        x = vectors(3).requires_grad_()

        def value(x: Tensor) -> Tensor:
            return spherical_harmonics(degrees, x, normalize)

        def gradient(x: Tensor) -> Tensor:
            y = value(x)
            weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
            return torch.autograd.grad((y * weight).sum(), x, create_graph=True)[0]

        assert torch.autograd.gradcheck(value, (x,))
        assert torch.autograd.gradgradcheck(value, (x,))
        assert torch.autograd.gradgradcheck(gradient, (x,), fast_mode=True)

    def test_wigner_angles(self) -> None:
        angles = [a.clone().requires_grad_() for a in vectors(2).T]
        assert torch.autograd.gradcheck(lambda *a: wigner_D(3, *a), angles)
        assert torch.autograd.gradgradcheck(lambda *a: wigner_D(2, *a), angles)

    def test_single_precision(self) -> None:
        x = vectors(200, dtype=torch.float32)
        for normalize in (True, False):
            got = spherical_harmonics(list(range(7)), x, normalize, "component")
            exact = spherical_harmonics(list(range(7)), x.double(), normalize, "component")
            lengths = torch.linalg.vector_norm(x.double(), dim=-1, keepdim=True)
            degree = torch.cat([torch.full((2 * k + 1,), k) for k in range(7)])
            size = torch.ones(()) if normalize else lengths**degree
            assert got.dtype == torch.float32
            assert ((got - exact).abs() / size).max() <= 32 * EPS32


class TestLaws:
    @given(seed=st.integers(0, 2**31), degree=st.sampled_from([0, 1, 2, 5]))
    def test_rotation(self, seed: int, degree: int) -> None:
        x, angles = vectors(6, seed=seed), vectors(1, seed=seed + 1)[0]
        rotation, matrix = wigner_D(1, *angles), wigner_D(degree, *angles)
        turned = spherical_harmonics(degree, x @ rotation.mT, True)
        assert_close(turned, spherical_harmonics(degree, x, True) @ matrix.mT, 30 * (degree + 1))

    @given(seed=st.integers(0, 2**31), exponent=st.integers(-60, 60))
    def test_a_direction_has_no_length(self, seed: int, exponent: int) -> None:
        x = vectors(6, seed=seed)
        scaled = spherical_harmonics("0e+1o+2e", x * 2.0**exponent, True)
        assert_close(scaled, spherical_harmonics("0e+1o+2e", x, True), 8)


class TestWithoutLength:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_zero_with_zero_derivatives(self, dtype: torch.dtype) -> None:
        x = torch.zeros(2, 3, dtype=dtype)
        x[1] = torch.tensor([1.0, 2.0, 3.0])
        x.requires_grad_()
        y = spherical_harmonics([0, 1, 2], x, True, "norm")
        assert torch.equal(y[0].detach(), torch.eye(9, dtype=dtype)[0])
        (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum() + first.sum(), x)
        for derivative in (first, second):
            assert not derivative[0].any() and derivative.isfinite().all()
            assert derivative[1].any()

    def test_solid_harmonics_need_no_direction(self) -> None:
        y = spherical_harmonics([0, 1, 2], torch.zeros(1, 3), False, "norm")
        assert torch.equal(y, torch.eye(9)[:1])

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
    def test_no_direction_is_an_error(self, bad: float) -> None:
        x = vectors(10, dtype=torch.float32)
        x[7, 1] = bad
        with pytest.raises(NumberError, match="1 of 10 vectors, the first at row 7"):
            spherical_harmonics(1, x, True)

    def test_long_vectors_that_can_be_squared_pass(self) -> None:
        """Their squares' sum overflows, none of them does."""
        x = torch.full((5, 3), 1e19)
        expected = torch.full((5, 3), 3.0**-0.5)
        assert_close(spherical_harmonics(1, x, True, "norm"), expected, 4, EPS32)

    @pytest.mark.parametrize("bad", [float("nan"), 1e30])
    def test_under_vmap_the_result_is_nan(self, bad: float) -> None:
        x = vectors(4, dtype=torch.float32)
        x[2, 0] = bad
        y = torch.func.vmap(lambda v: spherical_harmonics(1, v, True))(x)
        assert y[2].isnan().all() and y[[0, 1, 3]].isfinite().all()


class TestShapes:
    @pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 3), (2, 0, 3)])
    def test_leading_axes(self, shape: tuple[int, ...]) -> None:
        x = vectors(*shape)
        y = spherical_harmonics("0e+2e", x, True)
        assert y.shape == (*shape, 6)
        assert torch.equal(y.reshape(-1, 6), spherical_harmonics("0e+2e", x.reshape(-1, 3), True))

    def test_strided_and_expanded(self) -> None:
        x = vectors(4, 2)
        for view in (x[:, 1], x.transpose(0, 1), x[:1].expand(3, 2, 3), x.flip(-1)):
            dense = view.clone(memory_format=torch.contiguous_format)
            expected = spherical_harmonics([1, 2], dense, True)
            assert torch.equal(spherical_harmonics([1, 2], view, True), expected)

    def test_the_argument_stays_as_it_is(self) -> None:
        x = vectors(4)
        before = x.clone()
        spherical_harmonics([0, 1, 2], x, True, "norm")
        assert torch.equal(x, before)


class TestTransforms:
    def test_torch_func(self) -> None:
        x = vectors(3)

        def scalar(v: Tensor) -> Tensor:
            return spherical_harmonics([1, 2], v, True).sin().sum()

        rows = torch.stack([torch.func.grad(scalar)(v) for v in x])
        assert_close(torch.func.vmap(torch.func.grad(scalar))(x), rows, 10)
        hessian = torch.autograd.functional.hessian(scalar, x[0])
        assert isinstance(hessian, Tensor)
        assert_close(torch.func.hessian(scalar)(x[0]), hessian, 50)

    def test_forward_mode(self) -> None:
        x, tangent = vectors(4), vectors(4, seed=1)

        def function(v: Tensor) -> Tensor:
            return spherical_harmonics([0, 1, 3], v, True)

        forward = torch.func.jvp(function, (x,), (tangent,))[1]
        jacobian = torch.autograd.functional.jacobian(function, x)
        assert isinstance(jacobian, Tensor)
        assert_close(forward, torch.einsum("abcd,cd->ab", jacobian, tangent), 50)

    def test_compiled_and_exported_whole(self) -> None:
        """In an interpreter of its own: here the checkers of shapes would be traced too."""
        done = subprocess.run(
            [sys.executable, "-c", TRACED], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr


TRACED = """
import torch
from schur.tensors.harmonics import spherical_harmonics, wigner_D

class Scalar(torch.nn.Module):
    def forward(self, x):
        turned = spherical_harmonics("2e+1o+2e", x, True)[:, :5, None] * wigner_D(2, *x.T)
        return (turned**3).sum()

x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
expected = Scalar()(x)
(gradient,) = torch.autograd.grad(expected, x)
compiled = torch.compile(Scalar(), fullgraph=True, backend="aot_eager")(x)
torch.testing.assert_close(compiled, expected, rtol=0, atol=1e-13)
torch.testing.assert_close(torch.autograd.grad(compiled, x)[0], gradient, rtol=0, atol=1e-12)
exported = torch.export.export(Scalar(), (x.detach(),)).module()
torch.testing.assert_close(exported(x.detach()), expected.detach(), rtol=0, atol=1e-13)
"""


@pytest.mark.parametrize(
    ("l", "expected"),
    [
        (3, (3,)),
        ([2, 0], (2, 0)),
        ("2x1o+0e", (1, 1, 0)),
        (Irreps("0e+1e"), (0, 1)),
        ([True], (1,)),
    ],
)
def test_degrees(l: Any, expected: tuple[int, ...]) -> None:  # noqa: E741
    assert harmonic_degrees(l) == expected


@pytest.mark.parametrize("l", ["1o+2o", "0o", "1e+1o", -1, [0, -2], [], "nonsense"])
def test_bad_degrees(l: Any) -> None:  # noqa: E741
    with pytest.raises(RepresentationError, match="expected"):
        spherical_harmonics(l, vectors(2), True)


def test_bad_tensors() -> None:
    with pytest.raises(ShapeError, match="expected"):
        plain(1, torch.zeros(3, 2), True)
    with pytest.raises(ShapeError, match="expected"):
        plain(1, torch.tensor(1.0), True)
    with pytest.raises(DtypeError, match="expected"):
        plain(1, torch.zeros(2, 3, dtype=torch.int64), True)
    with pytest.raises(RepresentationError, match="normalisation"):
        plain(1, torch.zeros(2, 3), True, "Integral")
    with pytest.raises(DtypeError, match="one floating-point type"):
        plain_wigner(1, torch.tensor(1), torch.tensor(1.0), torch.tensor(1.0))
    with pytest.raises(RepresentationError, match="zero or more"):
        wigner_D(-1, *torch.zeros(3))
