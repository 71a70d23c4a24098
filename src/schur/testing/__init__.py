"""Checkers to use in tests of one's own: equivariance, derivatives, backends, expressive power."""

from schur.testing.backends import assert_agrees_with_oracle, backend_error
from schur.testing.derivatives import assert_derivatives
from schur.testing.equivariance import assert_equivariant, equivariance_error, random_orthogonal
from schur.testing.gwl import Ability, assert_tells_apart, battery
from schur.testing.law import LawError

__all__ = [
    "Ability",
    "LawError",
    "assert_agrees_with_oracle",
    "assert_derivatives",
    "assert_equivariant",
    "assert_tells_apart",
    "backend_error",
    "battery",
    "equivariance_error",
    "random_orthogonal",
]
