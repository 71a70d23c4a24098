"""What a product can express: the bilinear maps that its weights reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from schur.decompositions.rowwise import evaluate_rows, rowwise
from schur.errors import FormError, NumberError
from schur.forms import Operand, Program, linearised
from schur.reps import Irreps

# Singular values, relative to the largest: below the first they are rounding, above the second
# they count, and between the two a rank is not certain.
_ZERO = 1e-11
_NOT_ZERO = 1e-8
_FIRST_SAMPLE = 16
# So many arguments are tried at a time.
_PROBES = 4


@dataclass(frozen=True)
class Expressivity:
    """Two sizes of the set of bilinear maps that a program reaches as its weights vary.

    Args:
        span: dimension of the linear span of the set.
        freedom: dimension of the set itself, as a manifold: the rank of the derivative of the map
            by the weights, where they are generic.  Smaller than `span` where maps depend on
            products of weights.
    """

    span: int
    freedom: int


def expressivity(
    program: Program, arguments: Sequence[str] = ("x", "y"), seed: int = 0
) -> Expressivity:
    """Count the maps that a program expresses, by the rank of random samples.

    With weights w fixed a program is a multilinear map T(w) of its arguments.  `span` is the rank
    of T(w1), T(w2), … for random weights, `freedom` that of ∂T/∂w at random weights, both probed
    at random arguments, which almost surely lowers no rank.

    Args:
        program: the product.
        arguments: the inputs it is a map of; all others are weights.  Gathered and summed
            operands are taken row by row.
        seed: of the random numbers.

    Raises:
        FormError: if an argument is no input.
        NumberError: if a rank is not certain.

    Source: Xie, Daigavane, Kotak, Smidt, "The price of freedom: exploring expressivity and runtime
    tradeoffs in equivariant tensor products" (2025), section 4.

    Example:
        >>> from schur.products import gaunt
        >>> rep = Irreps("0e+1o+2e")
        >>> expressivity(gaunt(rep, rep, rep).program)
        Expressivity(span=11, freedom=7)
    """
    by_rows = rowwise(program)
    weights = _weights(by_rows, arguments)
    rng = np.random.default_rng(seed)
    return Expressivity(_span(by_rows, weights, rng), _freedom(by_rows, weights, rng))


def interactions(
    program: Program,
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    arguments: tuple[str, str] = ("x", "y"),
    seed: int = 0,
) -> Bool[np.ndarray, "terms1 terms2 terms_out"]:
    """Which terms of a product interact: whether term i of x and j of y can move term k of out.

    Args:
        program: the product, its first output laid out like `rep_out`.
        rep_in1, rep_in2, rep_out: the representations.
        arguments: the inputs that have the first two.
        seed: of the random weights and arguments.

    Source: Xie et al., "The price of freedom" (2025), section 4: interactability.

    Example:
        >>> from schur.products import gaunt
        >>> rep = Irreps("1o"), Irreps("1o"), Irreps("0e+2e")
        >>> interactions(gaunt(*rep).program, *rep)
        array([[[ True,  True]]])
    """
    by_rows = rowwise(program)
    shape = (len(rep_in1), len(rep_in2), len(rep_out))
    rng = np.random.default_rng(seed)
    i, j = (index.reshape(-1) for index in np.indices(shape[:2]))
    rows = len(i)
    if not rows:
        return np.zeros(shape, bool)
    values = {o.name: rng.standard_normal((rows, o.size)) for o in by_rows.inputs}
    for name, rep, chosen in zip(arguments, (rep_in1, rep_in2), (i, j), strict=True):
        inside = np.zeros((rows, rep.dim), bool)
        for place, columns in enumerate(rep.slices()):
            inside[chosen == place, columns] = True
        values[name] = np.where(inside, values[name], 0.0)
    out = evaluate_rows(by_rows, values)[program.outputs[0]]
    sizes = [np.abs(out[:, columns]).max(1, initial=0.0) for columns in rep_out.slices()]
    table = np.stack(sizes, -1).reshape(shape)
    return table > _NOT_ZERO * table.max(initial=0.0)


def _span(program: Program, weights: list[Operand], rng: np.random.Generator) -> int:
    """The rank of random maps, of ever more of them until there are more than the rank."""
    samples = _FIRST_SAMPLE
    while True:
        draws = {o.name: rng.standard_normal((samples, o.size)) for o in weights}
        rank = _probed_rank(program, draws, samples, rng)
        if rank < samples:
            return rank
        samples *= 2


def _freedom(program: Program, weights: list[Operand], rng: np.random.Generator) -> int:
    """The rank of the derivative by the weights: one sample for each of them."""
    count = sum(operand.size for operand in weights)
    if not count:
        return 0
    derived = linearised(program, tuple(operand.name for operand in weights))
    draws: dict[str, np.ndarray] = {}
    start = 0
    for operand in weights:
        point = rng.standard_normal(operand.size)
        draws[operand.name] = np.broadcast_to(point, (count, operand.size))
        unit = np.zeros((count, operand.size))
        unit[start + np.arange(operand.size), np.arange(operand.size)] = 1
        draws[derived.cotangents[operand.name]] = unit
        start += operand.size
    return _probed_rank(derived.program, draws, count, rng)


def _probed_rank(
    program: Program, draws: dict[str, np.ndarray], samples: int, rng: np.random.Generator
) -> int:
    """The rank of samples, each a map probed at common random arguments.

    Once a further random probe raises the rank no more, no probe does: what is in the kernel of
    the probes so far is in that of almost all others.
    """
    found, rank = np.zeros((samples, 0)), -1
    while True:
        found = np.concatenate([found, _probed(program, draws, samples, _PROBES, rng)], 1)
        previous, rank = rank, _rank(found)
        if rank in (previous, samples):
            return rank


def _probed(
    program: Program,
    draws: dict[str, np.ndarray],
    samples: int,
    probes: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "samples numbers"]:
    """For each sample of the weights the outputs at `probes` random arguments."""
    values = {}
    for operand in program.inputs:
        if operand.name in draws:
            values[operand.name] = np.repeat(draws[operand.name], probes, axis=0)
        else:
            probe = rng.standard_normal((probes, operand.size))
            values[operand.name] = np.tile(probe, (samples, 1))
    found = evaluate_rows(program, values)
    return np.concatenate([found[name] for name in program.outputs], -1).reshape(samples, -1)


def _rank(matrix: Float[np.ndarray, "samples numbers"]) -> int:
    """The numerical rank, of rows brought to one length."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    rows = matrix / np.where(length > 0, length, 1)
    values = np.linalg.svd(rows, compute_uv=False)
    if not values.size or values[0] == 0:
        return 0
    shares = values / values[0]
    unclear = shares[(shares > _ZERO) & (shares < _NOT_ZERO)]
    if unclear.size:
        raise NumberError(
            "the rank of the maps is not certain",
            got=f"a singular value of {unclear[0]:.1e}, relative to the largest",
            expected=f"below {_ZERO} or above {_NOT_ZERO}",
            remedy="try another seed, or a smaller representation",
        )
    return int((shares >= _NOT_ZERO).sum())


def _weights(program: Program, arguments: Sequence[str]) -> list[Operand]:
    names = [operand.name for operand in program.inputs]
    if not set(arguments) <= set(names):
        raise FormError("an argument is no input of the program", got=arguments, expected=names)
    return [operand for operand in program.inputs if operand.name not in arguments]
