"""One evaluation written down and repeated for other input: what a call costs besides arithmetic.

A small molecule's energy and forces take some three hundred operations of a few microseconds each
around a fraction of a millisecond of arithmetic.  A recording keeps what depends on the input: the
compiled passes with their addresses, and torch's own operations writing into the tensors that they
wrote the first time.  Views need no repeating, nor does anything that the input does not touch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from schur.errors import BackendError

Step = Callable[[], Any]

_here = threading.local()

# Operations whose result depends on the shape of a tensor, and not on its values.
_SHAPES = {"new_empty", "new_zeros", "new_ones", "new_full"}
_SHAPES |= {f"{name}_like" for name in ("empty", "zeros", "ones", "full")}


def active() -> Recorder | None:
    """The recorder at work in this thread, if there is one."""
    return getattr(_here, "recorder", None)


def recorder_of(*values: Tensor) -> Recorder | None:
    """The recorder at work, if these values depend on its inputs."""
    if torch.compiler.is_compiling():
        return None
    recorder = active()
    return recorder if recorder is not None and recorder.depends(values) else None


def checked(test: Callable[[], None], *values: Tensor) -> None:
    """Make a test of values, which raises; and again whenever a recording repeats them."""
    recorder = recorder_of(*values)
    if recorder is None:
        return test()
    with _disable_current_modes():
        test()
    recorder.steps.append(test)


def past_torch(step: Step, read: Sequence[Tensor], written: Sequence[Tensor]) -> None:
    """Make a step that may look at values; and again whenever a recording repeats them.

    Args:
        step: overwrites all of the tensors `written`, whose shapes do not depend on values.
        read: the tensors that it reads, where they stand.
        written: of its own memory, and without a gradient.
    """
    recorder = recorder_of(*read)
    if recorder is None:
        step()
        return
    with _disable_current_modes():
        step()
    recorder.kernel(read, read, written, [step], None)


class Recording:
    """What `record` wrote down.

    Args:
        inputs: the tensors to be overwritten with new values before each repetition.
        outputs: what the function returned; overwritten by each repetition.
        restored: pairs of a tensor and the values that it starts from.
        steps: what to repeat, in order.
        kept: what the steps refer to by address.
    """

    def __init__(
        self,
        inputs: Sequence[Tensor],
        outputs: Any,
        restored: Sequence[tuple[Tensor, Tensor]],
        steps: Sequence[Step],
        kept: Sequence[Any],
    ) -> None:
        self.inputs, self.outputs = tuple(inputs), outputs
        self._restored, self._steps, self._kept = tuple(restored), tuple(steps), kept

    def __call__(self, *inputs: Tensor) -> Any:
        """The outputs for other input: the same tensors each time, with new values."""
        with torch.no_grad():
            for mine, given in zip(self.inputs, inputs, strict=True):
                mine.copy_(given)
            for tensor, start in self._restored:
                tensor.copy_(start)
            for step in self._steps:
                step()
        return self.outputs

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def nbytes(self) -> int:
        """Memory of all tensors that the steps refer to."""
        stores = {_memory(t): t.untyped_storage().nbytes() for t in _tensors(self._kept)}
        return sum(stores.values())


def record(function: Callable[..., Any], *inputs: Tensor, live: Iterable[Tensor] = ()) -> Recording:
    """Evaluate a function and write down how.

    The function may do anything that torch does, derivatives included, as long as neither its
    control flow nor a shape depends on values computed from the inputs.  Everything else that it
    reads counts as constant, but for what is `live`.

    Args:
        function: of tensors, to tensors in tuples, lists or dictionaries.
        inputs: its arguments; the recording makes copies, which it owns.
        live: tensors that others write into between repetitions, such as parameters; they are
            read where they stand.

    Raises:
        BackendError: for a function that looks at values, or draws random numbers.

    Example:
        >>> def force(x):
        ...     y = x.detach().requires_grad_()
        ...     return torch.autograd.grad((y**3).sum(), y)[0]
        >>> made = record(force, torch.tensor([1.0, 2.0]))
        >>> made(torch.tensor([3.0, 4.0]))
        tensor([27., 48.])
    """
    mine = [given.detach().clone() for given in inputs]
    recorder = Recorder([*mine, *live])
    before = active()
    _here.recorder = recorder
    try:
        with recorder:
            outputs = function(*mine)
    finally:
        _here.recorder = before
    return Recording(mine, outputs, recorder.restored, recorder.steps, recorder.kept)


class Recorder(TorchDispatchMode):
    """Follows which memory depends on the inputs, and collects the operations that make it."""

    def __init__(self, inputs: Iterable[Tensor]) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.restored: list[tuple[Tensor, Tensor]] = []
        # Nothing may be freed while its address stands for it.
        self.kept: list[Any] = list(inputs)
        self._dependent = {_memory(tensor) for tensor in self.kept}

    def depends(self, values: Any) -> bool:
        """Whether one of the tensors among some values depends on the inputs."""
        return any(_memory(tensor) in self._dependent for tensor in _tensors(values))

    def kernel(
        self,
        given: Sequence[Tensor],
        read: Sequence[Tensor | None],
        written: Sequence[Tensor],
        launches: Sequence[Step],
        kept: Any,
    ) -> None:
        """Passes that were made past torch.

        Args:
            given: what the caller passed.
            read: what the passes read: the same, or copies made for them.
            written: outputs; all of their memory that matters is written anew by each call.
            launches: the passes.
            kept: what else they refer to.
        """
        self.kept.append((given, read, written, kept))
        if not self.depends(given):
            return
        for value, used in zip(given, read, strict=True):
            if used is not None and _memory(value) != _memory(used):
                self.steps.append(_Copy(used, value))
        self.steps.extend(launches)
        self._dependent.update(_memory(tensor) for tensor in written)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "schur":  # whose kernels announce themselves
            return func(*args, **kwargs)
        before = _tensors((args, kwargs))
        name = func._schema.name.rpartition("::")[2]
        depends = name not in _SHAPES and self.depends(before)
        if torch.Tag.nondeterministic_seeded in func.tags or (depends and _looks(func, args)):
            raise BackendError(
                "this function cannot be recorded: what it does depends on values, or on chance",
                got=str(func),
                remedy="evaluate it anew each time",
            )
        if not depends:
            out = func(*args, **kwargs)
            self.kept.append(out)
            return out
        if func._schema.is_mutable:
            return self._in_place(func, args, kwargs)
        out = func(*args, **kwargs)
        self.kept.append((args, kwargs, out))
        made = _tensors(out)
        places = {_memory(tensor) for tensor in before}
        if not all(_memory(tensor) in places for tensor in made):  # else views, that stay valid
            self.steps.append(_repeated(func, args, kwargs, out))
        self._dependent.update(_memory(tensor) for tensor in made)
        return out

    def _in_place(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """An operation that writes into an argument, which starts anew in each repetition."""
        written = _tensors(_written(func, args, kwargs))
        for tensor in written:
            if _memory(tensor) not in self._dependent:
                self.restored.append((tensor, tensor.clone()))
                self._dependent.add(_memory(tensor))
        out = func(*args, **kwargs)
        self.kept.append((args, kwargs, out))
        self.steps.append(_Call(func, args, kwargs))
        return out


def _looks(func: Any, args: Sequence[Any]) -> bool:
    """Whether Python sees the values of the result, or its shape depends on values."""
    if torch.Tag.dynamic_output_shape in func.tags:
        masks = any(tensor.dtype in (torch.bool, torch.uint8) for tensor in _tensors(args[1:]))
        return masks or func._schema.name != "aten::index"
    return torch.Tag.data_dependent_output in func.tags


class _Copy:
    """target <- source."""

    def __init__(self, target: Tensor, source: Tensor) -> None:
        self.target, self.source = target, source

    def __call__(self) -> None:
        self.target.copy_(self.source)


class _Call:
    """An operation of torch on given tensors."""

    def __init__(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.call, self.args, self.kwargs = func._op, tuple(args), dict(kwargs)

    def __call__(self) -> None:
        self.call(*self.args, **self.kwargs)


class _Anew:
    """An operation that has no form which writes into all of the given tensors."""

    def __init__(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> None:
        self.func, self.args, self.kwargs, self.out = func, tuple(args), dict(kwargs), out

    def __call__(self) -> None:
        made = self.func(*self.args, **self.kwargs)
        for target, source in zip(_tensors(self.out), _tensors(made), strict=True):
            target.copy_(source)


def _repeated(func: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Step:
    """The operation, writing into the tensors that it made."""
    variant = _writing_into(func)
    targets = out if isinstance(out, (tuple, list)) else (out,)
    # A derivative that nobody asked for is no tensor, and there is nothing to write into.
    if variant is None or any(target is None for target in targets):
        return _Anew(func, args, kwargs, out)
    names = [argument.name for argument in variant._schema.arguments if argument.is_out]
    return _Call(variant, args, {**kwargs, **dict(zip(names, targets, strict=True))})


def _writing_into(func: Any) -> Any:
    """The overload with the same arguments and an `out` for each result, or None."""
    packet = func._overloadpacket
    wanted = [(a.name, str(a.type)) for a in func._schema.arguments]
    for name in packet.overloads():
        variant = getattr(packet, name)
        arguments = variant._schema.arguments
        outs = [argument for argument in arguments if argument.is_out]
        rest = [(a.name, str(a.type)) for a in arguments if not a.is_out]
        if len(outs) == len(func._schema.returns) and outs and rest == wanted:
            return variant
    return None


def _written(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments that an operation writes into."""
    result = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            result.append(args[place] if place < len(args) else kwargs.get(argument.name))
    return result


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
