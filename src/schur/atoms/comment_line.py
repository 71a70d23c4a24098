"""The comment line of extended XYZ: words of the form `key=value`."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import numpy as np

from ..errors import DataError

_WORD = re.compile(
    r"""\s*(?:"(?P<quoted_key>[^"]*)"|(?P<key>[^\s="']+))   # the name
        (?:\s*=\s*(?:"(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>[^']*)'
            | \{(?P<brace>[^}]*)\} | (?P<list>\[.*?\](?=\s|$)) | (?P<bare>[^\s"']+)))?""",
    re.VERBOSE,
)
TRUE_WORDS: Final = {"T", "True", "TRUE", "true"}
_FALSE_WORDS: Final = {"F", "False", "FALSE", "false"}


def parse_comment(text: str, place: str = "the comment") -> dict[str, Any]:
    """The words of a comment line as a dictionary.

    Numbers become int or float, `T` and `F` truth values, several numbers an array; a word
    without a value is true.

    Example:
        >>> parse_comment('energy=-1.5 name="a b" final n=3')
        {'energy': -1.5, 'name': 'a b', 'final': True, 'n': 3}
    """
    info: dict[str, Any] = {}
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None or match.end() == position:
            raise DataError(
                f"{place}: the comment line cannot be read",
                got=repr(text[position : position + 60]),
                expected='words of the form key=value or key="several values"',
                remedy="a quotation mark may be missing",
            )
        key = match["quoted_key"] if match["quoted_key"] is not None else match["key"]
        groups = ("double", "single", "brace", "list", "bare")
        raw = next((match[group] for group in groups if match[group] is not None), None)
        info[key] = True if raw is None else _value(raw)
        position = match.end()
    return info


def _value(raw: str) -> Any:
    text = raw.strip()
    if text.startswith("_JSON "):
        return json.loads(text[len("_JSON ") :])
    if text.startswith("["):
        try:
            return np.array(json.loads(text))
        except ValueError:
            return raw
    words = text.replace(",", " ").split()
    if words and all(w in TRUE_WORDS or w in _FALSE_WORDS for w in words):
        flags = [w in TRUE_WORDS for w in words]
        return flags[0] if len(flags) == 1 else np.array(flags)
    for kind in (int, float):
        try:
            numbers = [kind(w) for w in words]
        except ValueError:
            continue
        if numbers:
            return numbers[0] if len(numbers) == 1 else np.array(numbers)
    return raw


def word(value: Any) -> str:
    """One value as the format writes it; a float so that reading returns the same."""
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    if isinstance(value, float | np.floating):
        return repr(float(value))
    return str(value)


def quoted(value: Any) -> str:
    """A value of a comment line, in quotation marks where it needs them."""
    if isinstance(value, np.ndarray | list | tuple):
        return '"' + " ".join(word(item) for item in np.asarray(value).reshape(-1)) + '"'
    text = word(value)
    return f'"{text}"' if re.search(r"[\s=\"']", text) or not text else text
