"""The state of a run on disk, from which it resumes exactly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DataError
from .tensor_file import flatten, load_header, load_tensors, save_tensors, select

_KIND = "schur checkpoint"


@dataclass
class RunState:
    """Everything of a run that is not a tensor.

    Args:
        epoch, batch: where the next step is.
        step: steps taken.
        elapsed: seconds of training so far.
        updates: updates of the averaged parameters.
        usual_norm: running mean of the gradient's norm, or None before the first step.
        loss_sum: of the batches of the unfinished epoch.
        best_score: smallest validation score so far.
        stale: validations since.
        rows: the history.
        fingerprint: settings that a resumed run must share.
        threads: of the arithmetic, on which the last bits of some sums depend.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    elapsed: float = 0.0
    updates: int = 0
    usual_norm: float | None = None
    loss_sum: float = 0.0
    best_score: float = float("inf")
    stale: int = 0
    rows: list[dict[str, int | float]] = field(default_factory=list)
    fingerprint: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None


def save_checkpoint(
    path: str | os.PathLike[str],
    state: RunState,
    model: nn.Module,
    average: Mapping[str, Tensor],
    best: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Writes a checkpoint; raw, averaged and best parameters and buffers are kept apart by name.

    Raises:
        DataError: where the disk is full; the checkpoint before is then unchanged.
    """
    tensors = {
        **flatten(dict(model.named_parameters()), "raw"),
        **flatten(average, "average"),
        **flatten(best, "best"),
        **flatten(_optimiser_tensors(optimiser), "optimiser"),
        **flatten(_buffers(model), "buffer"),
    }
    save_tensors(path, tensors, {"kind": _KIND, "state": asdict(state)})


def load_checkpoint(
    path: str | os.PathLike[str],
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    fingerprint: Mapping[str, Any],
) -> tuple[RunState, dict[str, Tensor], dict[str, Tensor]]:
    """Puts a checkpoint into model and optimiser.

    Returns:
        The state, the averaged and the best parameters.

    Raises:
        DataError: a damaged file, or one of a run with other settings (which are named).
    """
    tensors, header = load_tensors(path)
    if header.get("kind") != _KIND:
        raise DataError("this file is no checkpoint", got=header.get("kind"), expected=_KIND)
    state = RunState(**header["state"])
    _require_same(state.fingerprint, fingerprint)
    raw = select(tensors, "raw")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(raw[name])
        held = select(tensors, "buffer")
        for name, buffer in _buffers(model).items():
            buffer.copy_(held[name])
    _restore_optimiser(optimiser, select(tensors, "optimiser"))
    return state, select(tensors, "average"), select(tensors, "best")


def read_threads(path: str | os.PathLike[str]) -> int | None:
    """Threads of the run that wrote a checkpoint; None where there is no checkpoint.

    Raises:
        DataError: a damaged file.
    """
    if not os.path.exists(path):
        return None
    return load_header(path).get("state", {}).get("threads")


def _require_same(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if changed:
        parts = ", ".join(f"{key}: {old.get(key)} then {new.get(key)}" for key in changed[:5])
        raise DataError(
            "the run to be resumed had other settings",
            got=parts,
            expected="the settings of the run that was stopped",
            remedy="give the same settings, another output folder, or --restart never",
        )


def _buffers(model: nn.Module) -> dict[str, Tensor]:
    """What layers keep beside parameters, such as the running means of batch norms."""
    parameters = dict(model.named_parameters())
    return {key: value for key, value in model.state_dict().items() if key not in parameters}


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimiser.state_dict()["state"]
    return {
        f"{index}/{name}": torch.as_tensor(value)
        for index, values in state.items()
        for name, value in values.items()
    }


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    whole = optimiser.state_dict()
    whole["state"] = state
    optimiser.load_state_dict(whole)
