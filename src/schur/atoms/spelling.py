"""The setting that a misspelt one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


def dotted_keys(tree: Mapping[str, Any], above: str = "") -> list[str]:
    """The keys of a tree of settings as overrides name them.

    Example:
        >>> dotted_keys({"a": {"b": 1, "c": 2}, "d": 3})
        ['a.b', 'a.c', 'd']
    """
    found: list[str] = []
    for key, value in tree.items():
        inside = isinstance(value, Mapping)
        found += dotted_keys(value, f"{above}{key}.") if inside else [f"{above}{key}"]
    return found


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known dotted key that is most like a word, by its last part and then as a whole.

    Example:
        >>> meant("training.epoch", ["training.epochs", "training.seed"])
        'training.epochs'
        >>> meant("epochs", ["training.epochs", "training.seed"])
        'training.epochs'
        >>> meant("training.zzz", ["training.epochs"]) is None
        True
    """
    keys = list(known)
    last = {key.rsplit(".", 1)[-1]: key for key in keys}
    by_whole = get_close_matches(word, keys, n=1, cutoff=0.8)
    by_last = get_close_matches(word.rsplit(".", 1)[-1], list(last), n=1, cutoff=0.75)
    if by_last and (not by_whole or by_last[0] == word.rsplit(".", 1)[-1]):
        return last[by_last[0]]
    return by_whole[0] if by_whole else None
