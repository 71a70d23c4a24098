"""What the import hook wraps every function of the library in: beartype, with one exception."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from beartype import beartype

F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """Check arguments and result at each call.

    `Self` has a meaning only where a class is decorated as a whole, and the hook decorates
    functions: those that speak of it stay as they are.
    """
    hints = getattr(function, "__annotations__", {}).values()
    if any(re.search(r"\bSelf\b", str(hint)) for hint in hints):
        return function
    return beartype(function)
