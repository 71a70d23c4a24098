"""Metrics as JSON that every reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def without_nan(tree: Any) -> Any:
    """The tree with None for numbers that JSON does not have; mappings and lists become plain.

    Example:
        >>> without_nan({"mae": 0.5, "of": [math.nan, -math.inf, 3]})
        {'mae': 0.5, 'of': [None, None, 3]}
    """
    if isinstance(tree, Mapping):
        return {str(key): without_nan(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [without_nan(value) for value in tree]
    if isinstance(tree, float):
        return tree if math.isfinite(tree) else None
    return tree


def json_text(tree: Any) -> str:
    """A tree as JSON for people to read, with null where a number is unknown.

    Example:
        >>> print(json_text({"stress": math.nan}))
        {
          "stress": null
        }
    """
    return json.dumps(without_nan(tree), indent=2, allow_nan=False)
