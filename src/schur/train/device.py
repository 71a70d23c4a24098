"""Where the arithmetic of a run takes place: the choice, and why it fell so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist

from ..errors import BackendError, DataError


@dataclass(frozen=True)
class Chosen:
    """A device and the reason for it.

    Args:
        device: where parameters and batches go.
        reason: in a few words.
    """

    device: torch.device
    reason: str

    def __str__(self) -> str:
        return f"device: {self.device} ({self.reason})"


def choose_device(asked: str = "auto", environment: Mapping[str, str] = os.environ) -> Chosen:
    """The device that a word on the command line stands for.

    `auto` takes a GPU where torch can use one, else the CPU. Of several processes that torchrun
    has started on a machine, each takes the GPU of its own number (LOCAL_RANK).

    Args:
        asked: auto, cpu, cuda or cuda:N; GPUs of AMD go by the name of cuda too, as in torch.
        environment: with LOCAL_RANK and LOCAL_WORLD_SIZE, as torchrun sets them.

    Raises:
        DataError: a word that names no device.
        BackendError: a GPU that is not there, or that several processes would share.

    Example:
        >>> print(choose_device("cpu"))
        device: cpu (asked for)
    """
    kind, _, number = asked.partition(":")
    if asked not in ("auto", "cpu", "cuda") and not (kind == "cuda" and number.isdecimal()):
        raise DataError(
            "there is no such device", got=repr(asked), expected="auto, cpu, cuda or cuda:N"
        )
    if asked == "cpu":
        return Chosen(torch.device("cpu"), "asked for")
    mine, here = (
        int(environment.get(name, default))
        for name, default in (("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "1"))
    )
    place = int(number) if number else mine
    together = int(environment.get("WORLD_SIZE", here)) > 1
    lack = _lack(place, here, bool(number), together)
    if lack is None:
        why = "auto" if asked == "auto" else "asked for"
        return Chosen(torch.device("cuda", place), f"{why}: {torch.cuda.get_device_name(place)}")
    if asked == "auto":
        return Chosen(torch.device("cpu"), f"auto: {lack}")
    raise BackendError(
        f"device {asked!r} cannot be used",
        got=lack,
        expected="a GPU for each process that torch can use",
        remedy="ask for cpu or auto; install a torch that is built for this GPU; "
        "or look whether its driver is there (nvidia-smi, rocm-smi)",
    )


def _lack(place: int, processes: int, numbered: bool, together: bool) -> str | None:
    """Why no GPU of this number can be used, or None."""
    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        return "torch sees no GPU" if built else "this torch is built for CPUs alone"
    if together and not dist.is_nccl_available():
        return "this torch has no NCCL, by which several processes share gradients on GPUs"
    if numbered and processes > 1:
        return f"{processes} processes on this machine would share GPU {place}"
    count = torch.cuda.device_count()
    if processes > count:
        return f"{processes} processes on this machine and {count} GPUs"
    if place >= count:
        return f"GPU {place} asked for, and there are {count}, counted from 0"
    return None


def current(device: torch.device) -> AbstractContextManager[object]:
    """A block in which torch's own choice of a GPU is this one; nothing for a CPU."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
