"""Forms and programs are checked values; the oracle means what einsum means."""

from __future__ import annotations

import pickle

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from schur.errors import FormError, IndexRangeError, SchurError, ShapeError
from schur.forms import (
    Block,
    Factor,
    Form,
    Operand,
    Path,
    Program,
    Statement,
    cost,
    derive,
    evaluate,
)

from ..support.random_programs import case, draw_program, examples

EPS = float(np.finfo(np.float64).eps)
NUMBER = Block(1)
WIDE = Block(2, (3,))


def one(name: str, block: Block = NUMBER) -> Operand:
    return Operand(name, (block,))


def path(*factors: Factor) -> Path:
    return Path(factors, [[0] * len(factors)], [1.0])


MALFORMED = {
    "no components": lambda: Block(0),
    "negative channels": lambda: Block(1, (-1,)),
    "indexed without index": lambda: Operand("x", (NUMBER,), "indexed"),
    "index without mode": lambda: Operand("x", (NUMBER,), "row", "i"),
    "terms without coefficients": lambda: Path((Factor("x"),), [[0], [0]], [1.0]),
    "coefficients that are not finite": lambda: Path((Factor("x"),), [[0]], [float("nan")]),
    "components that are no integers": lambda: Path((Factor("x"),), np.array([[0.5]]), [1.0]),
    "equal names": lambda: Form((one("x"), one("x")), ()),
    "unknown operand": lambda: Form((one("x"),), (path(Factor("y")),)),
    "unknown block": lambda: Form((one("x"),), (path(Factor("x", 1)),)),
    "negative block": lambda: Form((one("x"),), (path(Factor("x", -1)),)),
    "too few letters": lambda: Form((one("x", WIDE),), (path(Factor("x")),)),
    "too many letters": lambda: Form((one("x"),), (path(Factor("x", 0, "u")),)),
    "one letter twice": lambda: Form((one("x", Block(1, (3, 3))),), (path(Factor("x", 0, "uu")),)),
    "capital letters": lambda: Form((one("x", WIDE),), (path(Factor("x", 0, "Z")),)),
    "two extents": lambda: Form(
        (one("x", WIDE), one("y", Block(1, (4,)))),
        (path(Factor("x", 0, "u"), Factor("y", 0, "u")),),
    ),
    "component too large": lambda: Form((one("x"),), (Path((Factor("x"),), [[1]], [1.0]),)),
    "component negative": lambda: Form((one("x"),), (Path((Factor("x"),), [[-1]], [1.0]),)),
    "no such slot": lambda: Form((one("x"),), ()).open("y"),
    "a slot read twice": lambda: Statement(
        Form((one("x"),), (path(Factor("x"), Factor("x")),)), "x"
    ),
    "equal inputs": lambda: Program((one("x"), one("x")), (), ()),
    "read before it is made": lambda: Program((), (_product("x", "y"),), ("y",)),
    "written after it was read": lambda: Program(
        (one("x"),), (_product("x", "y"), _product("y", "z"), _product("x", "y")), ("z",)
    ),
    "an input is written": lambda: Program((one("x"), one("y")), (_product("x", "y"),), ("y",)),
    "described in two ways": lambda: Program((one("x", Block(2)),), (_product("x", "y"),), ("y",)),
    "never made": lambda: Program((one("x"),), (_product("x", "y"),), ("z",)),
    "an input given out": lambda: Program((one("x"),), (_product("x", "y"),), ("x",)),
    "given out twice": lambda: Program((one("x"),), (_product("x", "y"),), ("y", "y")),
}


def _product(source: str, target: str) -> Statement:
    return Statement(
        Form((one(source), one(target)), (path(Factor(source), Factor(target)),)), target
    )


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_descriptions_are_refused(kind: str) -> None:
    with pytest.raises(FormError) as caught:
        MALFORMED[kind]()
    assert "got:" in str(caught.value)


