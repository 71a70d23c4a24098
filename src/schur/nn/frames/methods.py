"""The names of methods, and what each stands for on a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schur.errors import RepresentationError
from schur.nn.frames.finite import AllElements, SortedRows
from schur.nn.frames.framing import Framing
from schur.nn.frames.learned import LearnedFrames
from schur.nn.frames.learned_images import LearnedImageFrames
from schur.nn.frames.minimised import MinimisedFrames
from schur.nn.frames.principal import PrincipalFrames
from schur.nn.frames.scaling import ScalingFrames
from schur.nn.frames.symmetry import Symmetry
from schur.nn.frames.weighted import WeightedFrames


def _average(group: Symmetry, **options: Any) -> Framing:
    if group.permutes:
        return SortedRows(group, **options)
    if group.elements is not None:
        return AllElements(group, **options)
    return PrincipalFrames(group, **options)


def _stochastic(group: Symmetry, **options: Any) -> Framing:
    return _average(group, **{"drawn": "training", **options})


def _blended(group: Symmetry, **options: Any) -> Framing:
    return PrincipalFrames(group, **{"tie": 0.1, **options})


def _learned(group: Symmetry, **options: Any) -> Framing:
    images = group.elements is not None
    return LearnedImageFrames(group, **options) if images else LearnedFrames(group, **options)


METHODS: dict[str, Callable[..., Framing]] = {
    "average": _average,
    "stochastic": _stochastic,
    "blended": _blended,
    "weighted": WeightedFrames,
    "learned": _learned,
    "scaling": ScalingFrames,
    "minimised": MinimisedFrames,
}


def framing_of(method: str | Framing, group: Symmetry, options: Mapping[str, Any]) -> Framing:
    """The method that a name means.

    Raises:
        RepresentationError: the name is not known, an option is not, or options are given for a
            method that is made already, or it was made for another group.
    """
    if isinstance(method, Framing):
        if options or method.symmetry != group:
            raise RepresentationError(
                "a method that is made already has its group and options",
                got=f"{method.symmetry.name}, {dict(options)}",
                expected=f"{group.name}, no options",
            )
        return method
    if method not in METHODS:
        raise RepresentationError("a method", got=method, expected=", ".join(METHODS))
    try:
        return METHODS[method](group, **options)
    except TypeError as error:
        raise RepresentationError(f"an option of {method!r}", got=str(error)) from error
