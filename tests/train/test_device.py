"""The choice of a device: what is there, what is asked for, and who shares it."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist

from schur.engine.transfer import moved
from schur.errors import BackendError, DataError
from schur.train.device import choose_device, current
from schur.train.processes import joined_processes


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> int:
    """A machine on which torch says that it sees two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda k: f"GPU of number {k}")
    monkeypatch.setattr(dist, "is_nccl_available", lambda: True)
    return 2


@pytest.fixture
def none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def ranks(local: int, size: int) -> dict[str, str]:
    return {"LOCAL_RANK": str(local), "LOCAL_WORLD_SIZE": str(size)}


@pytest.mark.parametrize(
    ("asked", "place"), [("auto", 0), ("cuda", 0), ("cuda:1", 1), ("cuda:0", 0)]
)
def test_a_gpu_that_is_there(gpus: int, asked: str, place: int) -> None:
    chosen = choose_device(asked, {})
    assert chosen.device == torch.device("cuda", place)
    assert f"GPU of number {place}" in str(chosen)


@pytest.mark.parametrize("rank", [0, 1])
def test_each_process_takes_its_own(gpus: int, rank: int) -> None:
    for asked in ("auto", "cuda"):
        assert choose_device(asked, ranks(rank, gpus)).device == torch.device("cuda", rank)


def test_too_many_processes_for_the_gpus(gpus: int) -> None:
    """NCCL serves no two processes on one GPU: auto says why it stays away, cuda raises."""
    chosen = choose_device("auto", ranks(0, 3))
    assert chosen.device.type == "cpu" and "3 processes on this machine and 2 GPUs" in str(chosen)
    with pytest.raises(BackendError, match="3 processes on this machine and 2 GPUs"):
        choose_device("cuda", ranks(0, 3))
    with pytest.raises(BackendError, match="would share GPU 1"):
        choose_device("cuda:1", ranks(0, 2))


def test_a_gpu_of_a_number_that_is_not_there(gpus: int) -> None:
    with pytest.raises(BackendError, match="GPU 2 asked for, and there are 2"):
        choose_device("cuda:2", {})


def test_no_gpu(none: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for built, said in (("13.0", "torch sees no GPU"), (None, "built for CPUs alone")):
        monkeypatch.setattr(torch.version, "cuda", built)
        chosen = choose_device("auto", {})
        assert chosen.device.type == "cpu" and said in str(chosen)
        with pytest.raises(BackendError, match=said):
            choose_device("cuda", {})


@pytest.mark.parametrize("asked", ["gpu", "cuda:", "cuda:x", "cuda:-1", "", "mps", "cpu:0"])
def test_words_that_name_no_device(gpus: int, asked: str) -> None:
    with pytest.raises(DataError, match="no such device"):
        choose_device(asked, {})


def test_the_cpu_is_there_always(gpus: int) -> None:
    assert str(choose_device("cpu", {})) == "device: cpu (asked for)"


def test_nothing_is_done_for_a_cpu() -> None:
    values = torch.ones(2)
    with current(torch.device("cpu")):
        assert moved(values, torch.device("cpu")) is values
    assert moved(values, torch.device("meta")).is_meta


@pytest.mark.parametrize(
    ("sees", "has_nccl", "transport"),
    [(True, True, "cpu:gloo,cuda:nccl"), (True, False, "gloo"), (False, True, "gloo")],
)
def test_gradients_on_gpus_travel_by_nccl(
    sees: bool, has_nccl: bool, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: sees)
    monkeypatch.setattr(dist, "is_nccl_available", lambda: has_nccl)
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **rest: told.append(backend))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: None)
    with joined_processes({"RANK": "1", "WORLD_SIZE": "2"}) as processes:
        assert (processes.rank, processes.size) == (1, 2)
    assert told == [transport]


def test_several_processes_without_nccl_stay_on_the_cpu(
    gpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dist, "is_nccl_available", lambda: False)
    assert choose_device("auto", {}).device.type == "cuda"
    assert "no NCCL" in choose_device("auto", ranks(0, 2)).reason
    with pytest.raises(BackendError, match="no NCCL"):
        choose_device("cuda", ranks(0, 2))
