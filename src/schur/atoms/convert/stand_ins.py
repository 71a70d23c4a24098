"""Pickles read without running them: every class and function in them becomes a record.

A pickle is a program. Its instructions name functions and classes and call them; that is how
reading one runs foreign code. Here no name is ever looked up: each becomes a `Record` type of its
own, and a call makes an instance that notes its arguments. What a record means is for the reader
to say.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...errors import DataError


class Record:
    """An object of a pickle: the name of its class or function, and what it was made of.

    Attributes:
        origin: dotted name of the class, or of the function that was called.
        args: arguments of that call.
        state: what the pickle sets afterwards, as a rule a dictionary of attributes.
        items: entries, for what is filled like a dictionary.
        elements: entries, for what is filled like a list.
    """

    origin: ClassVar[str] = ""
    __slots__ = ("args", "elements", "items", "state")

    def __new__(cls, *args: Any, **keywords: Any) -> Record:
        """Notes the arguments; nothing else happens."""
        self = object.__new__(cls)
        self.args, self.state = args, keywords or None
        self.items, self.elements = {}, []
        return self

    def __init__(self, *args: Any, **keywords: Any) -> None:
        pass

    def __call__(self, *args: Any) -> Record:
        """A call of what an unknown function returned, noted like any other."""
        return Record(self, *args)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        """Notes an entry."""
        self.elements.append(value)

    def extend(self, values: Any) -> None:
        """Notes several entries."""
        self.elements.extend(values)

    @property
    def kind(self) -> str:
        """The last part of `origin`."""
        return self.origin.rpartition(".")[2]

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The state, where it is a dictionary."""
        return self.state if isinstance(self.state, dict) else {}

    def __repr__(self) -> str:
        return f"<{self.origin}>"


@dataclass(frozen=True)
class Storage:
    """A reference of a pickle of torch to an array beside it.

    Args:
        kind: name of the storage class, which says the number type.
        key: name of the array.
        count: how many numbers.
    """

    kind: str
    key: str
    count: int


def read_pickle(content: bytes, name: str) -> Any:
    """What a pickle holds, with a `Record` in place of everything that is not a plain value.

    Args:
        content: the pickle.
        name: of the file, for messages.

    Raises:
        DataError: no pickle, a pickle that is cut off, or one that does what no data need.

    Example:
        >>> import pickle, collections
        >>> found = read_pickle(pickle.dumps({"x": collections.Counter("aab")}), "a file")
        >>> found["x"], found["x"].args
        (<collections.Counter>, ({'a': 2, 'b': 1},))
    """
    try:
        return _Reader(io.BytesIO(content)).load()
    except Exception as error:  # a hostile pickle can make the machine fail in any way
        raise DataError(
            f"{name} holds a pickle that cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="objects, arrays and plain values as torch.save writes them",
            remedy="it may be cut off: copy it again",
        ) from error


class _Reader(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._types: dict[str, type[Record]] = {}

    def find_class(self, module_name: str, global_name: str, /) -> type[Record]:
        origin = f"{module_name}.{global_name}"
        if origin not in self._types:
            self._types[origin] = type("Record", (Record,), {"origin": origin, "__slots__": ()})
        return self._types[origin]

    def persistent_load(self, pid: Any, /) -> Storage:
        tag, kind, key, _, count = pid
        if tag != "storage" or not (isinstance(kind, type) and issubclass(kind, Record)):
            raise pickle.UnpicklingError("a reference to something that is no array")
        return Storage(kind.origin.rpartition(".")[2], str(key), int(count))


def is_name(value: Any) -> bool:
    """Whether a value is a class or function of the pickle itself, not an object made of one.

    Example:
        >>> is_name(read_pickle(pickle.dumps(len), "a file")), is_name(Record())
        (True, False)
    """
    return isinstance(value, type) and issubclass(value, Record)


def name_of(value: Any) -> str:
    """The last part of the name of a class or function of the pickle; the text of anything else.

    Example:
        >>> name_of(read_pickle(pickle.dumps(pickle.Unpickler), "a file"))
        'Unpickler'
    """
    return value.origin.rpartition(".")[2] if is_name(value) else str(value)
