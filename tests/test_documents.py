"""Every page's code runs, and prints what the page says it prints."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def mismatches(page: str) -> list[str]:
    """Run a page's python blocks in order; where a text block follows, compare what was printed.

    An ellipsis (...) on a line of its own stands for any lines.
    """
    found: list[str] = []
    names: dict[str, Any] = {"__name__": "page"}
    printed: str | None = None
    for language, body in FENCED.findall(page):
        if language == "python":
            capture = io.StringIO()
            with contextlib.redirect_stdout(capture):
                exec(compile(body, "page", "exec"), names)
            printed = capture.getvalue()
        elif language == "text" and printed is not None:
            if not _alike(printed, body):
                found.append(f"expected\n{body}\nbut it printed\n{printed}")
            printed = None
    return found


def _alike(printed: str, expected: str) -> bool:
    lines = [line.rstrip() for line in expected.rstrip().splitlines()]
    pattern = "\n".join("(?s:.*)" if line == "..." else re.escape(line) for line in lines)
    actual = "\n".join(line.rstrip() for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, actual) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs_as_it_says(page: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert not mismatches(page.read_text("utf-8"))


def test_a_wrong_page_is_caught() -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n{}\n```\n"
    assert not mismatches(page.format(2))
    assert mismatches(page.format(3))
    with pytest.raises(NameError):
        mismatches("```python\nnothing\n```")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_install_commands_name_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pages = [*PAGES, ROOT / "CONTRIBUTING.md"]
    asked = re.findall(r"-e \"\.\[([\w,]+)\]\"", "".join(p.read_text("utf-8") for p in pages))
    extras = {extra for group in asked for extra in group.split(",")}
    assert extras, "no page says how to install"
    assert extras <= set(project["optional-dependencies"])
