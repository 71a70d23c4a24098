"""A potential in one file: safetensors with a JSON header, and no code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import DataError
from ..models.registry import ModelConfig, build_model, config_of, parse_config
from ..train.tensor_file import load_header, load_tensors, save_tensors
from .potential import Potential

_KIND = "schur model"
_FORMAT = 1
_UNITS = {"length": "Å", "energy": "eV", "forces": "eV/Å", "stress": "eV/Å^3, tension positive"}
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def build_potential(
    config: ModelConfig,
    elements: tuple[int, ...],
    reference: tuple[float, ...],
    mean_neighbours: float,
    scale: float,
    shift: float,
    seed: int,
    dtype: torch.dtype,
) -> Potential:
    """A new potential with random parameters; global random state is left as it was.

    Args:
        config: shape of the model.
        elements, reference: atomic numbers and E0 in eV.
        mean_neighbours: what messages are divided by.
        scale, shift: eV an atom.
        seed: of the parameters.
        dtype: of the parameters.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(config, len(elements), mean_neighbours, elements)
    potential = Potential(
        model, elements, reference, config.cutoff, scale, shift, config.lone_atoms
    )
    return potential.to(dtype)


def save_potential(
    path: str | os.PathLike[str],
    potential: Potential,
    training: Mapping[str, Any] | None = None,
    licence: str = "",
    citation: str = "",
) -> None:
    """Writes a potential; what is given as `training` is kept in the header for readers.

    Raises:
        DataError: a model of no known architecture, or the file cannot be written; one that was
            there before is unchanged.
    """
    model = potential.model
    config = config_of(model)
    dtype = next(model.parameters()).dtype
    header = {
        "kind": _KIND,
        "format": _FORMAT,
        "model": config.model_dump(mode="json"),
        "mean_neighbours": model.mean_neighbours,
        "elements": list(potential.elements),
        "reference": list(potential.reference),
        "scale": potential.scale,
        "shift": potential.shift,
        "dtype": str(dtype).removeprefix("torch."),
        "units": _UNITS,
        "convention": "e3nn 0.6 real basis; layout components first, channels last",
        "training": dict(training or {}),
        "licence": licence,
        "citation": citation,
    }
    save_tensors(path, model.state_dict(), header)


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header of a model file.

    Raises:
        DataError: a file that is absent, cut off or no model.
    """
    return _checked(load_header(path), path)


def load_potential(
    path: str | os.PathLike[str],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Potential:
    """Reads a potential.

    Args:
        path: written by `save_potential`.
        dtype: number type to compute in; that of the file by default.
        device: where to put it.

    Raises:
        DataError: a file that is absent, cut off, no model, or of a later format.
    """
    tensors, raw = load_tensors(path)
    header = _checked(raw, path)
    potential = build_potential(
        parse_config(header["model"]),
        tuple(header["elements"]),
        tuple(header["reference"]),
        header["mean_neighbours"],
        header["scale"],
        header["shift"],
        seed=0,
        dtype=_DTYPES[header["dtype"]],
    )
    try:
        potential.model.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(
            f"the parameters in {os.fspath(path)} do not fit its own description",
            got=str(error).splitlines()[-1].strip(),
            expected="the parameters of the model in the header",
        ) from error
    potential.eval().requires_grad_(False)
    return potential.to(device) if dtype is None else potential.to(device, dtype)


def _checked(header: dict[str, Any], path: str | os.PathLike[str]) -> dict[str, Any]:
    if header.get("kind") != _KIND:
        raise DataError(f"{os.fspath(path)} is no model", got=header.get("kind"), expected=_KIND)
    if header.get("format", 0) > _FORMAT:
        raise DataError(
            f"{os.fspath(path)} was written by a later release",
            got=f"format {header['format']}",
            expected=f"format {_FORMAT} or lower",
            remedy="install a newer schur",
        )
    return header
