"""The one set of conventions: fixed, those of e3nn 0.6, never switched.

* Vectors are (x, y, z); the irrep `1o` is a vector in that order.
* The polar axis is y: a rotation about y mixes only the components m and -m of an irrep.
* Components of an irrep of degree l run over m = -l … l in the real basis of e3nn.
* `e` marks an irrep that the inversion leaves as it is, `o` one that it negates.
* An array holds each block of irreps with components first and channels last.

Example:
    >>> from schur import conventions
    >>> conventions.squared_norm(2, "component")
    5.0
"""

from __future__ import annotations

from math import pi
from typing import Final, Literal, get_args

from schur.errors import NumberError

# Written into model files; a reader that does not know it must refuse.
VERSION: Final = 1

AXES: Final = ("x", "y", "z")
POLAR_AXIS: Final = AXES.index("y")
PARITY_LETTER: Final = {1: "e", -1: "o"}

Normalization = Literal["component", "norm", "integral"]
NORMALIZATIONS: Final[tuple[str, ...]] = get_args(Normalization)


def squared_norm(l: int, normalization: str) -> float:  # noqa: E741
    """Squared length of the spherical harmonics Y^l(n) of a unit vector n.

    * `component`: 2 l + 1, so that the mean square of a component over the sphere is 1;
    * `norm`: 1;
    * `integral`: (2 l + 1) / 4π, so that the components are orthonormal on the sphere.

    Args:
        l: degree.
        normalization: one of the three names.

    Raises:
        NumberError: another name, or a negative degree.

    Source: e3nn 0.6, `e3nn.o3.spherical_harmonics`.

    Example:
        >>> squared_norm(1, "norm"), squared_norm(1, "component")
        (1.0, 3.0)
    """
    if l < 0:
        raise NumberError("a degree is not negative", got=l, expected="0, 1, 2, …")
    if normalization == "component":
        return 2.0 * l + 1.0
    if normalization == "norm":
        return 1.0
    if normalization == "integral":
        return (2.0 * l + 1.0) / (4.0 * pi)
    raise NumberError(
        "there is no such normalisation",
        got=repr(normalization),
        expected=", ".join(map(repr, NORMALIZATIONS)),
    )
