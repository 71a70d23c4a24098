"""Bad input is refused in words, in every place, and never ends the interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_every_kind_of_bad_input() -> None:
    """The cases are in `bad_input.py`: about forty kinds, every place of an index, 300 mixtures."""
    script = Path(__file__).with_name("bad_input.py")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split("\n")[:-1] == ["reached the end"], done.stdout[-3000:]
