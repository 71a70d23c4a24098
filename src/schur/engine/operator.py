"""The one custom operator: a program applied to tensors, differentiable to any order.

`schur::run` is opaque to torch.compile and torch.export, which see its fake implementation and a
backward that calls the operator again with the derived program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import unwrap_if_dead  # pyright: ignore[reportMissingImports]

from schur.engine.asked_for import asked_for
from schur.engine.tracing import is_traced, is_transformed
from schur.errors import BackendError
from schur.forms import Program, derivative, linearised

Execute = Callable[[Program, Sequence[Tensor], Sequence[Tensor], Sequence[int]], list[Tensor]]

_programs: dict[str, Program] = {}
_backends: dict[str, Execute] = {}


def register_backend(name: str, execute: Execute) -> None:
    """Make a backend known to the operator."""
    _backends[name] = execute


def register_program(program: Program, backend: str) -> str:
    """The name under which the operator finds a program."""
    key = f"{backend}:{program.key}"
    _programs.setdefault(key, program)
    return key


def program_of(key: str) -> Program:
    """The program behind a name.

    Raises:
        BackendError: if this process has not built the module that made the program.
    """
    if key not in _programs:
        raise BackendError(
            "this process does not know the program that an exported model refers to",
            got=key,
            remedy="build the same schur modules before you load or run the exported model",
        )
    return _programs[key]


_library = torch.library.Library("schur", "DEF")
_library.define("run(Tensor[] values, Tensor[] indices, str key, SymInt[] lengths) -> Tensor[]")


def call(
    values: Sequence[Tensor], indices: Sequence[Tensor], key: str, lengths: Sequence[int]
) -> Sequence[Tensor]:
    """Apply the program `key` to tensors.

    Compiled and exported graphs get the operator, as do tensors without memory; eager code gets an
    autograd function around it, which costs less a call and which the transforms of torch.func
    and forward-mode differentiation understand.
    """
    if is_traced() or values[0].is_meta:
        return torch.ops.schur.run(list(values), list(indices), key, list(lengths))
    if is_transformed():
        return _Transformable.apply(key, list(lengths), len(values), *values, *indices)
    if torch.is_grad_enabled() and any(value.requires_grad for value in values):
        return _Run.apply(key, lengths, len(values), *values, *indices)
    return _execute(values, indices, key, lengths)


def _execute(
    values: Sequence[Tensor], indices: Sequence[Tensor], key: str, lengths: Sequence[int]
) -> list[Tensor]:
    return _backends[key.partition(":")[0]](program_of(key), values, indices, lengths)


_library.impl("run", _execute, "CompositeExplicitAutograd")


@torch.library.register_fake("schur::run")
def _fake(
    values: Sequence[Tensor], indices: Sequence[Tensor], key: str, lengths: Sequence[int]
) -> list[Tensor]:
    return [values[0].new_empty(shape) for shape in _shapes(program_of(key), lengths)]


def _shapes(program: Program, lengths: Sequence[int]) -> list[tuple[int, ...]]:
    """The shapes of a program's outputs."""
    extents = dict(zip(("rows", *program.indices), lengths, strict=True))
    shapes = []
    for name in program.outputs:
        operand = program.values[name]
        lead = () if operand.mode == "shared" else (extents[operand.index or "rows"],)
        shapes.append((*lead, operand.size))
    return shapes


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    values, indices, key, lengths = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*values, *indices)
    ctx.key, ctx.lengths, ctx.count = key, lengths, len(values)


def _backward(ctx: Any, grads: Sequence[Tensor | None]) -> tuple[Any, ...]:
    saved = ctx.saved_tensors
    values, indices = saved[: ctx.count], saved[ctx.count :]
    needed = ctx.needs_input_grad[0]
    if isinstance(needed, bool):
        needed = [needed] * ctx.count
    gradients = vjp(ctx.key, values, indices, ctx.lengths, list(grads), list(needed))
    return gradients, [None] * len(indices), None, None


def _gradients(
    ctx: Any, saved: Sequence[Tensor], grads: Sequence[Tensor | None], needed: Sequence[bool]
) -> tuple[Any, ...]:
    count = ctx.count
    by = needed[3 : 3 + count]
    gradients = vjp(ctx.key, saved[:count], saved[count:], ctx.lengths, grads, by)
    return None, None, None, *gradients, *([None] * (len(saved) - count))


