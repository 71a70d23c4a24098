"""Products in edge frames: the full product with other weights, whatever the frame's roll."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schur.errors import RepresentationError
from schur.forms import cost, evaluate
from schur.harmonics import harmonic_values, wigner_of_frame
from schur.products import Instruction, SO2Product, normalised, so2, tensor_product
from schur.reps import Irreps, clebsch_gordan

EPS = np.finfo(float).eps
Paths = list[Instruction]


def triangles(degrees: list[int], highest: int) -> Paths:
    """Every path l1 x f -> l with f up to `highest`, of any parity, with coefficient one."""
    return [
        Instruction(i, f, k, "uvu", True, 1.0, (1,))
        for i, l1 in enumerate(degrees)
        for k, l3 in enumerate(degrees)
        for f in range(abs(l1 - l3), min(l1 + l3, highest) + 1)
    ]


def frames(rows: int, seed: int = 0) -> np.ndarray:
    """Random rotations; the direction is the second column."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((rows, 3, 3)))[0]
    return Q * np.linalg.det(Q)[:, None, None]


def applied(product: SO2Product, x: np.ndarray, R: np.ndarray, weight: np.ndarray) -> np.ndarray:
    flat = {"frame": R.reshape(len(R), 9)}
    wigner = evaluate(wigner_of_frame(product.lmax), flat)["wigner"]
    return evaluate(product.program, {"x": x, "wigner": wigner, "weight": weight})["out"]


def summed_over_paths(
    rep_in: Irreps, rep_out: Irreps, lines: Paths, x: np.ndarray, r: np.ndarray, w: np.ndarray
) -> np.ndarray:
    """The definition: Σ w a C x Y, with single channels."""
    out = np.zeros((len(x), rep_out.dim))
    for line, number in zip(lines, w, strict=True):
        f = line.i_in2
        C = clebsch_gordan(rep_in[line.i_in1].ir.l, f, rep_out[line.i_out].ir.l)
        Y = harmonic_values([f], r)
        read, written = rep_in.slices()[line.i_in1], rep_out.slices()[line.i_out]
        term = np.einsum("ijk,zi,zj->zk", C, x[:, read], Y)
        out[:, written] += line.path_weight * number * term
    return out


@pytest.mark.parametrize("lmax", range(7))
def test_is_the_full_product_with_filters_of_all_degrees(lmax: int) -> None:
    rep = Irreps.spherical_harmonics(lmax)
    lines = triangles(rep.ls, 2 * lmax)
    product = so2(rep, Irreps.spherical_harmonics(2 * lmax), rep, connection="uvu", group="SO3")
    assert product.is_complete
    draw = np.random.default_rng(1).standard_normal
    x, w, R = draw((3, rep.dim)), draw(len(lines)), frames(3)
    expected = summed_over_paths(rep, rep, lines, x, R[:, :, 1], w)
    found = applied(product, x, R, product.from_paths(w, lines))
    size = np.abs(expected).max()
    assert np.abs(found - expected).max() <= 1e-13 * size
    if lmax:  # the companion: one weight a little off shows
        w[-1] += 1e-9
        other = applied(product, x, R, product.from_paths(w, lines))
        assert np.abs(other - expected).max() > 1e-12 * size


def test_weights_and_paths_are_as_many() -> None:
    totals = []
    for lmax in range(7):
        rep = Irreps.spherical_harmonics(lmax)
        lines = triangles(rep.ls, 2 * lmax)
        product = so2(rep, Irreps.spherical_harmonics(2 * lmax), rep, connection="uvu", group="SO3")
        matrix = product.change_of_weights(lines)
        row = 0
        for pair in product.pairs:
            count = len(pair.even) + len(pair.odd)
            assert count == 2 * min(pair.i_in, pair.i_out) + 1
            columns = [k for k, line in enumerate(lines) if (line[0], line[2]) == pair[:2]]
            square = matrix[row : row + count, columns]
            assert square.shape == (count, count)
            assert np.linalg.cond(square) < 1e3
            row += count
        totals.append(product.weight_numel)
        assert matrix.shape == (product.weight_numel, len(lines))
    assert totals == [1, 6, 19, 44, 85, 146, 231]


def test_filters_cut_at_the_degree_of_the_features_reach_less() -> None:
    """At L = 4: 65 of 85 weights; parity alone leaves 55."""
    rep = Irreps.spherical_harmonics(4)
    every = Irreps.spherical_harmonics(8)
    product = so2(rep, every, rep, connection="uvu", group="SO3")
    matrix = product.change_of_weights(triangles(rep.ls, 4))
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1] == 65
    assert so2(rep, every, rep, connection="uvu").weight_numel == 55


