"""Potentials from models of mace-torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import isqrt, pi
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from ...errors import DataError, SchurError
from ...models.mace import MACE, MACEConfig
from ...models.mace_config import Interaction
from ...reps import Irreps
from ..potential import Potential
from .mace_source import MACESource, read_mace
from .mace_weights import convert_weights
from .torch_file import TorchFile

_INTERACTIONS: dict[str, Interaction] = {
    "RealAgnosticInteractionBlock": "simple",
    "RealAgnosticResidualInteractionBlock": "residual",
    "RealAgnosticDensityInteractionBlock": "density",
    "RealAgnosticDensityResidualInteractionBlock": "density-residual",
}
_READOUTS = ("LinearReadoutBlock", "NonLinearReadoutBlock")
# Constants that mace-torch stores and Schur has in its code.
_CONSTANTS: dict[str, list[float]] = {
    "radial_embedding.distance_transform.a": [1.0805],
    "radial_embedding.distance_transform.q": [0.9183],
    "radial_embedding.distance_transform.p": [4.5791],
    "radial_embedding.distance_transform.alpha": [4.0],
    "pair_repulsion_fn.c": [0.1818, 0.5099, 0.2802, 0.02817],
    "pair_repulsion_fn.a_exp": [0.3],
    "pair_repulsion_fn.a_prefactor": [0.4543],
}


def convert_mace(path: str | os.PathLike[str], head: str | None = None) -> Potential:
    """A potential with the energies, forces and stresses of a model of mace-torch.

    Reads what `torch.save(model)` wrote (the `.model` files of mace-torch), or a dictionary with
    `state_dict` and `config`; nothing in the file is run, and neither mace-torch nor e3nn is
    needed. MACE and ScaleShiftMACE are converted with all interactions that `MACEConfig` names.

    Args:
        path: of the file.
        head: whose energies; may be left out where there is one head.

    Returns:
        A potential in the number type of the file.

    Raises:
        DataError: a file that cannot be read, is no such model or of a variant that Schur does
            not have, or a head that is not there or not named.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/checkpoint.pt"
        >>> torch.save({"model": {"weight": torch.zeros(3)}, "epoch": 7}, path)
        >>> convert_mace(path)
        Traceback (most recent call last):
        schur.errors.DataError: ...checkpoint.pt holds no model
          got:      model, epoch
          expected: a saved module, or a dictionary of `state_dict` and `config`
          remedy:   a checkpoint of parameters alone does not say what model they belong to: ...
    """
    file = TorchFile(path)
    try:
        return _converted(file, head)
    except SchurError:
        raise
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"the parts of {file.name} do not fit together as those of mace-torch 0.3 do",
            got=f"{type(error).__name__}: {error}",
            expected="MACE or ScaleShiftMACE, as training wrote it",
        ) from error


def _converted(file: TorchFile, head: str | None) -> Potential:
    source = read_mace(file)
    index = _head(source, head)
    config = mace_config(source)
    elements = tuple(int(z) for z in source["atomic_numbers"])
    with torch.random.fork_rng(devices=[]):
        model = MACE(config, len(elements), source.neighbours[0], elements).double()
    convert_weights(source, model, index)
    E0 = _of_head(source, "atomic_energies_fn.atomic_energies", index, len(elements))
    scaled = "scale_shift.scale" in source.tensors
    potential = Potential(
        model,
        elements,
        E0.tolist(),
        config.cutoff,
        float(_of_head(source, "scale_shift.scale", index, 1)) if scaled else 1.0,
        float(_of_head(source, "scale_shift.shift", index, 1)) if scaled else 0.0,
    )
    potential.eval().requires_grad_(False)
    return potential.to(source.dtype)


def mace_config(source: MACESource) -> MACEConfig:
    """The shape of a model, from its settings and from the shapes of its tensors.

    Raises:
        DataError: a variant that Schur does not have.
    """
    _check_constants(source)
    kinds = [_known(source, "interaction", kind, _INTERACTIONS) for kind in source.interactions]
    if len(set(kinds[1:])) > 1:
        raise DataError(
            f"{source.name} has interactions of several kinds after the first", got=kinds
        )
    for readout in source.readouts:
        _known(source, "readout", readout, {name: name for name in _READOUTS})
    fields = {
        **_radial_fields(source),
        **_product_fields(source),
        "hidden": str(source.hidden[0]),
        "layers": len(kinds),
        "readout": _hidden_scalars(source),
        "interaction": kinds[-1],
        "first_interaction": kinds[0],
        "repulsion": "zbl" if "pair_repulsion_fn.c" in source.tensors else "none",
        "sent_first": _text(source.sent[0]),
        "sent": _text(source.sent[-1]) if len(kinds) > 1 else None,
        "readouts": "all" if len(source.readouts) == len(kinds) else "last",
    }
    try:
        return MACEConfig.model_validate(fields)
    except ValidationError as error:
        raise DataError(
            f"{source.name} has a shape that MACE of Schur does not have",
            got="; ".join(f"{item['loc']}: {item['msg']}" for item in error.errors()),
        ) from error


def _text(rep: Irreps | None) -> str | None:
    return None if rep is None else str(rep)


def _radial_fields(source: MACESource) -> dict[str, Any]:
    """What is made of distances."""
    transform = "none"
    for tensor, name in (("a", "agnesi"), ("alpha", "soft")):
        if f"radial_embedding.distance_transform.{tensor}" in source.tensors:
            transform = name
    matrices = source.numbered("interactions.0.conv_tp_weights.layer", ".weight")
    return {
        "cutoff": float(source["r_max"]),
        "radial": source["radial_embedding.bessel_fn.bessel_weights"].numel(),
        "radial_hidden": [matrix.shape[1] for _, matrix in matrices][:-1],
        "envelope": int(source["radial_embedding.cutoff_fn.p"]),
        "distance_transform": transform,
        "envelope_on": "radial" if source.apply_cutoff else "weights",
    }


def _product_fields(source: MACESource) -> dict[str, Any]:
    """Degrees of harmonics and of products, from the tensors that contract them."""
    degrees = []
    for layer in range(len(source.interactions)):
        start = f"products.{layer}.symmetric_contractions.contractions.0"
        degrees.append(1 + len(list(source.numbered(f"{start}.weights.", ""))))
    single = source["products.0.symmetric_contractions.contractions.0.U_matrix_1"]
    return {
        "edge_lmax": isqrt(single.numel() // single.shape[-1]) - 1,
        "correlation": degrees[0] if len(set(degrees)) == 1 else degrees,
    }


def _head(source: MACESource, head: str | None) -> int:
    """Which head was asked for."""
    if head is None and len(source.heads) == 1:
        return 0
    if head is None:
        raise DataError(
            f"{source.name} has several heads, and a Schur model has one",
            got="no choice",
            expected="one of " + ", ".join(source.heads),
            remedy="name it with --head",
        )
    if head not in source.heads:
        raise DataError(
            f"{source.name} has no such head", got=head, expected=", ".join(source.heads)
        )
    return source.heads.index(head)


def _of_head(source: MACESource, name: str, head: int, size: int) -> Tensor:
    """One head's `size` numbers of a tensor that has a line for each head, or one for all."""
    lines = source[name].reshape(-1, size)
    return lines[head if len(lines) > 1 else 0]


