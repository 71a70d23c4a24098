"""Spherical harmonics, Wigner matrices and sphere grids, in numpy."""

from schur.harmonics.direction import inverse_length_gradient, squared_length
from schur.harmonics.frames import wigner_of_frame
from schur.harmonics.gaunt_coefficients import gaunt_coefficients
from schur.harmonics.grids import SphereGrid, SphereTransform
from schur.harmonics.spherical import (
    harmonic_values,
    solid_harmonic_form,
    solid_harmonics,
)
from schur.harmonics.wigner import euler_angles, wigner_d, wigner_d_of_rotation

__all__ = [
    "SphereGrid",
    "SphereTransform",
    "euler_angles",
    "gaunt_coefficients",
    "harmonic_values",
    "inverse_length_gradient",
    "solid_harmonic_form",
    "solid_harmonics",
    "squared_length",
    "wigner_d",
    "wigner_d_of_rotation",
    "wigner_of_frame",
]
