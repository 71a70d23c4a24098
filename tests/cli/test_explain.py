"""`schur explain`: a table in 80 columns, a reason, and a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schur.cli import app


def explain(*words: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, words)])


def test_the_table_names_every_method_and_the_reason() -> None:
    result = explain("128x0e+128x1o", "0e+1o+2e+3o", "--no-time", "--second-is", "direction")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    for name in ("Clebsch-Gordan", "SO(2)", "Gaunt, grid", "matrix product", "Cartesian"):
        assert name in result.output
    assert result.output.count("<- taken") == 1
    assert "takes the fewest operations" in result.output


def test_what_is_measured_is_printed() -> None:
    result = explain("2x0e", "2x0e", "--rows", "64", "--weights", "term")
    assert result.exit_code == 0, result.output
    assert "is the fastest here" in result.output


def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ["2x0e", "2x0e", "--no-time", "--rows", "16", "--lmax", "1", "--picture", tmp_path]
    result = explain(*words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "products.png").stat().st_size > 1000


def test_errors_are_messages() -> None:
    result = explain("2x0e+3x1o", "0e")
    assert result.exit_code == 1 and "multiplicit" in result.output
    result = explain("2x0e", "0e", "--couplings", "odd")
    assert result.exit_code == 1 and "couplings" in result.output
