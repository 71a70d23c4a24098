"""The equivariant linear maps between two representations, by solving for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Inexact

from schur.errors import NumberError, RepresentationError
from schur.groups import Group, Reductive
from schur.groups.cartan import real_rows
from schur.groups.reductive import cartan_of
from schur.reps.direct_sum import common_group
from schur.reps.representation import Representation

# Singular values, relative to the size of the generators: below the first a map is
# equivariant, above the second it is not, and between them the rank is not certain.
_ZERO = 1e-10
_NOT_ZERO = 1e-6
_RESIDUAL = 1e-9
# Eigenvalues of the probe that are nearer than this are not told apart.
_SAME_EIGENVALUE = 1e-4
_LARGEST_SYSTEM = 2**26
_PROBES = 4

_Pairs = list[tuple[np.ndarray, np.ndarray]]


def intertwiners(
    rep_in: Representation, rep_out: Representation
) -> Inexact[np.ndarray, "r dim_out dim_in"]:
    """An orthonormal basis of the maps W with ρ_out(g) W = W ρ_in(g) for every g.

    Solves ρ_out(X_a) W - W ρ_in(X_a) = 0 for the generators of the Lie algebra and
    ρ_out(h_j) W - W ρ_in(h_j) = 0 for the discrete ones, by singular values. Where both
    representations are unitary, or become so when hermitian generators X of the group are read as
    i X (Weyl's unitary trick: the equations stay the same), W must also map eigenvectors of a
    random Hermitian polynomial in the generators to eigenvectors of equal eigenvalue, so only
    those entries stay unknown, and eigenvectors that no generator connects are solved for apart.

    Args:
        rep_in: representation that is mapped.
        rep_out: representation that is mapped to, of the same group.

    Returns:
        Array (r, dim_out, dim_in), orthonormal for Σ_ij conj(W_ij) V_ij; real where both
        representations are. r is the dimension of the space (over the field of the result).

    Raises:
        RepresentationError: the groups differ, or a system has more than 2^26 entries (half a
            gigabyte). Unitary representations of several hundred dimensions fit while the
            multiplicities stay in the tens (seconds where there are hundreds of maps),
            others up to a dimension of about 90.
        NumberError: a singular value is neither clearly zero nor clearly not.

    Source: Finzi, Welling, Wilson, https://arxiv.org/abs/2104.09459, section 4, with dense
    singular values in place of an iteration.

    Example:
        >>> from schur.reps import Irreps
        >>> intertwiners(Irreps("2x0e + 3x1o"), Irreps("0e + 1o")).shape
        (5, 4, 11)
    """
    common_group((rep_in, rep_out))
    shape = (rep_out.dim, rep_in.dim)
    pairs = [
        *zip(rep_out.generators(), rep_in.generators(), strict=True),
        *zip(rep_out.discrete(), rep_in.discrete(), strict=True),
    ]
    lie = rep_in.group.dim
    if 0 in shape or not pairs:
        return np.eye(shape[0] * shape[1]).reshape(shape[0] * shape[1], *shape)
    dtype = np.result_type(*(matrix for pair in pairs for matrix in pair))
    pairs = [(out.astype(dtype), into.astype(dtype)) for out, into in pairs]
    turned = _turned(pairs, rep_in.group)
    if all(_is_unitary([pair[side] for pair in turned], lie) for side in (0, 1)):
        basis = _solve_with_probe(turned, lie)
        if basis is not None and dtype == np.float64:
            basis = _real_basis(basis) if np.iscomplexobj(basis) else basis
    else:
        unknown = np.indices(shape).reshape(2, -1)
        basis = _solve(pairs, unknown[0], unknown[1])
    if basis is None or not _solves(pairs, basis):
        raise NumberError(
            "the number of equivariant maps is not certain",
            got="a singular value that is neither zero nor clearly not",
            expected=f"below {_ZERO} or above {_NOT_ZERO}, relative to the generators",
            remedy="check that the matrices represent the group in double precision",
        )
    return basis


def _solves(pairs: _Pairs, basis: np.ndarray) -> bool:
    return all(
        np.abs(out @ basis - basis @ into).max(initial=0.0)
        <= _RESIDUAL * (_size(out) + _size(into))
        for out, into in pairs
    )


def _turned(pairs: _Pairs, group: Group) -> _Pairs:
    """The same equations with generators that are antihermitian in the group's own matrices.

    The Lie algebra k + p of a group that is closed under the adjoint becomes k + i p, that of a
    compact group, whose representations are unitary in a suitable basis.
    """
    if group.is_compact or not isinstance(group, Reductive):
        return pairs
    try:
        parts = cartan_of(group)
    except RepresentationError:  # generators without adjoints
        return pairs
    back = np.linalg.pinv(real_rows(group.generators()))
    mixed = [
        (factor * np.tensordot(row, out, axes=1), factor * np.tensordot(row, into, axes=1))
        for factor, basis in ((1.0, parts.compact), (1j, parts.hermitian))
        for row in real_rows(basis) @ back
        for out, into in [[np.stack(side) for side in zip(*pairs[: group.dim], strict=True)]]
    ]
    return mixed + pairs[group.dim :]


def _is_unitary(matrices: list[np.ndarray], lie: int) -> bool:
    x, h = matrices[:lie], matrices[lie:]
    skew = max((float(np.abs(m + m.conj().T).max(initial=0.0)) / _size(m) for m in x), default=0.0)
    defects = [np.abs(m @ m.conj().T - np.eye(len(m))).max(initial=0.0) for m in h]
    return bool(skew <= _ZERO and max(defects, default=0.0) <= _ZERO)


def _real_basis(basis: np.ndarray) -> np.ndarray:
    """An orthonormal real basis of a complex space that is closed under conjugation."""
    flat = basis.reshape(len(basis), basis.shape[1] * basis.shape[2])
    _, _, right = np.linalg.svd(np.concatenate([np.real(flat), np.imag(flat)]), full_matrices=False)
    return right[: len(basis)].reshape(basis.shape)


def _size(matrices: np.ndarray) -> float:
    return max(1.0, float(np.abs(matrices).sum(axis=-1).max(initial=0.0)))


def _solve_with_probe(pairs: _Pairs, lie: int) -> np.ndarray | None:
    for seed in range(_PROBES):
        values_out, vectors_out = np.linalg.eigh(_probe([out for out, _ in pairs], lie, seed))
        values_in, vectors_in = np.linalg.eigh(_probe([into for _, into in pairs], lie, seed))
        size = max(1.0, np.abs(values_out).max(), np.abs(values_in).max())
        near = np.abs(values_out[:, None] - values_in) <= _SAME_EIGENVALUE * size
        rotated = [
            (vectors_out.conj().T @ out @ vectors_out, vectors_in.conj().T @ into @ vectors_in)
            for out, into in pairs
        ]
        basis = _solve_by_components(rotated, near)
        if basis is not None:
            return vectors_out @ basis @ vectors_in.conj().T
    return None


def _solve_by_components(pairs: _Pairs, near: np.ndarray) -> np.ndarray | None:
    # Eigenvectors that no generator connects belong to different irreps: smaller systems.
    found = [np.zeros((0, *near.shape), dtype=pairs[0][0].dtype)]
    for out, into in _components(pairs, near):
        small = [(a[np.ix_(out, out)], b[np.ix_(into, into)]) for a, b in pairs]
        maps = _solve(small, *np.nonzero(near[np.ix_(out, into)]))
        if maps is None:
            return None
        embedded = np.zeros((len(maps), *near.shape), dtype=maps.dtype)
        embedded[:, out[:, None], into] = maps
        found.append(embedded)
    return np.concatenate(found)


def _components(pairs: _Pairs, near: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    count = len(near)
    linked = np.eye(sum(near.shape), dtype=bool)
    linked[:count, count:], linked[count:, :count] = near, near.T
    for out, into in pairs:
        linked[:count, :count] |= np.abs(out) > _ZERO * _size(out)
        linked[count:, count:] |= np.abs(into) > _ZERO * _size(into)
    linked |= linked.T
    waiting = np.ones(len(linked), dtype=bool)
    while waiting.any():
        reached = np.zeros(len(linked), dtype=bool)
        grown = np.arange(len(linked)) == np.argmax(waiting)
        while np.any(grown & ~reached):
            reached = reached | grown
            grown = linked[reached].any(axis=0)
        waiting &= ~reached
        out, into = np.nonzero(reached[:count])[0], np.nonzero(reached[count:])[0]
        if len(out) and len(into):
            yield out, into


def _probe(matrices: list[np.ndarray], lie: int, seed: int) -> np.ndarray:
    # A Hermitian polynomial in the generators, with the same random coefficients on both
    # sides; real where they are. Its eigenspaces are as small as the symmetry allows.
    rng = np.random.default_rng(seed)
    x, h = matrices[:lie], matrices[lie:]
    total = np.zeros_like(matrices[0])
    for _ in range(min(3, len(x))):
        mixed = np.tensordot(rng.standard_normal(len(x)), np.stack(x), axes=1)
        total = total + mixed.conj().T @ mixed
        if np.iscomplexobj(total):
            total = total + 1j * mixed * rng.standard_normal()
    for one in h:
        total = total + rng.standard_normal() * (one + one.conj().T)
        for other in x:
            total = total + rng.standard_normal() * (other @ one + (other @ one).conj().T)
    return (total + total.conj().T) / 2.0


def _solve(pairs: _Pairs, rows: np.ndarray, columns: np.ndarray) -> np.ndarray | None:
    """Basis of the W that are zero outside (rows, columns); None where the rank is unclear."""
    shape = (len(pairs[0][0]), len(pairs[0][1]))
    _check_size(shape[0] * shape[1] * len(rows))
    dtype = pairs[0][0].dtype
    basis = np.eye(len(rows), dtype=dtype)
    for out, into in pairs:
        system = _commutator(out, into, rows, columns) @ basis
        kernel = _kernel(system, _size(out) + _size(into))
        if kernel is None:
            return None
        basis = basis @ kernel
    maps = np.zeros((basis.shape[1], *shape), dtype=dtype)
    maps[:, rows, columns] = basis.T
    return maps


def _commutator(
    out: np.ndarray, into: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    # Column i is A_out E - E A_in for the unit matrix E with a one at (rows[i], columns[i]).
    unknown = np.arange(len(rows))
    system = np.zeros((len(out), len(into), len(rows)), dtype=out.dtype)
    system[:, columns, unknown] += out[:, rows]
    system[rows, :, unknown] -= into[columns, :]
    return system.reshape(len(out) * len(into), len(rows))


def _kernel(system: np.ndarray, size: float) -> np.ndarray | None:
    count = system.shape[1]
    if count == 0:
        return np.zeros((0, 0), dtype=system.dtype)
    triangle = np.linalg.qr(system, mode="r")
    _, values, right = np.linalg.svd(triangle, full_matrices=True)
    values = np.concatenate([values, np.zeros(count - len(values))]) / size
    if np.any((values > _ZERO) & (values < _NOT_ZERO)):
        return None
    return right[values <= _ZERO].conj().T


def _check_size(entries: int) -> None:
    if entries > _LARGEST_SYSTEM:
        raise RepresentationError(
            "these representations are too large for the null-space solver",
            got=f"a system of {entries} entries",
            expected=f"at most {_LARGEST_SYSTEM}",
            remedy="solve for one irrep at a time, with multiplicity one",
        )