def _hidden_scalars(source: MACESource) -> int:
    """Hidden scalars of one head in the last readout."""
    last = len(source.readouts) - 1
    if source.readouts[last] == "LinearReadoutBlock":
        return 0
    if source.gate != "silu":
        raise DataError(
            f"{source.name} has a readout with an activation that Schur does not have",
            got=source.gate or "none",
            expected="silu",
        )
    second = source[f"readouts.{last}.linear_2.weight"]
    return second.numel() // len(source.heads) ** 2


def _known(source: MACESource, what: str, kind: str, known: Mapping[str, Any]) -> Any:
    if kind not in known:
        raise DataError(
            f"{source.name} has a kind of {what} that Schur does not have",
            got=kind,
            expected=", ".join(known),
        )
    return known[kind]


def _check_constants(source: MACESource) -> None:
    """Raise where what Schur takes for a constant was something else."""
    expected = {name: torch.tensor(values) for name, values in _CONSTANTS.items()}
    cutoff = source["r_max"]
    bessel = source["radial_embedding.bessel_fn.bessel_weights"].flatten()
    expected["radial_embedding.bessel_fn.bessel_weights"] = (
        torch.arange(1, len(bessel) + 1) * pi / cutoff
    )
    expected["pair_repulsion_fn.p"] = source["radial_embedding.cutoff_fn.p"]
    for name, values in expected.items():
        if name not in source.tensors:
            continue
        got = source[name].flatten().double()
        if got.shape != values.flatten().shape or not torch.allclose(
            got, values.flatten().double(), rtol=1e-5, atol=0
        ):
            raise DataError(
                f"{source.name} has constants of its own, which Schur does not read",
                got=f"{name} = {got.tolist()}",
                expected=values.tolist(),
            )