def test_the_oracle_is_einsum() -> None:
    """Every kind of channels, with dense coefficients, in one einsum."""
    rng = np.random.default_rng(0)
    rows, extents = 4, {"u": 3, "v": 2, "w": 5}
    for left, right, out in [
        ("u", "", "u"),
        ("u", "v", "uv"),
        ("uv", "v", "u"),
        ("u", "uv", ""),
        ("", "", "w"),
        ("wu", "uvw", "vw"),
        ("uv", "vu", ""),
        ("u", "u", "v"),
    ]:
        letters = (left, right, out)
        shapes = [tuple(extents[letter] for letter in text) for text in letters]
        operands = [
            Operand(name, (Block(2, shape),)) for name, shape in zip("xyz", shapes, strict=True)
        ]
        tensor = rng.standard_normal((2, 2, 2))
        factors = [Factor(name, 0, text) for name, text in zip("xyz", letters, strict=True)]
        program = Form(tuple(operands), (Path.dense(factors, tensor),)).open("z")
        x, y = (rng.standard_normal((rows, 2, *shape)) for shape in shapes[:2])
        found = evaluate(program, {"x": x.reshape(rows, -1), "y": y.reshape(rows, -1)})["z"]
        ones = np.ones(shapes[2])
        right_one = np.einsum(f"IJK,ZI{left},ZJ{right},{out}->ZK{out}", tensor, x, y, ones)
        np.testing.assert_allclose(found, right_one.reshape(rows, -1), rtol=0, atol=64 * EPS * 10)


def test_the_oracle_gathers_and_sums() -> None:
    x = Operand("x", (WIDE,), "indexed", "i")
    y = Operand("y", (WIDE,), "indexed", "j")
    factors = (Factor("x", 0, "u"), Factor("y", 0, "u"))
    program = Form((x, y), (Path.dense(factors, np.eye(2)),)).open("y")
    values = np.arange(18.0).reshape(3, 6)
    i, j = np.array([2, 0, 2, 1]), np.array([1, 1, 0, 1])
    found = evaluate(program, {"x": values}, {"i": i, "j": j}, {"j": 3})["y"]
    expected = np.zeros((3, 6))
    for a, b in zip(i, j, strict=True):
        expected[b] += values[a]
    np.testing.assert_array_equal(found, expected)
    for wrong in (-1, 3):
        with pytest.raises(IndexRangeError):
            evaluate(program, {"x": values}, {"i": np.array([wrong]), "j": j[:1]}, {"j": 3})
    with pytest.raises(ShapeError):
        evaluate(program, {"x": values[:, :5]}, {"i": i, "j": j}, {"j": 3})


@hypothesis.settings(max_examples=examples(20))
@hypothesis.given(st.data())
def test_programs_are_values(data: st.DataObject) -> None:
    """Copies are equal, differences are seen, printing and pickling lose nothing."""
    program = draw_program(data.draw, 2)
    again = pickle.loads(pickle.dumps(program))
    assert again == program and hash(again) == hash(program) and again.key == program.key
    other = derive(program)
    assert other != program and other.key != program.key
    text = str(program)
    for name in program.outputs:
        assert name in text
    for statement in program.statements:
        assert f"{statement.form.terms} terms" in text


@hypothesis.settings(max_examples=examples(20))
@hypothesis.given(st.data(), st.integers(0, 99))
def test_simplifying_changes_no_value(data: st.DataObject, seed: int) -> None:
    program = draw_program(data.draw)
    given = case(program, seed)
    (statement,) = program.statements
    paths = tuple(path.simplified() for path in statement.form.paths)
    simpler = Statement(Form(statement.form.operands, paths), statement.target)
    assert simpler.form.terms <= statement.form.terms
    found = evaluate(
        Program(program.inputs, (simpler,), program.outputs),
        given.values,
        given.indices,
        given.lengths,
    )
    for name, value in given.exact().items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e3 * EPS * _size(value))


def _size(value: np.ndarray) -> float:
    return float(np.abs(value).max(initial=1.0))


def test_pruning_keeps_what_is_needed() -> None:
    program = Program(
        (one("x"),), (_product("x", "y"), _product("x", "w"), _product("y", "z")), ("z", "w")
    )
    assert [s.target for s in program.restricted(("z",)).statements] == ["y", "z"]
    assert [s.target for s in program.restricted(("w",)).statements] == ["w"]


def test_cost_counts_by_hand() -> None:
    """A row of x[u] w[u,v] -> y[v]: 3 × 4 terms of one multiplication and one addition."""
    x, y = one("x", Block(1, (3,))), one("y", Block(1, (4,)))
    w = Operand("w", (Block(1, (3, 4)),), "shared")
    factors = (Factor("x", 0, "u"), Factor("w", 0, "uv"), Factor("y", 0, "v"))
    program = Form((x, w, y), (path(*factors),)).open("y")
    counted = cost(program, {"rows": 10})
    assert counted.operations == 10 * 3 * 4 * 2
    assert counted.read == 10 * 3 + 12 and counted.written == 40
    # The backward of a linear map costs twice the forward.
    assert cost(derive(program), {"rows": 10}).operations == 2 * counted.operations


def test_errors_are_of_the_library() -> None:
    for kind in (FormError, ShapeError, IndexRangeError):
        assert issubclass(kind, SchurError)
