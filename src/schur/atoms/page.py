"""Elements of a page of HTML: every text is escaped here, every number is written here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from .findings import Finding
from .picture import Picture

_THIN = "\u202f"  # between thousands, and never a line break
_FEW = 5  # columns that need not be spread over the whole page


def page(title: str, body: Iterable[str]) -> str:
    """A whole document with its style inside; it refers to nothing outside."""
    style = files("schur.atoms").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def header(above: str, title: str, lead: str) -> str:
    """What the page is about."""
    return (
        f'<header><p class="eyebrow">{escape(above)}</p><h1>{escape(title)}</h1>'
        f'<p class="lead">{escape(lead)}</p></header>'
    )


def section(title: str, *parts: str) -> str:
    """A heading with what belongs to it; nothing where there is nothing."""
    body = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def hint(text: str) -> str:
    """A sentence on how to read what follows."""
    return f'<p class="hint">{escape(text)}</p>' if text else ""


def cards(entries: Sequence[tuple[str, str, str]]) -> str:
    """The few numbers that matter most: value, unit, meaning."""
    inner = "".join(
        f'<div class="card"><b>{escape(value)} <small>{escape(unit)}</small></b>'
        f"<span>{escape(meaning)}</span></div>"
        for value, unit, meaning in entries
    )
    return f'<div class="cards">{inner}</div>'


def table(
    headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], inner: Iterable[int] = ()
) -> str:
    """A table whose first column is words.

    Args:
        headings: name and unit of each column.
        rows: cells.
        inner: numbers of rows that belong to the row above them.
    """
    head = "".join(
        f"<th>{escape(name)}<small>{escape(unit)}</small></th>" for name, unit in headings
    )
    within = set(inner)
    body = ""
    for number, row in enumerate(rows):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        body += f'<tr class="group">{cells}</tr>' if number in within else f"<tr>{cells}</tr>"
    kind = "wide" if len(headings) > _FEW else "wide few"
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="{kind}"><table>{inside}</table></div>'


def definitions(entries: Mapping[str, str]) -> str:
    """Words and what they stand for."""
    pairs = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in entries.items())
    return f"<dl>{''.join(pairs)}</dl>"


def plots(pictures: Sequence[Picture]) -> str:
    """Pictures with their titles, three panels in a row."""
    return "".join(
        f"<figure><h3>{escape(picture.title)}</h3>{hint(picture.note)}"
        f'<div class="plots">{"".join(picture.svgs())}</div></figure>'
        for picture in pictures
    )


def listed(lines: Iterable[str]) -> str:
    """Sentences one below another."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def findings(found: Sequence[Finding]) -> str:
    """What an inspection of the data found, each with its code."""
    text = ""
    for finding in found:
        more = f" and {len(finding.frames) - 3} more" if len(finding.frames) > 3 else ""
        where = f"in {', '.join(finding.frames[:3])}{more}" if finding.frames else ""
        small = "".join(
            f"<small>{escape(line)}</small>" for line in (where, finding.remedy) if line
        )
        kind = "finding stop" if finding.stops else "finding"
        text += (
            f'<div class="{kind}"><code>{escape(finding.code)}</code>{escape(finding.message)}'
            f"{small}</div>"
        )
    return text


def verbatim(text: str) -> str:
    """Text as it stands."""
    return f"<pre>{escape(text)}</pre>"


def number(value: float, digits: int = 3) -> str:
    """So many digits that count, thousands apart; powers of ten beyond a million parts.

    Example:
        >>> [number(v) for v in (0.01234, 5.1234, 69.4, 0.0)]
        ['0.0123', '5.12', '69.4', '0']
        >>> number(2.5e-9), number(float("nan"))
        ('2.50 × 10⁻⁹', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if not -5 < power < 9:
        raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{value / 10.0**power:.{digits - 1}f} × 10{raised}"
    return fixed(value, max(0, digits - 1 - power))


def column(values: Sequence[float], digits: int = 2) -> list[str]:
    """Numbers of one column with the same number of decimals: the smallest shows `digits`.

    Example:
        >>> column([123.456, 4.567, float("nan")])
        ['123.5', '4.6', '–']
    """
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    power = math.floor(math.log10(min(sizes))) if sizes else 0
    decimals = min(max(0, digits - 1 - power), 4)
    return [fixed(value, decimals) if math.isfinite(value) else "–" for value in values]


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals.

    Example:
        >>> fixed(-13.60571, 4)
        '−13.6057'
    """
    return f"{value:,.{decimals}f}".replace(",", _THIN).replace("-", "\u2212")


def count(value: int) -> str:
    """A whole number, thousands apart.

    Example:
        >>> count(41040).replace("\u202f", " ")
        '41 040'
    """
    return f"{value:,}".replace(",", _THIN)


def duration(seconds: float) -> str:
    """A time as a person would say it.

    Example:
        >>> duration(42.0), duration(754.0), duration(9000.0)
        ('42 s', '12 min 34 s', '2 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
