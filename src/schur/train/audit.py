"""How equivariant is a function? Measured by element of the group and by layer, with error bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Inexact, Shaped
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.groups import Group
from schur.reps import Representation
from schur.tensors import GeometricTensor


@dataclass(frozen=True)
class Measured:
    """A mean with its standard error.

    Example:
        >>> print(Measured(0.123, 0.004))
        1.2e-01 ± 4.0e-03
    """

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.1e} ± {self.error:.1e}"


@dataclass(frozen=True)
class Audit:
    """Equivariance errors, as shares of the size of what was compared unless `measures` differs.

    Args:
        group: what was tried, in words.
        total: over random elements.
        elements: for each kind of element.
        layers: for each layer whose representation is known, in the order of their use, over
            random elements. A layer is charged for what comes in: look for the first that is off.
        unknown: layers whose representation is not known, which were not measured.
        measures: what the numbers are, in words.
    """

    group: str
    total: Measured
    elements: Mapping[str, Measured]
    layers: Mapping[str, Measured] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    measures: str = "relative"

    def __str__(self) -> str:
        width = max(map(len, ("random elements", *self.elements, *self.layers)))
        lines = [f"equivariance error under {self.group}, {self.measures}"]
        lines += [f"  {'random elements':{width}}  {self.total}"]
        lines += [f"  {name:{width}}  {found}" for name, found in self.elements.items()]
        if self.layers:
            lines += ["by layer"]
            lines += [f"  {name:{width}}  {found}" for name, found in self.layers.items()]
        return "\n".join(lines)


def audit_module(
    model: Callable[..., Any],
    group: Group,
    rep_in: Representation | Sequence[Representation | None] | None = None,
    rep_out: Representation | None = None,
    inputs: Shaped[Tensor, "..."] | Sequence[Any] | int = 256,
    layers: Mapping[str, Representation] | None = None,
    samples: int = 16,
    seed: int = 0,
) -> Audit:
    """The equivariance error of a function of tensors.

        e(g)² = mean_x |f(ρ(g) x) - σ(g) f(x)|² / mean_x ½ (|f(ρ(g) x)|² + |f(x)|²)

    with the mean over the first axis of the inputs. Because it is divided by the size of the
    output it cannot be made small by a small output; 1.4 is what unrelated values give. Error bars
    are standard errors: over the elements for random ones and layers, over the inputs for one
    element.

    Args:
        model: a module or function; module(x) or module(x, y, …).
        group: whose equivariance is measured.
        rep_in: how the last axis of each input transforms, None for an input that does not;
            `model.rep_in` if not given.
        rep_out: the same for the output; `model.rep_out` if not given.
        inputs: tensors with independent samples along the first axis, from the distribution that
            matters; a number asks for so many standard normal vectors.
        layers: representations of the outputs of submodules, by name; those of Schur's layers are
            known from their `rep_out`.
        samples: how many random elements.
        seed: of elements and inputs.

    Raises:
        RepresentationError: a representation is not known, or is one of another group.
        ShapeError: an input does not fit its representation.

    Source: Lawrence et al., https://arxiv.org/abs/2306.06327 and Gruver et al., "The Lie
    derivative for measuring learned equivariance", https://arxiv.org/abs/2210.02984, for the
    measurement as such.

    Example:
        >>> from schur.groups import Orthogonal
        >>> from schur.reps import Defining, Trivial
        >>> plane = Orthogonal(2)
        >>> length = lambda x: x.square().sum(-1, keepdim=True) + 0.1 * x[..., :1]
        >>> print(audit_module(length, plane, Defining(plane), Trivial(plane)))
        equivariance error under O(2), relative
          random elements  ...
          generator 0      ...
          discrete 0       ...
    """
    reps_in, rep_out = _representations(model, group, rep_in, rep_out)
    if samples < 1:
        raise ShapeError("an audit needs elements", got=f"samples={samples}", expected="1, 2, …")
    rng = np.random.default_rng(seed)
    given = _inputs(inputs, reps_in, rng, model)
    if not all(len(x) for x in given):
        raise ShapeError("an audit needs inputs", got="none", expected="one sample or more")
    known, unknown = _known_layers(model, group, layers or {})
    before, seen_before = _watched(model, known, given)
    totals: list[float] = []
    by_layer: dict[str, list[float]] = {name: [] for name in seen_before}
    for g in group.sample(rng, samples):
        after, seen_after = _watched(model, known, _moved(given, reps_in, g))
        totals.append(relative_error(after, transformed(before, rep_out, g)).value)
        for name, errors in by_layer.items():
            expected = transformed(seen_before[name], known[name], g)
            errors.append(relative_error(seen_after[name], expected).value)
    elements = {}
    for name, g in _kinds(group, rng):
        after, _ = _watched(model, {}, _moved(given, reps_in, g))
        elements[name] = relative_error(after, transformed(before, rep_out, g))
    layers_found = {name: averaged(errors) for name, errors in by_layer.items()}
    return Audit(str(group), averaged(totals), elements, layers_found, unknown)


def equivariance_penalty(
    model: Callable[..., Any],
    rep_in: Representation | Sequence[Representation | None],
    rep_out: Representation,
    inputs: Shaped[Tensor, "..."] | Sequence[Any],
    elements: Inexact[np.ndarray, "count n n"],
) -> Float[Tensor, ""]:
    """The mean of e(g)² over elements, differentiable: a soft constraint to add to a loss.

    e(g) is that of `audit_module`. One element a step is enough; draw it with
    `group.sample(rng, 1)`.

    Args:
        model, rep_in, rep_out, inputs: as there.
        elements: group elements, shape (count, n, n).

    Source: Kim et al., "Regularizing towards soft equivariance under mixed symmetries",
    https://arxiv.org/abs/2306.00356, with the error divided by the size of the output.

    Example:
        >>> from schur.groups import Orthogonal
        >>> from schur.reps import Defining
        >>> group, rng = Orthogonal(3), np.random.default_rng(0)
        >>> layer = torch.nn.Linear(3, 3)
        >>> v = Defining(group)
        >>> loss = equivariance_penalty(layer, v, v, torch.randn(8, 3), group.sample(rng, 1))
        >>> loss.backward(); bool(layer.weight.grad.abs().sum() > 0)
        True
    """
    reps_in = (rep_in,) if isinstance(rep_in, Representation) else tuple(rep_in)
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    before = _plain(model(*given))
    total = before.new_zeros(())
    for g in elements:
        after, expected = _plain(model(*_moved(given, reps_in, g))), transformed(before, rep_out, g)
        sizes = 0.5 * (after.square().sum() + expected.square().sum())
        total = total + (after - expected).square().sum() / sizes
    return total / len(elements)


def transformed(
    x: Shaped[Tensor, "..."], rep: Representation, g: Inexact[np.ndarray, "n n"]
) -> Shaped[Tensor, "..."]:
    """ρ(g) applied to the last axis."""
    matrix = torch.from_numpy(np.array(rep.matrix(g))).to(x.device)
    kind = torch.promote_types(x.dtype, torch.complex64) if matrix.is_complex() else x.dtype
    return x.to(kind) @ matrix.to(kind).T


def relative_error(
    found: Shaped[Tensor, "rows ..."], expected: Shaped[Tensor, "rows ..."]
) -> Measured:
    """|found - expected| over the mean size of the two, with the standard error over rows.

    √(Σ a / Σ b) with a = |f - h|² and b = ½ (|f|² + |h|²) row by row; its variance to first order
    is that of a - e² b.
    """
    f, h = found.detach(), expected.detach()
    kind = torch.complex128 if f.is_complex() or h.is_complex() else torch.float64
    f, h = f.to(kind), h.to(kind)
    a = (f - h).abs().square().reshape(len(f), -1).sum(1)
    b = 0.5 * (f.abs().square() + h.abs().square()).reshape(len(f), -1).sum(1)
    size = max(float(b.sum()), torch.finfo(torch.float64).tiny)
    ratio = float(a.sum()) / size
    value = ratio**0.5
    spread = float((a - ratio * b).square().sum()) ** 0.5 / size
    return Measured(value, spread / (2 * value) if value else 0.0)


def averaged(values: Sequence[float]) -> Measured:
    """The mean of independent values with its standard error."""
    array = np.asarray(values)
    spread = array.std(ddof=1) / len(array) ** 0.5 if len(array) > 1 else 0.0
    return Measured(float(array.mean()), float(spread))


def _kinds(group: Group, rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """One element along each generator, by about one unit, and the discrete generators."""
    found = []
    for a in range(group.dim):
        c = np.zeros(group.dim)
        c[a] = rng.uniform(0.5, 1.0)
        found.append((f"generator {a}", group.exp(c)))
    return found + [(f"discrete {j}", h) for j, h in enumerate(group.discrete())]


def _representations(
    model: Any,
    group: Group,
    rep_in: Representation | Sequence[Representation | None] | None,
    rep_out: Representation | None,
) -> tuple[tuple[Representation | None, ...], Representation]:
    rep_in = getattr(model, "rep_in", None) if rep_in is None else rep_in
    rep_out = getattr(model, "rep_out", None) if rep_out is None else rep_out
    if rep_in is None or rep_out is None:
        raise RepresentationError(
            "it is not known how the inputs and outputs transform",
            got=f"rep_in={rep_in}, rep_out={rep_out}",
            remedy="pass rep_in=... and rep_out=..., for example Defining(group)",
        )
    reps_in = (rep_in,) if isinstance(rep_in, Representation) else tuple(rep_in)
    for rep in (*reps_in, rep_out):
        if rep is not None and rep.group != group:
            raise RepresentationError(
                "a representation belongs to another group",
                got=f"{rep!r} of {rep.group}",
                expected=str(group),
                remedy="restrict it with rep.restrict(group)",
            )
    return reps_in, rep_out


def _inputs(
    inputs: Any,
    reps_in: tuple[Representation | None, ...],
    rng: np.random.Generator,
    model: Any,
) -> tuple[Any, ...]:
    if isinstance(inputs, int):
        kind = torch.get_default_dtype()
        if isinstance(model, torch.nn.Module):
            kind = next((p.dtype for p in model.parameters()), kind)
        dims = [1 if rep is None else rep.dim for rep in reps_in]
        return tuple(torch.from_numpy(rng.standard_normal((inputs, d))).to(kind) for d in dims)
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    for x, rep in zip(given, reps_in, strict=True):
        if rep is not None and x.shape[-1:] != (rep.dim,):
            raise ShapeError(
                f"vectors of {rep!r}", got=tuple(x.shape), expected=f"(samples, ..., {rep.dim})"
            )
    return given


def _moved(
    given: tuple[Any, ...], reps: tuple[Representation | None, ...], g: np.ndarray
) -> tuple[Any, ...]:
    pairs = zip(given, reps, strict=True)
    return tuple(x if rep is None else transformed(x, rep, g) for x, rep in pairs)


def _known_layers(
    model: Any, group: Group, said: Mapping[str, Representation]
) -> tuple[dict[str, Representation], tuple[str, ...]]:
    if not isinstance(model, torch.nn.Module):
        return {}, ()
    known: dict[str, Representation] = {}
    unknown = []
    names = {name: module for name, module in model.named_modules() if name}
    for name in said:
        if name not in names:
            raise RepresentationError(
                "the model has no such layer", got=name, expected=", ".join(names) or "none"
            )
    for name, module in names.items():
        rep = said.get(name, getattr(module, "rep_out", None))
        if isinstance(rep, Representation) and rep.group == group:
            known[name] = rep
        elif not list(module.children()):
            unknown.append(name)
    return known, tuple(unknown)


@contextmanager
def recorded_outputs(model: torch.nn.Module, names: Sequence[str]) -> Any:
    """A dictionary that fills with the last output of each named submodule while it is open."""
    seen: dict[str, Tensor] = {}
    modules = dict(model.named_modules())

    def keep(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, arguments: Any, output: Any) -> None:
            if isinstance(output, (Tensor, GeometricTensor)):
                seen[name] = _plain(output).detach()

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _watched(
    model: Any, known: Mapping[str, Representation], given: tuple[Any, ...]
) -> tuple[Tensor, dict[str, Tensor]]:
    with torch.no_grad():
        if not known:
            return _plain(model(*given)), {}
        with recorded_outputs(model, tuple(known)) as seen:
            out = _plain(model(*given))
    return out, {name: x for name, x in seen.items() if x.shape[-1:] == (known[name].dim,)}


def _plain(value: Any) -> Tensor:
    return value.data if isinstance(value, GeometricTensor) else value
