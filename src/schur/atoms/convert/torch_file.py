"""Files of `torch.save`, read as records and arrays."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from .stand_ins import Record, Storage, read_pickle

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
_PICKLE = "data.pkl"
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")


class TorchFile:
    """A file that `torch.save` wrote; nothing in it is run.

    Args:
        path: of the file.

    Attributes:
        root: what was saved, see `read_pickle`.

    Raises:
        DataError: a file that is absent, cut off, or of another kind.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/a.pt"
        >>> torch.save({"x": torch.arange(3.0)}, path)
        >>> file = TorchFile(path)
        >>> file.tensor(file.root["x"])
        tensor([0., 1., 2.])
    """

    root: Any

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        if not Path(path).is_file():
            raise DataError("there is no such file", got=self.name, expected="a file of torch.save")
        try:
            with zipfile.ZipFile(path) as archive:
                self._parts = _contents(archive, self.name)
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            raise DataError(
                f"{self.name} cannot be read",
                got=str(error),
                expected="a whole file written by torch.save of torch 1.6 or newer",
                remedy="it may be cut off: copy it again; one of an older torch has to be loaded "
                "and saved anew",
            ) from error
        self.root = read_pickle(self._parts[_PICKLE], self.name)

    def is_tensor(self, value: Any) -> bool:
        """Whether a value of the file stands for a tensor."""
        return isinstance(value, Record) and value.origin in (*_TENSORS, *_PARAMETERS)

    def tensor(self, value: Any) -> Tensor:
        """The tensor that a record stands for.

        Raises:
            DataError: a record of something else, or one that contradicts the arrays of the file.
        """
        while isinstance(value, Record) and value.origin in _PARAMETERS and value.args:
            value = value.args[0]
        try:
            return self._rebuilt(value)
        except (ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
            raise DataError(
                f"{self.name} has a tensor that cannot be rebuilt",
                got=f"{type(error).__name__}: {error}",
                expected="a dense array within the file",
            ) from error

    def _rebuilt(self, value: Any) -> Tensor:
        if not (isinstance(value, Record) and value.origin in _TENSORS):
            raise TypeError(f"{value!r} is no tensor")
        storage, offset, size, stride = value.args[:4]
        if not isinstance(storage, Storage):
            raise TypeError(f"a tensor of {storage!r}")
        if storage.count < 0 or prod(size) > storage.count or min([offset, *size, *stride]) < 0:
            raise ValueError(f"shape {size}, strides {stride} in an array of {storage.count}")
        dtype = _DTYPES[storage.kind]
        if not storage.count:
            return torch.empty(size, dtype=dtype)
        content = bytearray(self._parts[f"data/{storage.key}"])
        if len(content) != storage.count * dtype.itemsize:
            raise ValueError(f"array {storage.key} has {len(content)} bytes")
        flat = torch.frombuffer(content, dtype=dtype)
        return torch.as_strided(flat, size, stride, offset).clone()


def _contents(archive: zipfile.ZipFile, name: str) -> dict[str, bytes]:
    """The parts of an archive by their names below its one folder."""
    whole = {info.filename: info for info in archive.infolist()}
    tops = [part for part in whole if part.endswith(f"/{_PICKLE}") and part.count("/") == 1]
    if len(tops) != 1:
        raise DataError(
            f"{name} was not written by torch.save",
            got=f"an archive of {', '.join(list(whole)[:4]) or 'nothing'}",
            expected=f"one folder with {_PICKLE}",
        )
    folder = tops[0].removesuffix(_PICKLE)
    if f"{folder}constants.pkl" in whole:
        raise DataError(
            f"{name} holds a compiled program (TorchScript), not a model's settings",
            expected="the .model file that it was compiled from",
        )
    if any(info.compress_type != zipfile.ZIP_STORED for info in whole.values()):
        raise DataError(f"{name} was not written by torch.save", got="a compressed archive")
    parts = {part.removeprefix(folder): archive.read(part) for part in whole}
    if parts.get("byteorder", b"little") != b"little":
        raise DataError(f"{name} has numbers in another byte order", got=parts["byteorder"])
    return parts


def mapping_of(value: Any) -> Mapping[Any, Any]:
    """The entries of a dictionary of a file, ordered or not; none for anything else.

    Example:
        >>> mapping_of({"a": 1})
        {'a': 1}
    """
    if isinstance(value, dict):
        return value
    if isinstance(value, Record) and value.kind == "OrderedDict":
        return value.items
    return {}
