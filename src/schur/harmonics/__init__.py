"""Spherical harmonics, Wigner matrices and sphere grids, in numpy."""

from schur.harmonics.spherical import harmonic_values, solid_harmonic_form, solid_harmonics

__all__ = ["harmonic_values", "solid_harmonic_form", "solid_harmonics"]
