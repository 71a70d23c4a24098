"""The length of a vector: against numpy, and its derivatives where there is no length."""

from __future__ import annotations

import numpy as np

from schur.forms import derive, evaluate
from schur.harmonics import inverse_length_gradient, squared_length

EPS = float(np.finfo(np.float64).eps)


def test_square_and_its_gradient() -> None:
    r = np.random.default_rng(0).normal(size=(20, 3))
    square = evaluate(squared_length(), {"r": r})["square"]
    np.testing.assert_allclose(square, (r**2).sum(1, keepdims=True), rtol=4 * EPS)
    given = {"r": r, "grad_square": np.ones((20, 1))}
    np.testing.assert_array_equal(evaluate(derive(squared_length()), given)["grad_r"], 2 * r)


def test_gradient_of_the_inverse_length() -> None:
    """Central differences, whose error falls with the square of the step."""
    r = np.random.default_rng(1).normal(size=(20, 3))
    given = {"r": r, "scale": 1 / np.linalg.norm(r, axis=1, keepdims=True)}
    given["grad_scale"] = np.ones((20, 1))
    gradient = evaluate(inverse_length_gradient(), given)["grad_r"]
    errors = []
    for step in (1e-2, 1e-3):
        moved = [1 / np.linalg.norm(r[:, None] + s * step * np.eye(3), axis=2) for s in (1, -1)]
        errors.append(np.abs((moved[0] - moved[1]) / (2 * step) - gradient).max())
    assert errors[1] < errors[0] / 50 < 1


def test_without_a_length_every_derivative_is_zero() -> None:
    program = inverse_length_gradient()
    for _ in range(3):
        rng = np.random.default_rng(2)
        given = {operand.name: rng.normal(size=(4, operand.size)) for operand in program.inputs}
        given |= {"r": np.zeros((4, 3)), "scale": np.zeros((4, 1))}
        outputs = evaluate(program, given, sizes={"rows": 4})
        assert not any(np.any(value) for value in outputs.values())
        program = derive(program)
