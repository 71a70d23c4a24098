"""`python -m schur` is the command `schur`, as torchrun wants it: `torchrun ... -m schur train`."""

from __future__ import annotations

from .cli import app

app()
