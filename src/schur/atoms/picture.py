"""How pictures look, and their two forms: a PNG file, and SVG that follows the page around it.

Figures are made without pyplot, so no global state of matplotlib is touched for longer than it
takes to write one.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import BackendError

Draw = Callable[[Any], None]
"""Draws on an `Axes` of matplotlib."""

INK, SOFT, LINE = "#28323d", "#5b6977", "#dde3ea"
TRAIN, VALID, TEST, EXTRA = "#8093a7", "#c77d1e", "#1f66b1", "#7a4fa3"
COLOURS = {"train": TRAIN, "valid": VALID, "test": TEST}
"""Hues of the sets, which the common forms of colour blindness tell apart."""

# A page replaces these colours by variables of its own, so that pictures turn dark with it.
_VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    TRAIN: "var(--train)",
    VALID: "var(--valid)",
    TEST: "var(--test)",
    EXTRA: "var(--extra)",
}
# From sparse to dense; every step of it is visible on white and on black.
_DENSITY = ("#4f8fd0", "#3a6fc0", "#7a4fa3", "#c2497f", "#e8743b", "#f2b234")
_WIDTH, _HEIGHT = 3.6, 2.9  # inches; 9 points are 12 pixels where a page shows three in a row
_DPI = 180
_MANY = 400  # points beyond which colour says how many lie in one place
_ENOUGH = 20000  # a picture of more points says no more


@dataclass(frozen=True)
class Picture:
    """One or more panels under a title.

    Args:
        name: of the PNG file.
        title: a few words.
        note: how to read it, a sentence or two.
        panels: what is drawn, side by side.
    """

    name: str
    title: str
    note: str
    panels: tuple[Draw, ...]

    def save(self, folder: Path) -> Path:
        """Writes `name.png` with all panels in a row.

        Raises:
            BackendError: matplotlib is not installed.
        """
        require_matplotlib()
        figure = _figure(len(self.panels))
        for axes, draw in zip(_axes(figure, len(self.panels)), self.panels, strict=True):
            draw(axes)
        path = folder / f"{self.name}.png"
        figure.savefig(path, dpi=_DPI)
        return path

    def svgs(self) -> list[str]:
        """Each panel as an `<svg>` element whose colours and fonts are those of the page."""
        require_matplotlib()
        return [self._svg(number, draw) for number, draw in enumerate(self.panels)]

    def _svg(self, number: int, draw: Draw) -> str:
        from matplotlib import rc_context

        figure = _figure(1)
        (axes,) = _axes(figure, 1)
        draw(axes)
        stream = io.StringIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{self.name} {number}"}):
            figure.savefig(stream, format="svg", dpi=_DPI, transparent=True)
        return _for_page(stream.getvalue(), axes.get_title(loc="left") or self.title)


def available() -> bool:
    """Whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def require_matplotlib() -> None:
    """Stops where pictures cannot be made.

    Raises:
        BackendError: with the words that install matplotlib.
    """
    if not available():
        raise BackendError(
            "pictures need the package matplotlib",
            got="no such package",
            expected="matplotlib installed",
            remedy="pip install 'schur[plot]'",
        )


def _figure(panels: int) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(_WIDTH * panels, _HEIGHT), layout="constrained")


def _axes(figure: Any, count: int) -> list[Any]:
    found = list(figure.subplots(1, count, squeeze=False)[0])
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(SOFT)
        axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=8, width=0.7, length=3)
        axes.grid(color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
    return found


def _for_page(text: str, label: str) -> str:
    """Inline SVG without a size, a font, colours or names of its own."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Groups are named alike in every figure and nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"(font: [^'\";]*?[\d.]+px) [^\";]*", r"\1 var(--font)", text)
    head, body = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    name = escape(label, quote=True)
    head = f'<svg {box[0] if box else ""} role="img" aria-label="{name}"'
    head += ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    return f"{head}>{body}"


def label(axes: Any, title: str, x: str, y: str) -> None:
    """Title and names of the axes, with their units."""
    axes.set_title(title, fontsize=9.5, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=8.5, color=INK)
    axes.set_ylabel(y, fontsize=8.5, color=INK)


def legend(axes: Any, **places: Any) -> None:
    """The names of what is drawn, without a frame."""
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, handlelength=1.4, **places)


def remark(axes: Any, text: str, side: Literal["left", "right"] = "left") -> None:
    """Words in an upper corner."""
    place = 0.03 if side == "left" else 0.97
    axes.text(
        place, 0.97, text, transform=axes.transAxes, ha=side, va="top", fontsize=8, color=SOFT
    )


def logarithmic(axes: Any, which: str) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5, written as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    low, high = axis.get_data_interval()
    decades = np.log10(high / low) if low > 0 else 0.0
    subs = (1.0, 2.0, 5.0) if decades < 3 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def cloud(axes: Any, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Points; where there are many their colour says how densely they lie."""
    step = -(-len(x) // _ENOUGH) or 1
    x, y = x[::step], y[::step]
    if len(x) <= _MANY:
        axes.scatter(x, y, s=14, color=colour, alpha=0.75, linewidths=0)
        return
    from matplotlib.colors import LinearSegmentedColormap

    density = np.log(local_density(x, y))
    order = np.argsort(density)
    axes.scatter(
        x[order],
        y[order],
        c=density[order],
        cmap=LinearSegmentedColormap.from_list("density", _DENSITY),
        s=4,
        linewidths=0,
        rasterized=True,
    )


def local_density(x: np.ndarray, y: np.ndarray, bins: int = 60) -> np.ndarray:
    """How many points share each point's cell of a grid over all of them.

    Example:
        >>> local_density(np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]))
        array([2., 2., 1.])
    """
    counts, *edges = np.histogram2d(x, y, bins=bins)
    places = [
        np.clip(np.searchsorted(edge, values, side="right") - 1, 0, bins - 1)
        for edge, values in zip(edges, (x, y), strict=True)
    ]
    return counts[places[0], places[1]]


def short(value: float) -> str:
    """Three digits that count, without an exponent.

    Example:
        >>> [short(v) for v in (0.01234, 5.1234, 69.4, 1234.5)]
        ['0.0123', '5.12', '69.4', '1234']
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
