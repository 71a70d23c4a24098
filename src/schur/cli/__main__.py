"""`python -m schur.cli` is the command `schur`."""

from . import app

app()
