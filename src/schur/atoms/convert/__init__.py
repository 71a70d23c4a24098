"""Models of other packages as Schur's."""

from __future__ import annotations

from .mace import convert_mace

__all__ = ["convert_mace"]
