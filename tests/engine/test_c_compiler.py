"""The cache of compiled routines: shared, broken, forbidden, full; no compiler, a bad compiler."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from schur.engine import c_compiler
from schur.errors import BackendError

SOURCE = "int answer(void) { return 42; }"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own; what the module remembers is forgotten before and after."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SCHUR_CACHE", str(folder))
    _forget()
    monkeypatch.setattr(c_compiler, "_say_once", c_compiler._say_once.__wrapped__)
    return folder


@pytest.fixture(autouse=True)
def _restored() -> object:
    yield
    _forget()


def _forget() -> None:
    c_compiler.compiler.cache_clear()
    c_compiler._machine.cache_clear()


def answer(key: str = "answer", text: str = SOURCE) -> int:
    """What the compiled library says."""
    return c_compiler.library(key, lambda: [text]).answer()


def refuse() -> list[str]:
    raise AssertionError("this source is in the cache and need not be made")


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


def test_a_library_is_made_once(cache: Path) -> None:
    assert answer() == 42
    (made,) = files(cache)
    assert made.with_suffix(".sum").exists() and len(list(cache.iterdir())) == 2
    assert c_compiler.library("answer", refuse).answer() == 42
    assert answer("another", SOURCE.replace("42", "43")) == 43 and len(files(cache)) == 2


@pytest.mark.parametrize("suffix", [".so", ".sum"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "missing", "a folder's name"])
def test_damaged_files_are_made_again(cache: Path, suffix: str, damage: str) -> None:
    assert answer() == 42
    file = files(cache)[0].with_suffix(suffix)
    content = file.read_bytes()
    file.unlink()
    if damage == "a folder's name":
        file.mkdir()
        # A folder stands where the file must go: nothing can be kept, and the answer is right.
        assert answer() == 42
        return
    if damage != "missing":
        bad = {"truncated": content[: len(content) // 2], "empty": b"", "garbage": b"\xff\xfe" * 99}
        file.write_bytes(bad[damage])
    assert answer() == 42
    assert c_compiler.library("answer", refuse).answer() == 42


def test_an_interrupted_build_leaves_nothing_in_the_way(cache: Path) -> None:
    (cache / "build-interrupted").mkdir(parents=True)
    (cache / "build-interrupted" / "routine.c").write_text("int answer(")
    assert answer() == 42


def test_concurrent_builds(cache: Path) -> None:
    """Processes and threads build one library at a time; each loads a whole one."""
    # The module alone, without the package around it, which takes seconds to import.
    code = (
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('c_compiler', {c_compiler.__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        f"print(module.library('answer', lambda: [{SOURCE!r}]).answer())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(answer())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [42] * 4
    assert [process.communicate(timeout=120)[0].strip() for process in processes] == ["42"] * 3
    assert len(files(cache)) == 1 and len(list(cache.iterdir())) == 2
    assert c_compiler.library("answer", refuse).answer() == 42


def test_a_cache_that_cannot_be_written(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file stands where the folder should be: the process keeps its own, and says so."""
    cache.write_text("in the way")
    with caplog.at_level(logging.WARNING, "schur"):
        assert answer() == 42
    assert "SCHUR_CACHE" in caplog.text and str(cache) in caplog.text
    assert cache.read_text() == "in the way"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(cache: Path) -> None:
    assert answer() == 42
    cache.chmod(0o500)
    try:
        assert c_compiler.library("answer", refuse).answer() == 42
        assert answer("another", SOURCE.replace("42", "43")) == 43
    finally:
        cache.chmod(0o700)