@pytest.mark.parametrize("connection", ["uvu", "uvw"])
def test_channels_and_parities_are_those_of_the_tensor_product(connection: str) -> None:
    """With both parities, unequal degrees and channels, in e3nn's order and normalisation."""
    rep1, rep2 = Irreps("3x0e+3x1o+3x1e+3x2e"), Irreps.spherical_harmonics(5)
    rep3 = Irreps("3x0o+3x1e+3x3o") if connection == "uvu" else Irreps("2x0o+4x1e+5x3o")
    lines = normalised(
        rep1,
        rep2,
        rep3,
        [
            (i, j, k, connection, True)
            for i, (_, a) in enumerate(rep1)
            for j, (_, b) in enumerate(rep2)
            for k, (_, c) in enumerate(rep3)
            if c in tuple(a * b)
        ],
    )
    full = tensor_product(rep1, rep2, rep3, lines)
    product = so2(rep1, rep2, rep3, connection=connection)  # type: ignore[arg-type]
    assert product.weight_numel == full.values["weight"].size
    draw = np.random.default_rng(2).standard_normal
    x, w, R = draw((4, rep1.dim)), draw(product.weight_numel), frames(4)
    values = {"x": x, "y": harmonic_values(5, R[:, :, 1]), "weight": w}
    expected = evaluate(full, values)["out"]
    found = applied(product, x, R, product.from_paths(w, lines))
    assert np.abs(found - expected).max() <= 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_roll_of_the_frame_does_not_matter(order: int) -> None:
    rep = Irreps("2x0e+2x1o+2x2e+2x3o+2x2o")
    product = so2(rep, Irreps.spherical_harmonics(6), rep, order)
    draw = np.random.default_rng(3).standard_normal
    x, w, R = draw((5, rep.dim)), draw(product.weight_numel), frames(5)
    roll = _about_y(1.234)
    found, expected = applied(product, x, R @ roll, w), applied(product, x, R, w)
    assert np.abs(found - expected).max() <= 1e-13 * np.abs(expected).max()
    tilted = applied(product, x, R @ _about_x(1e-3), w)  # another direction is told apart
    assert order == 0 or np.abs(tilted - expected).max() > 1e-5 * np.abs(expected).max()


