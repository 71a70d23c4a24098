"""The library's layers, read from its sources: a module imports only what lies below it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "schur"

# The table of the design. What stands on one layer does not know its neighbours there.
LAYERS = {
    "errors": 0,
    "conventions": 0,
    "groups": 1,
    "forms": 1,
    "reps": 2,
    "harmonics": 3,
    "decompositions": 3,
    "products": 4,
    "engine": 5,
    "tensors": 6,
    "nn": 7,
    "models": 8,
    "fields": 8,
    "kernels": 8,
    "train": 8,
    "atoms": 9,
    "cli": 10,
    "testing": 11,
    "__main__": 11,
}
# Exact mathematics, usable where no torch is installed.
EXACT = {part for part, layer in LAYERS.items() if layer <= 4}
# What the package itself holds, as against what it offers lazily from its parts.
OWN_NAMES = {"__version__"}


def part_of(module: str) -> str | None:
    """The row of the table that a dotted module name belongs to; None for the facade."""
    names = module.split(".")
    return names[1] if len(names) > 1 else None


def imported(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Every dotted name that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")
                package = package[: len(package) - node.level + is_package]
                base = ".".join([*package, base] if base else package)
            # `from schur import forms` imports a part, not the facade.
            if base == "schur":
                yield from (f"schur.{alias.name}" for alias in node.names)
            else:
                yield base


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """What one module's text breaks of the design, in words."""
    part = part_of(module)
    if part is None:
        return []  # the facade offers every part
    found = []
    for name in imported(ast.parse(source), module, is_package):
        top = name.split(".")[0]
        if top == "torch" and part in EXACT:
            found.append(f"{module} is exact mathematics and imports {name}")
        if top != "schur":
            continue
        other = part_of(name)
        if other == part or other in OWN_NAMES or {part, other} == {"errors", "conventions"}:
            continue
        if other not in LAYERS:
            found.append(f"{module} imports {name}: go to the part that defines it")
        elif LAYERS[other] >= LAYERS[part]:
            found.append(f"{module} (layer {LAYERS[part]}) imports {name} ({LAYERS[other]})")
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        names = path.relative_to(SOURCE.parent).with_suffix("").parts
        yield ".".join(names[:-1] if names[-1] == "__init__" else names), path


def test_every_part_is_in_the_table() -> None:
    unknown = {module for module, _ in modules() if part_of(module) not in {None, *LAYERS}}
    assert not unknown, f"add these to DESIGN's table or move them: {sorted(unknown)}"


def test_modules_import_only_lower_layers() -> None:
    found = [
        line
        for module, path in modules()
        for line in violations(path.read_text("utf-8"), module, path.name == "__init__.py")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("schur.forms.form", "import torch"),
        ("schur.products.gaunt", "def f():\n    from torch import nn"),
        ("schur.forms.form", "from schur.groups import SO3"),  # a neighbour on its layer
        ("schur.forms.form", "from schur import engine"),
        ("schur.forms.form", "from ..engine import Routine"),
        ("schur.engine.routine", "import schur.nn.linear"),
        ("schur.nn.linear", "from schur import GeometricTensor"),  # the facade
    ],
)
def test_a_planted_fault_is_caught(module: str, source: str) -> None:
    assert violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("schur.forms.form", "import numpy as np\nfrom schur.errors import FormError"),
        ("schur.forms.form", "from . import oracle\nfrom .program import Program"),
        ("schur.cli.train", "from schur import __version__, nn"),
        ("schur.engine.routine", "import torch\nfrom ..forms import Form"),
    ],
)
def test_what_the_design_allows_passes(module: str, source: str) -> None:
    assert not violations(source, module)


def loads_torch(code: str) -> bool:
    """Whether a fresh interpreter that runs `code` ends with torch loaded."""
    probe = f"{code}\nimport sys\nprint('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1] == "True"


def test_exact_parts_load_no_torch() -> None:
    exact = [module for module, _ in modules() if part_of(module) in {None, *EXACT}]
    assert not loads_torch("\n".join(f"import {module}" for module in exact))


def test_help_loads_no_torch() -> None:
    pytest.importorskip("schur.cli")
    call = "from typer.testing import CliRunner\nfrom schur.cli import app\n"
    call += "assert 'Usage' in CliRunner().invoke(app, ['--help']).output"
    assert not loads_torch(call), "`schur --help` must answer at once: import torch in the command"


def test_the_probe_sees_torch() -> None:
    assert loads_torch("import torch")