class _Run(torch.autograd.Function):
    """The operator for eager code."""

    @staticmethod
    def forward(
        ctx: Any, key: str, lengths: list[int], count: int, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.key, ctx.lengths, ctx.count = key, lengths, count
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return tuple(_execute(tensors[:count], tensors[count:], key, lengths))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        return _gradients(ctx, ctx.saved_tensors, grads, asked_for(ctx))


class _Transformable(torch.autograd.Function):
    """The operator for the transforms of torch.func, which want the context set up apart."""

    @staticmethod
    def forward(key: str, lengths: list[int], count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(_execute(tensors[:count], tensors[count:], key, lengths))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.key, ctx.lengths, ctx.count = inputs[:3]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[3:])
        ctx.save_for_forward(*inputs[3:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        # A gradient may be asked for when its transform has ended; what that had wrapped is bare.
        saved = [unwrap_if_dead(tensor) for tensor in ctx.saved_tensors]
        return _gradients(ctx, saved, grads, ctx.needs_input_grad)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor, ...]:
        saved, count = ctx.saved_tensors, ctx.count
        moved = jvp(ctx.key, saved[:count], saved[count:], ctx.lengths, tangents[3 : 3 + count])
        # torch takes no None for an output that does not move.
        shapes = _shapes(program_of(ctx.key), ctx.lengths)
        return tuple(
            saved[0].new_zeros(shape) if tangent is None else tangent
            for tangent, shape in zip(moved, shapes, strict=True)
        )

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any,
        in_dims: tuple[Any, ...],
        key: str,
        lengths: list[int],
        count: int,
        *tensors: Tensor,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """One call for each entry of the mapped axis."""
        outputs = [
            _Transformable.apply(key, lengths, count, *_entry(tensors, in_dims[3:], position))
            for position in range(info.batch_size)
        ]
        stacked = tuple(torch.stack(parts) for parts in zip(*outputs, strict=True))
        return stacked, (0,) * len(stacked)


def _entry(tensors: Sequence[Tensor], dims: Sequence[int | None], position: int) -> list[Tensor]:
    return [
        tensor if dim is None else tensor.select(dim, position)
        for tensor, dim in zip(tensors, dims, strict=True)
    ]


@lru_cache(maxsize=4096)
def _restricted(program: Program, outputs: tuple[str, ...]) -> Program:
    return program.restricted(outputs)


def vjp(
    key: str,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
    cotangents: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients by the inputs that need one, from one run of the derived program."""
    program = program_of(key)
    given = [
        (name, g) for name, g in zip(program.outputs, cotangents, strict=True) if g is not None
    ]
    wanted = [o.name for o, need in zip(program.inputs, needed, strict=True) if need]
    gradients: list[Tensor | None] = [None] * len(values)
    if not given or not wanted:
        return gradients
    if len(given) < len(program.outputs):
        program = _restricted(program, tuple(name for name, _ in given))
    derived = derivative(program, tuple(wanted))
    at_hand = {o.name: v for o, v in zip(program.inputs, values, strict=True)}
    at_hand.update({derived.cotangents[name]: g for name, g in given})
    results = _call_derived(derived.program, key, at_hand, indices, lengths)
    for position, operand in enumerate(program.inputs):
        gradients[position] = results.get(derived.gradients.get(operand.name, ""))
    return gradients


def jvp(
    key: str,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
    tangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The directional derivative of each output."""
    program = program_of(key)
    at_hand = {o.name: v for o, v in zip(program.inputs, values, strict=True)}
    given = [(o.name, t) for o, t in zip(program.inputs, tangents, strict=True) if t is not None]
    derived = linearised(program, tuple(name for name, _ in given))
    at_hand.update({derived.cotangents[name]: t for name, t in given})
    results = _call_derived(derived.program, key, at_hand, indices, lengths)
    return [results.get(derived.gradients.get(name, "")) for name in program.outputs]


def _call_derived(
    derived: Program,
    key: str,
    at_hand: dict[str, Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> dict[str, Tensor]:
    """Run a program made from the program `key` on the same rows and indices."""
    if not derived.outputs:
        return {}
    names = program_of(key).indices
    arrays = {name: indices[3 * k : 3 * k + 3] for k, name in enumerate(names)}
    sizes = dict(zip(names, lengths[1:], strict=True))
    outputs = call(
        [at_hand[operand.name] for operand in derived.inputs],
        [tensor for name in derived.indices for tensor in arrays[name]],
        register_program(derived, key.partition(":")[0]),
        [lengths[0], *(sizes[name] for name in derived.indices)],
    )
    return dict(zip(derived.outputs, outputs, strict=True))


torch.library.register_autograd("schur::run", _backward, setup_context=_setup)