@pytest.mark.parametrize("stage", ["folder", "source", "sum", "compiler", "move"])
def test_a_full_disk(cache: Path, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever write fails, what was there stays, nothing half-written is left, and it computes."""
    assert answer("before") == 42
    held = {file.name: file.read_bytes() for file in cache.iterdir()}
    _fill(cache, stage, monkeypatch)
    assert answer("after", SOURCE.replace("42", "43")) == 43
    assert {file.name: file.read_bytes() for file in cache.iterdir()} == held
    monkeypatch.undo()
    monkeypatch.setenv("SCHUR_CACHE", str(cache))
    assert c_compiler.library("before", refuse).answer() == 42


def _fill(cache: Path, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one kind of write fail inside the cache, and inside it only."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def failing(function: object, place: int = 0) -> object:
        def call(*args: object, **named: object) -> object:
            where = str(named.get("dir") or args[place])
            if where.startswith(str(cache)):
                raise full
            return function(*args, **named)  # pyright: ignore[reportCallIssue]

        return call

    if stage == "folder":
        monkeypatch.setattr(c_compiler.tempfile, "mkdtemp", failing(c_compiler.tempfile.mkdtemp))
    elif stage == "source":
        monkeypatch.setattr(Path, "write_text", failing(Path.write_text))
    elif stage == "sum":
        monkeypatch.setattr(Path, "write_bytes", failing(Path.write_bytes))
    elif stage == "move":
        monkeypatch.setattr(c_compiler.os, "replace", failing(os.replace))
    else:
        command = c_compiler.compiler()
        assert command is not None
        script = cache.parent / "compiler"
        script.write_text(
            f'#!/bin/sh\ncase "$*" in *{cache}*) echo "{full.strerror}" >&2; exit 1;; esac\n'
            f'exec {" ".join(command)} "$@"\n'
        )
        script.chmod(0o755)
        monkeypatch.setattr(c_compiler, "compiler", lambda: (str(script),))


def test_nowhere_to_write(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_text("in the way")
    monkeypatch.setattr(c_compiler, "_own_folder", lambda: cache / "own")
    with pytest.raises(BackendError, match="SCHUR_CACHE"):
        answer()


def test_a_source_that_does_not_compile(cache: Path) -> None:
    with pytest.raises(BackendError, match=r"(?s)rejected.*got:.*error.*remedy:"):
        answer("wrong", "int answer(void) { return nonsense; }")
    assert not files(cache) and not list(cache.iterdir())


def test_another_compiler_or_machine_is_another_library(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer() == 42
    other = cache.parent / "other-cc"
    command = c_compiler.compiler()
    assert command is not None
    other.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("CC", f"{other} -DOTHER")
    _forget()
    assert c_compiler.compiler() == (str(other), "-DOTHER")
    assert answer("answer", "int answer(void) { return 40 + sizeof(char[2]); }") == 42
    assert len(files(cache)) == 2
    monkeypatch.setattr(c_compiler, "_machine", lambda: "another CPU")
    assert answer() == 42
    assert len(files(cache)) == 3


NO_COMPILER = """
import logging, sys
logging.basicConfig(format="LOG %(message)s", stream=sys.stdout)
import torch
from schur.errors import BackendError
from schur.engine import Routine
from schur.forms import Block, Factor, Form, Operand, Path
operands = tuple(Operand(name, (Block(1, (4,)),)) for name in ("x", "y", "out"))
factors = tuple(Factor(operand.name, 0, "u") for operand in operands)
product = Form(operands, (Path(factors, [[0, 0, 0]], [1.0]),)).open("out")
for _ in range(3):
    x = torch.randn(2, 4, requires_grad=True)
    out = Routine(product)(x, x)
    out.sum().backward()
    assert torch.equal(out, x * x) and torch.allclose(x.grad, 2 * x)
try:
    Routine(product, "c")
except BackendError as error:
    print("REFUSED", "compiler" in str(error))
"""


def test_no_compiler(cache: Path) -> None:
    """torch computes, one line says so, and an explicit request is refused with the reason."""
    environment = {key: value for key, value in os.environ.items() if key not in ("CC", "PATH")}
    done = subprocess.run(
        [sys.executable, "-c", NO_COMPILER],
        env={**environment, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("REFUSED")] == ["REFUSED True"]
    assert len([line for line in lines if line.startswith("LOG")]) == 1, lines
    assert "compiler" in lines[0] and "torch" in lines[0]
    assert not cache.exists()


def test_several_files_are_one_library(cache: Path) -> None:
    parts = [
        "int other(void); int answer(void) { return other() + 1; }",
        "int other(void) { return 41; }",
    ]
    loaded = c_compiler.library("several", lambda: parts)
    assert isinstance(loaded, ctypes.CDLL) and loaded.answer() == 42
    with pytest.raises(BackendError, match="rejected"):
        c_compiler.library("broken", lambda: [*parts, "int third(void) {"])
    assert len(list(cache.iterdir())) == 2
