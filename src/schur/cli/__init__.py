"""The command `schur`: parses words and calls the library.

Commands import what they need when they run, so that `schur --help` answers at once.
"""

from __future__ import annotations

from .main import app

__all__ = ["app"]