def _about_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _about_x(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


terms = st.lists(
    st.tuples(st.integers(1, 2), st.tuples(st.integers(0, 3), st.sampled_from([1, -1]))),
    min_size=1,
    max_size=3,
)
Terms = list[tuple[int, tuple[int, int]]]


@settings(max_examples=10)
@given(terms, terms, st.integers(0, 3))
def test_equivariance_at_any_order(a: Terms, b: Terms, order: int) -> None:
    """A cut keeps it exactly, reflections included."""
    rep_in, rep_out = Irreps(a), Irreps(b)
    product = so2(rep_in, Irreps.spherical_harmonics(6), rep_out, order)
    error = _equivariance_error(product, reflect=True)
    assert error <= 64 * EPS * max(rep_in.dim, rep_out.dim)


def test_all_weights_of_rotations_break_reflections() -> None:
    rep = Irreps("2x0e+2x1o+2x2e")
    product = so2(rep, Irreps.spherical_harmonics(4), rep, group="SO3")
    assert _equivariance_error(product, reflect=False) <= 64 * EPS * rep.dim
    assert _equivariance_error(product, reflect=True) > 0.1


def _equivariance_error(product: SO2Product, reflect: bool) -> float:
    rep_in, rep_out = product.rep_in1, product.rep_out
    draw = np.random.default_rng(4).standard_normal
    x, w, R = draw((2, rep_in.dim)), draw(product.weight_numel), frames(2)
    (g,) = frames(1, seed=5)
    moved = g @ R
    if reflect:  # the direction turns over; the frame stays a rotation
        g, moved = -g, -(g @ R) @ np.diag([1.0, 1.0, -1.0])
    before = applied(product, x, R, w)
    after = applied(product, x @ rep_in.matrix(g).T, moved, w)
    size = max(np.abs(before).max(initial=0), 1e-300)
    return float(np.abs(after - before @ rep_out.matrix(g).T).max(initial=0) / size)


def test_a_cut_is_weights_set_to_zero() -> None:
    rep = Irreps("1x2e+1x3o")
    every = Irreps.spherical_harmonics(6)
    whole, cut = (so2(rep, every, rep, order, "uvu") for order in (None, 1))
    assert cut.lmax == 3 and not cut.is_complete
    w = np.random.default_rng(6).standard_normal(cut.weight_numel)
    kept = [m <= 1 for pair in whole.pairs for m in (*pair.even, *pair.odd)]
    filled = np.zeros(whole.weight_numel)
    filled[kept] = w
    x, R = np.random.default_rng(7).standard_normal((3, rep.dim)), frames(3)
    expected = applied(whole, x, R, filled)
    assert np.abs(applied(cut, x, R, w) - expected).max() <= 32 * EPS * np.abs(expected).max()


@pytest.mark.parametrize("order", [None, 2, 1, 0])
def test_what_is_missing_is_what_no_weights_fit(order: int | None) -> None:
    """Each path alone against the best weights: the residual is zero, or the path is missing."""
    rep, every = Irreps("0e+1o+1e+2e"), Irreps.spherical_harmonics(4)
    product = so2(rep, every, rep, order, "uvu")
    x, R = np.random.default_rng(8).standard_normal((60, rep.dim)), frames(60)
    units = np.eye(product.weight_numel)
    columns = np.stack([applied(product, x, R, w).reshape(-1) for w in units], 1)
    y, missing = harmonic_values(4, R[:, :, 1]), set()
    for i, (_, a) in enumerate(rep):
        for j, (_, b) in enumerate(every):
            for k, (_, c) in enumerate(rep):
                if c not in tuple(a * b):
                    continue
                lines = normalised(rep, every, rep, [(i, j, k, "uvu", False)])
                program = tensor_product(rep, every, rep, lines)
                out = evaluate(program, {"x": x, "y": y})["out"].reshape(-1)
                fit = columns @ np.linalg.lstsq(columns, out, rcond=None)[0]
                if np.linalg.norm(out - fit) > 1e-9 * np.linalg.norm(out):
                    missing.add((a, b, c))
    assert set(product.missing) == missing
    assert bool(missing) == (order in (0, 1))


def test_variance_is_one_in_every_component() -> None:
    """The normalisation, from the coefficients: each output component sums to one."""
    for connection in ("uvu", "uvw"):
        product = so2(
            Irreps("4x0e+4x1o+4x1e"),
            Irreps.spherical_harmonics(4),
            Irreps("4x1o+4x2e"),
            connection=connection,  # type: ignore[arg-type]
        )
        form = product.program.statements[1].form
        sums = [np.zeros(block.components) for block in form.by_name["mixed"].blocks]
        for path in form.paths:
            copies = 4 if connection == "uvw" else 1
            np.add.at(
                sums[path.factors[2].block], path.components[:, 2], copies * path.coefficients**2
            )
        # Order 2 of the second block has no partner in the input and is not kept.
        assert [len(values) for values in sums] == [3, 3]
        assert all(np.abs(values - 1).max() <= 4 * EPS for values in sums)


def test_operations_grow_with_the_third_power_of_the_degree() -> None:
    """Rotation included: 2 min(l, l') + 1 for a pair, (2l + 1)² for a rotation.

    From counts, so the exponent is that of the algorithm and not of a machine.
    """
    degrees = (6, 12)
    counts = []
    for lmax in degrees:
        rep = Irreps([(8, (degree, (-1) ** degree)) for degree in range(lmax + 1)])
        product = so2(rep, Irreps.spherical_harmonics(2 * lmax), rep, connection="uvu")
        counts.append(cost(product.program, {"rows": 1}).operations)
    slope = np.log(counts[1] / counts[0]) / np.log((degrees[1] + 1) / (degrees[0] + 1))
    assert 2.5 < slope <= 3.3


def test_errors() -> None:
    rep = Irreps("2x0e+2x1o")
    with pytest.raises(RepresentationError, match="harmonics of one direction"):
        so2(rep, Irreps("0e+1e"), rep)
    with pytest.raises(RepresentationError, match="harmonics of one direction"):
        so2(rep, Irreps("0e+2x1o"), rep)
    with pytest.raises(RepresentationError, match="equal multiplicities"):
        so2(rep, Irreps("0e+1o"), Irreps("3x1o"), connection="uvu")
    with pytest.raises(RepresentationError, match="zero or more"):
        so2(rep, Irreps("0e"), rep, order=-1)
    lines = normalised(rep, Irreps("0e"), rep, [(0, 0, 0, "uvw", True)])
    with pytest.raises(RepresentationError, match="no pair"):
        so2(rep, Irreps("0e"), rep, connection="uvu").change_of_weights(lines)
