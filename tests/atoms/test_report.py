"""Pictures and pages: what they refer to, what they escape, what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schur.atoms import page as html
from schur.atoms.dynamics_figures import log_pictures, require_rows, structure_pictures
from schur.atoms.evaluate import Predictions, compare
from schur.atoms.figures import error_pictures, learning_curve
from schur.atoms.findings import Finding
from schur.atoms.picture import Picture, cloud
from schur.atoms.system import System
from schur.errors import DataError


def evaluation(count: int, seed: int, groups: int = 1, stress: bool = False) -> Any:
    generator = np.random.default_rng(seed)
    systems = [
        System(
            [8, 1, 1],
            generator.normal(0, 1, (3, 3)),
            4 * np.eye(3),
            True,
            energy=float(generator.normal(-10, 0.1)),
            forces=generator.normal(0, 1, (3, 3)),
            stress=np.eye(3) * float(generator.normal()) if stress else None,
            config_type=f"group {k % groups}",
        )
        for k in range(count)
    ]
    said = Predictions(
        systems,
        [(s.energy or 0.0) + 0.001 for s in systems],
        [np.zeros(3) for _ in systems],
        [s.forces + generator.normal(0, 0.01, (3, 3)) for s in systems],  # pyright: ignore[reportOptionalOperand]
        [np.zeros((3, 3)) for _ in systems],
    )
    return compare(said)


def test_pictures_follow_the_data() -> None:
    plain = error_pictures({"train": evaluation(5, 0)})
    assert [p.name for p in plain] == ["parity_energy", "parity_forces", "force_errors"]
    sets = {"train": evaluation(8, 0, 2, True), "test": evaluation(5, 1, 2, True)}
    full = {p.name: p for p in error_pictures(sets)}
    assert set(full) == {
        "parity_energy",
        "parity_forces",
        "parity_stress",
        "force_errors",
        "errors_by_config_type",
    }
    assert len(full["parity_stress"].panels) == 2
    assert learning_curve([{"epoch": 1, "loss": float("nan")}]) == []


@pytest.mark.parametrize("points", [10, 1000])
def test_svg_takes_its_looks_from_the_page(points: int) -> None:
    generator = np.random.default_rng(0)

    def draw(axes: Any) -> None:
        cloud(axes, generator.normal(size=points), generator.normal(size=points), "#1f66b1")
        axes.set_title("a < b", loc="left")

    (text,) = Picture("name", "title", "", (draw,)).svgs()
    assert 'aria-label="a &lt; b"' in text and "var(--ink)" in text
    assert "#1f66b1" not in text and "http://www.w3.org/2000/svg" not in text
    names = re.findall(r'\bid="([^"]*)"', text)
    assert len(names) == len(set(names))
    references = re.findall(r'(?:href="|url\()([^")]*)', text)
    assert references and all(r.startswith(("#", "data:")) for r in references)
    assert ("<image" in text) == (points > 400), "many points are one image"


def test_a_page_escapes_what_it_is_given() -> None:
    nasty = '<b>&"'
    texts = [
        html.header(nasty, nasty, nasty),
        html.section(nasty, "x"),
        html.hint(nasty),
        html.cards([(nasty, nasty, nasty)]),
        html.table([(nasty, nasty)], [[nasty]]),
        html.definitions({nasty: nasty}),
        html.listed([nasty]),
        html.findings([Finding(nasty, True, nasty, (nasty,), nasty)]),
        html.verbatim(nasty),
    ]
    assert all('<b>&"' not in text for text in texts)
    assert nasty not in html.page(nasty, []) and html.section("empty") == ""


def test_a_page_refers_to_nothing_outside() -> None:
    text = html.page("title", [html.section("a", html.hint("b"))])
    assert not re.search(r"(?:src|href)=|url\(|@import|https?:", text)
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_log_of_dynamics(tmp_path: Path) -> None:
    rows = [
        {"time_fs": 10.0 * k, "potential_eV": -1.0, "total_eV": -0.5, "temperature_K": 300.0 + k}
        for k in range(20)
    ]
    (picture,) = log_pictures(rows, 3, 300.0)
    assert picture.save(tmp_path).stat().st_size > 10000
    with pytest.raises(DataError, match="no log of dynamics"):
        require_rows([{"a": 1.0}], tmp_path)


def test_structures_beside_data() -> None:
    water = System([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    (picture,) = structure_pictures([water] * 3, [water])
    assert len(picture.svgs()) == 3
    argon = System([18, 18], [[0, 0, 0], [0, 0, 3.8]])
    assert len(structure_pictures([argon])[0].panels) == 1
