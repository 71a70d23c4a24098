"""Derived programs are derivatives: by finite differences, and forward against reverse."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from schur.errors import FormError
from schur.forms import (
    Block,
    Factor,
    Form,
    Operand,
    Path,
    Program,
    Statement,
    derivative,
    derive,
    evaluate,
    linearised,
)

from ..support.random_programs import Case, case, draw_lane_program, draw_program, examples

EPS = float(np.finfo(np.float64).eps)


def drawn(data: st.DataObject) -> Program:
    kind = data.draw(st.sampled_from(["one", "two", "chain", "lanes"]))
    if kind == "lanes":
        return draw_lane_program(data.draw)
    return draw_program(data.draw, 1 if kind == "one" else 2, chained=kind == "chain")


def like(operands: list[Operand], given: Case, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random numbers for operands of a case."""
    made = {}
    for operand in operands:
        lead = () if operand.mode == "shared" else (given.lengths[operand.index or "rows"],)
        made[operand.name] = rng.standard_normal((*lead, operand.size))
    return made


def inner(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> tuple[float, float]:
    """The inner product of two sets of arrays, and the sum of the sizes of its terms."""
    total = sum(float((a[name] * b[name]).sum()) for name in a)
    size = sum(float(np.abs(a[name] * b[name]).sum()) for name in a)
    return total, size


def pulled(
    program: Program, given: Case, cotangents: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The gradients by every input, zero where no output depends on it."""
    derived = derivative(program)
    values = given.values | {derived.cotangents[name]: c for name, c in cotangents.items()}
    found = evaluate(derived.program, values, given.indices, given.lengths)
    zero = {name: np.zeros_like(value) for name, value in given.values.items()}
    return zero | {name: found[made] for name, made in derived.gradients.items()}


def difference(program: Program, given: Case, seed: int = 0) -> float:
    """Reverse mode against central differences along a random direction, in units of rounding.

    With a step h of eps^(1/3) both errors of a central difference are about eps^(2/3).
    """
    rng = np.random.default_rng(seed)
    direction = like(list(program.inputs), given, rng)
    cotangents = like([program.values[name] for name in program.outputs], given, rng)
    step = EPS ** (1 / 3)
    sides = []
    for sign in (1.0, -1.0):
        moved = {k: v + sign * step * direction[k] for k, v in given.values.items()}
        out = evaluate(program, moved, given.indices, given.lengths)
        sides.append(inner(out, cotangents))
    numerical = (sides[0][0] - sides[1][0]) / (2 * step)
    exact, size = inner(pulled(program, given, cotangents), direction)
    return abs(exact - numerical) / (EPS ** (2 / 3) * max(size, sides[0][1], 1.0))


@hypothesis.settings(max_examples=examples(40))
@hypothesis.given(st.data(), st.integers(0, 99))
def test_gradients_are_slopes(data: st.DataObject, seed: int) -> None:
    program = drawn(data)
    assert difference(program, case(program, seed)) < 100


@hypothesis.settings(max_examples=examples(15))
@hypothesis.given(st.data(), st.integers(0, 99))
def test_gradients_of_gradients_are_slopes(data: st.DataObject, seed: int) -> None:
    program = derive(draw_program(data.draw))
    hypothesis.assume(program.outputs)
    assert difference(program, case(program, seed)) < 100


@hypothesis.settings(max_examples=examples(30))
@hypothesis.given(st.data(), st.integers(0, 99))
def test_forward_and_reverse_are_adjoint(data: st.DataObject, seed: int) -> None:
    """⟨J v, w⟩ = ⟨v, Jᵀ w⟩, for all inputs moving and for one alone."""
    program = drawn(data)
    given = case(program, seed)
    rng = np.random.default_rng(seed)
    cotangents = like([program.values[name] for name in program.outputs], given, rng)
    gradients = pulled(program, given, cotangents)
    names = [operand.name for operand in program.inputs]
    for moving in {tuple(names), (names[0],), (names[-1],)}:
        tangents = like([program.values[name] for name in moving], given, rng)
        forward = linearised(program, moving)
        values = given.values | {forward.cotangents[n]: t for n, t in tangents.items()}
        if not forward.gradients:
            assert not any(gradients[name].any() for name in moving)
            continue
        found = evaluate(forward.program, values, given.indices, given.lengths)
        pushed = {name: found[made] for name, made in forward.gradients.items()}
        left, size = inner(pushed, {name: cotangents[name] for name in pushed})
        right, other = inner({name: tangents[name] for name in moving}, gradients)
        assert abs(left - right) <= 1e3 * EPS * max(size, other, 1.0)


@hypothesis.settings(max_examples=examples(10))
@hypothesis.given(st.data())
def test_a_planted_fault_is_caught(data: st.DataObject) -> None:
    """The slope of another function, off by a part in a thousand, is no gradient of this one."""
    program = draw_program(data.draw)
    given = case(program)
    (statement,) = program.statements
    paths = tuple(
        Path(path.factors, path.components, 1.01 * path.coefficients, path.label)
        for path in statement.form.paths
    )
    other = Statement(Form(statement.form.operands, paths), statement.target)
    false = Program(program.inputs, (other,), program.outputs)
    rng = np.random.default_rng(0)
    cotangents = like([program.values[name] for name in program.outputs], given, rng)
    right = pulled(program, given, cotangents)
    wrong = pulled(false, given, cotangents)
    for name, gradient in right.items():
        assert np.allclose(wrong[name], 1.01 * gradient, rtol=1e-12, atol=0)
        assert not gradient.any() or not np.allclose(wrong[name], gradient, rtol=1e-3, atol=0)


def scalar(*names: str) -> Form:
    """The product of single numbers, one factor for each name, of the operands named."""
    operands = tuple(Operand(name, (Block(1),)) for name in dict.fromkeys(names))
    factors = tuple(Factor(name) for name in names)
    return Form(operands, (Path(factors, [[0] * len(names)], [1.0]),))


def test_powers_follow_the_product_rule() -> None:
    """d(x³)/dx = 3 x², by the merged form: one term with the coefficient three."""
    cube = scalar("x", "x", "x", "y").open("y")
    backward = derive(cube)
    (path,) = backward.statements[0].form.paths
    assert path.coefficients.tolist() == [3.0]
    third = derive(derive(backward, ["x"]), ["x"])
    found = evaluate(third, {operand.name: np.array([[2.0]]) for operand in third.inputs})
    assert found  # x³ has a third derivative, 6, times the three cotangents
    (value,) = found.values()
    assert value.item() == 6.0 * 2.0**3


def test_what_is_not_read_has_no_gradient() -> None:
    x, y, out = (Operand(name, (Block(2),)) for name in ("x", "y", "out"))
    form = Form((x, y, out), (Path((Factor("x"), Factor("out")), [[0, 1]], [2.0]),))
    derived = derivative(form.open("out"))
    assert set(derived.gradients) == {"x"}
    assert [operand.name for operand in derived.program.inputs] == ["grad_out"]
    assert not linearised(form.open("out"), ("y",)).gradients


def test_an_output_that_is_read_again() -> None:
    """y = x², z = y x with both given out: the cotangent of y is what comes in and what z adds."""
    square = Statement(scalar("x", "x", "y"), "y")
    product = Statement(scalar("y", "x", "z"), "z")
    x = Operand("x", (Block(1),))
    program = Program((x,), (square, product), ("y", "z"))
    derived = derivative(program)
    found = evaluate(
        derived.program,
        {
            "x": np.array([[3.0]]),
            derived.cotangents["y"]: np.array([[10.0]]),
            derived.cotangents["z"]: np.array([[1.0]]),
        },
    )
    assert found[derived.gradients["x"]].item() == 10 * 2 * 3 + 3 * 3**2


def test_names_never_collide() -> None:
    """Names that look like gradients are left to their owners."""
    program = scalar("grad_out", "grad_x", "x", "out").open("out")
    derived = derivative(derivative(program).program).program
    names = [operand.name for operand in derived.inputs]
    assert len(set(names)) == len(names)
    found = evaluate(
        derive(program), {operand.name: np.array([[2.0]]) for operand in derive(program).inputs}
    )
    assert [value.item() for value in found.values()] == [8.0] * 3


def test_what_is_no_input_cannot_be_differentiated_by() -> None:
    with pytest.raises(FormError, match=r"(?s)no input.*nonsense.*expected"):
        derive(scalar("x", "out").open("out"), ["nonsense"])
