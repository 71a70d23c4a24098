"""The package as a whole: its public names, its metadata, and what it imports."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

import schur

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# The name one imports, where it is not the name one installs.
INSTALLED_AS = {"yaml": "pyyaml"}


def test_every_public_name_is_there() -> None:
    for name in schur.__all__:
        assert getattr(schur, name) is not None
    assert set(schur.__all__) <= set(dir(schur))


def test_type_checkers_and_the_running_program_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "src" / "schur" / "__init__.py").read_text("utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    for node in guarded.body:
        assert isinstance(node, ast.ImportFrom)
        assert node.module is not None
        home = importlib.import_module(node.module)
        for alias in node.names:
            assert getattr(schur, alias.name) is getattr(home, alias.name)
    imported = {alias.name for node in guarded.body for alias in node.names}  # type: ignore[attr-defined]
    assert imported | {"__version__"} == set(schur.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = schur.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_import_loads_no_heavy_package() -> None:
    probe = "import schur, sys; print(sorted({'torch', 'numpy', 'ase'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Extras for work on the library itself, which the library must not need.
FOR_DEVELOPERS = {"test", "bench", "docs", "dev"}
FOR_USERS = PROJECT["optional-dependencies"].keys() - FOR_DEVELOPERS


def declared(*extras: str) -> set[str]:
    """The packages that pyproject names, with those of some extras."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {re.split("[<>=!\\[ ]", line)[0].lower() for line in lines}


def undeclared(source: str) -> set[str]:
    """Packages that a module's text imports and pyproject does not name."""
    tops = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            tops |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            tops.add(node.module.split(".")[0])
    outside = {top for top in tops if top not in sys.stdlib_module_names and top != "schur"}
    return {top for top in outside if INSTALLED_AS.get(top, top) not in declared(*FOR_USERS)}


def test_the_library_imports_only_what_it_declares() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "src").rglob("*.py")
        for name in undeclared(path.read_text("utf-8"))
    }
    assert not found


def test_an_undeclared_import_is_caught() -> None:
    assert undeclared("def f():\n    from e3nn import o3") == {"e3nn"}


def test_installed_version_is_that_of_the_source() -> None:
    try:
        installed = metadata.version("schur")
    except metadata.PackageNotFoundError:
        pytest.skip("schur is used from its source folder here, not installed")
    assert installed == schur.__version__


def test_constraints_pin_what_ci_installs() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert declared("plot", "sample", "test") <= pinned | {"schur"}
    assert "torch==2.13.0" in lines


def test_shapes_in_annotations_are_checked_while_testing() -> None:
    from schur.harmonics.legendre import legendre

    assert legendre(1, np.zeros(2)).shape == (2, 2, 2)
    with pytest.raises(jaxtyping.TypeCheckError):
        legendre(1, np.zeros((2, 2)))
