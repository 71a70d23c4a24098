"""The processes that train one model together: who leads, what is shared out, what is agreed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import PeerError, SchurError

T = TypeVar("T")
_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True)
class Processes:
    """The processes of one run as one of them sees them; by default it is alone.

    Every process calls the methods in the same order; the first one (rank 0) leads: it alone
    writes files and prints.

    Args:
        rank: number of this process, from 0.
        size: how many there are.

    Example:
        >>> Processes().each(lambda: 3)
        [3]
        >>> Processes(rank=1, size=3).share(range(8))
        [1, 4, 7]
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> list[T]:
        """Every `size`-th item, from the `rank`-th on; the shares of all make the whole."""
        return list(items[self.rank :: self.size])

    def each(self, work: Callable[[], T]) -> list[T]:
        """Does some work in every process and hands all of them all results, in order of rank.

        Raises:
            SchurError: where a process failed. Process 0 raises an error with the message of the
                first that did, so that it is printed once; the others raise PeerError.
        """
        if self.size == 1:
            return [work()]
        done: list[Any] = [None] * self.size
        try:
            mine: tuple[T | None, Exception | None] = work(), None
        except Exception as error:
            mine = None, error
        said = (mine[0], None if mine[1] is None else _message(mine[1]))
        self._together(lambda: dist.all_gather_object(done, said))
        failed = [(rank, text) for rank, (_, text) in enumerate(done) if text is not None]
        if not failed:
            return [result for result, _ in done]
        rank, text = failed[0]
        if self.rank == rank == 0 and mine[1] is not None:
            raise mine[1]
        kind = SchurError if self.leads else PeerError
        raise kind(f"process {rank} of {self.size} failed: {text}")

    def all_do(self, work: Callable[[], T]) -> T:
        """Does some work in every process, and fails in all where it fails in one.

        Raises:
            SchurError: as `each`.
        """
        result: list[T] = []
        self.each(lambda: result.append(work()))
        return result[0]

    def add_up(self, values: Tensor) -> None:
        """Replaces a tensor by its sum over all processes.

        Raises:
            PeerError: another process has ended.
        """
        if self.size > 1:
            self._together(lambda: dist.all_reduce(values))

    def copy_from_leader(self, model: nn.Module) -> None:
        """Gives every process the parameters of process 0."""
        if self.size == 1:
            return
        with torch.no_grad():
            for parameter in model.parameters():
                self._together(lambda p=parameter: dist.broadcast(p.data, src=0))

    def _together(self, operation: Callable[[], object]) -> None:
        try:
            operation()
        except RuntimeError as error:
            raise PeerError(
                "the processes of this run lost each other",
                got=str(error).splitlines()[0],
                expected=f"{self.size} processes that all go on",
                remedy="see what the process that ended first has said",
            ) from error


@contextmanager
def joined_processes(
    environment: Mapping[str, str] = os.environ, init_method: str = "env://"
) -> Iterator[Processes]:
    """Joins the processes that torchrun has started, for the length of the block.

    Without torchrun (no WORLD_SIZE above 1) the process is alone. Tensors on CPUs travel by
    Gloo, those on GPUs by NCCL.

    Args:
        environment: with RANK, WORLD_SIZE and what `init_method` wants, as torchrun sets them.
        init_method: of `torch.distributed.init_process_group`.

    Example:
        >>> with joined_processes({}) as processes:
        ...     processes
        Processes(rank=0, size=1)
    """
    size, rank = int(environment.get("WORLD_SIZE", "1")), int(environment.get("RANK", "0"))
    if size == 1:
        yield Processes()
        return
    dist.init_process_group(
        _transport(), init_method=init_method, rank=rank, world_size=size, timeout=_TIMEOUT
    )
    try:
        yield Processes(rank, size)
    finally:
        dist.destroy_process_group()


def _transport() -> str:
    """What tensors on each kind of device travel by."""
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    return "cpu:gloo,cuda:nccl" if gpus else "gloo"


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, SchurError) else f"{type(error).__name__}: {error}"
