"""`schur convert`."""

from __future__ import annotations

from pathlib import Path

from ..atoms.convert import convert_mace
from ..atoms.elements import SYMBOLS
from ..atoms.modelfile import save_potential
from ..errors import DataError
from .tables import console, say, say_notes

_CITATION = (
    "converted from a model of mace-torch: cite its authors, and Batatia et al., MACE, NeurIPS 2022"
)


def run_conversion(model: Path, output: Path | None, head: str | None) -> None:
    """Writes a model of mace-torch as a Schur model and says what it is.

    Raises:
        DataError: a file that cannot be read, converted or written.
    """
    target = model.with_suffix(".schur") if output is None else output
    if target.resolve() == model.resolve():
        raise DataError(
            "a model cannot be written over the file that it is read from",
            got=str(target),
            expected="another name",
            remedy="choose one with -o",
        )
    potential = convert_mace(model, head)
    source = {"package": "mace-torch", "file": model.name, "head": head}
    save_potential(target, potential, {"converted_from": source}, citation=_CITATION)
    out = console()
    symbols = ", ".join(SYMBOLS[z] for z in potential.elements)
    say_notes(out, [f"elements: {symbols}"])
    parameters = sum(parameter.numel() for parameter in potential.parameters())
    say(out, f"cutoff {potential.cutoff} Å, {parameters} parameters", f"wrote {target}")
