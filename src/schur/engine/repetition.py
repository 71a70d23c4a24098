"""One evaluation kept to be repeated: recorded on a CPU, captured on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from schur.engine import device_graphs, recording


@runtime_checkable
class Repetition(Protocol):
    """An evaluation that can be repeated for other input.

    Attributes:
        outputs: of the last repetition; the next one overwrites them.
        nbytes: memory that it keeps.
    """

    outputs: Any

    @property
    def nbytes(self) -> int:
        """Memory that it keeps."""
        ...

    def __call__(self, *inputs: Tensor) -> Any:
        """The outputs for other input."""
        ...


def is_possible(kind: str) -> bool:
    """Whether evaluations on a kind of device can be repeated.

    Example:
        >>> is_possible("cpu"), is_possible("cuda"), is_possible("meta")
        (True, True, False)
    """
    return kind == "cpu" or device_graphs.is_known(kind)


def repetition(
    function: Callable[..., Any], *inputs: Tensor, live: Iterable[Tensor] = ()
) -> Repetition:
    """Evaluate a function, and keep how; see `recording.record` and `device_graphs.capture`.

    Args:
        function: of tensors, to tensors in tuples, lists or dictionaries.
        inputs: its arguments, all on one device.
        live: tensors that others write into between repetitions, such as parameters.

    Raises:
        BackendError: for a function that cannot be repeated, with the reason.

    Example:
        >>> import torch
        >>> twice = repetition(lambda x: 2 * x, torch.tensor([1.0]))
        >>> twice(torch.tensor([4.0]))
        tensor([8.])
    """
    if inputs[0].device.type == "cpu":
        return recording.record(function, *inputs, live=live)
    return device_graphs.capture(function, *inputs)
