"""Named tensors and a JSON header in one safetensors file, written all or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import DataError

T = TypeVar("T")

_HEADER = "schur"


def save_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> None:
    """Writes tensors with a header; an existing file is replaced only once the new one is whole.

    Args:
        path: target; the folder must exist.
        tensors: by name.
        header: anything JSON can hold.

    Raises:
        DataError: no space or no permission; the old file is then untouched.

    Example:
        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "a.safetensors"
        >>> save_tensors(path, {"x": torch.arange(3)}, {"kind": "example"})
        >>> load_tensors(path)
        ({'x': tensor([0, 1, 2])}, {'kind': 'example'})
    """
    target = Path(path)
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    data = save(plain, metadata={_HEADER: json.dumps(header)})
    # Not of the module tempfile: its files are for the owner alone, whatever the umask says.
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{target} could not be written; a file that was there before is unchanged",
            got=str(error),
            expected=f"a writable folder with {len(data) / 1e6:.1f} MB of free space",
        ) from error


def load_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads what `save_tensors` wrote.

    Raises:
        DataError: a file that is absent, cut off, or of another origin.
    """
    return _read(path, lambda stream: {key: stream.get_tensor(key) for key in stream.keys()})  # noqa: SIM118


def load_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the header that `save_tensors` wrote, and none of the tensors.

    Raises:
        DataError: as `load_tensors`.
    """
    return _read(path, lambda stream: None)[1]


def _read(path: str | os.PathLike[str], read: Callable[[Any], T]) -> tuple[T, dict[str, Any]]:
    """What is read of an open file, and its header."""
    name = os.fspath(path)
    if not os.path.exists(name):
        raise DataError("there is no such file", got=name, expected="a file written by schur")
    try:
        with safe_open(name, framework="pt") as stream:
            metadata = stream.metadata() or {}
            found = read(stream)
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{name} cannot be read",
            got=str(error),
            expected="a whole safetensors file",
            remedy="it may be cut off: copy it again, or use the checkpoint beside it",
        ) from error
    if _HEADER not in metadata:
        raise DataError(
            f"{name} was not written by schur",
            got=f"header with {sorted(metadata)}",
            expected="a header named schur",
        )
    return found, json.loads(metadata[_HEADER])


def flatten(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Puts a prefix before each name.

    Example:
        >>> import torch
        >>> list(flatten({"w": torch.zeros(1)}, "model"))
        ['model/w']
    """
    return {f"{prefix}/{name}": value for name, value in state.items()}


def select(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it; the inverse of `flatten`."""
    start = f"{prefix}/"
    return {n.removeprefix(start): v for n, v in tensors.items() if n.startswith(start)}
