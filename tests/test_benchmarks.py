"""The benchmarks measure what they say: sizes, agreement of contenders, honest tables."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from e3nn import o3

from benchmarks import latency, references
from benchmarks import workload as workload_module
from benchmarks.__main__ import main as benchmarks_main
from benchmarks.irreps import channelwise, dim, parse
from benchmarks.mace_basis import dense_bases
from benchmarks.measure import time_case
from benchmarks.operations import operations
from benchmarks.peers.e3nn_peer import constants_in
from benchmarks.potentials import measure as potentials
from benchmarks.potentials.catalogue import CONTENDERS as CONTENDERS_OF_POTENTIALS
from benchmarks.potentials.catalogue import POTENTIALS, PotentialCase
from benchmarks.potentials.catalogue import cases_on as potential_cases
from benchmarks.potentials.contender import errors
from benchmarks.potentials.structures import structures
from benchmarks.problem import PASSES, NotPossible, Problem
from benchmarks.tables import table
from benchmarks.torch_contender import TorchContender
from benchmarks.workload import CONTENDERS, Case
from benchmarks.workloads import channelwise as shapes
from benchmarks.workloads import graphs, nodes, simple
from benchmarks.workloads.catalogue import workload


@pytest.mark.parametrize(
    ("name", "paths", "weights", "outputs"),
    [("W2", 17, 2176, 9088), ("W3", 10, 1280, 5120), ("W4", 30, 960, 3264), ("W5", 23, 1312, 5472)],
)
def test_channelwise_products_have_the_stated_size(
    name: str, paths: int, weights: int, outputs: int
) -> None:
    found = channelwise(*(parse(part) for part in shapes.SHAPES[name]))
    assert len(found) == paths
    assert sum(path.out.multiplicity for path in found) == weights
    assert dim(path.out for path in found) == outputs


def test_other_workloads_have_the_stated_size() -> None:
    assert simple.fully_connected_problem(2).inputs["weight"].shape == (2, 7128)
    bases = dense_bases(nodes.contraction_problem(1))
    assert tuple(basis.shape[-1] for per in bases for basis in per) == nodes.PATHS
    assert sum(basis.numel() for per in bases for basis in per) == 726_592


def test_diamond_has_the_stated_neighbours_and_sorted_edges() -> None:
    count, sender, receiver = graphs.diamond()
    assert (count, len(sender)) == (64, 10_112)
    assert np.all(np.bincount(sender) == 158)
    assert np.all(np.bincount(receiver) == 158)
    assert np.all(np.diff(receiver) >= 0)


def test_sizes_on_a_gpu() -> None:
    count, sender, receiver = graphs.diamond(5)
    assert (count, len(sender)) == (1_000, 158_000)
    assert np.all(np.bincount(sender) == 158) and np.all(np.bincount(receiver) == 158)
    for name, size in (("W2", "50000 rows"), ("W5", "50000 rows"), ("W8", "5000 nodes")):
        assert size in workload(name, "cuda").title
    assert workload("W9", "cuda").title == workload("W9").title


@pytest.mark.parametrize("name", ["W2", "W10", "W11", "W12", "start"])
def test_without_a_gpu_the_command_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["benchmarks", name, "--device", "cuda"])
    with pytest.raises(SystemExit):
        benchmarks_main()
    assert "torch sees no GPU" in capsys.readouterr().err


def test_shares_of_the_copy_bandwidth() -> None:
    """Half a gigabyte in a millisecond is half of what a copy at a terabyte a second moves."""
    entry = {"median_s": 1e-3, "all_s": [1e-3] * 7, "bytes": 5e8, "first_s": 0.0}
    row = {"construct_s": 0.0, "reason": None, "passes": {"F": entry}}
    result = {"workload": "W2", "case": "", "dtype": "float32", "threads": 1, "title": "product"}
    result |= {"passes": ["F"], "contenders": {"schur": row}, "copied_a_second": 1e12}
    found = table(result | {"operations": {"F": 2_000_000_000}})
    assert "% of copy" in found and "50" in found.splitlines()[2] and "2 G" in found


def test_operations_grow_with_the_derivatives() -> None:
    counted = operations("W3", "", shapes.problem(shapes.SHAPES["W3"], 2))
    assert 0 < counted["F"] < counted["FB"] < counted["FBB"]
    assert operations("W1", "l<=3", simple.harmonics_problem(1)) == {}


def small(kind: str) -> tuple[Problem, str, str]:
    """A problem of that kind with few rows, its builder and its reference."""
    if kind == "graph":
        sender, receiver = np.random.default_rng(0).integers(0, 20, (2, 60))
        bare = shapes.problem(shapes.Shape("4x0e+4x1o", "0e+1o", "4x0e+4x1o"), 60, 20)
        indices = {"sender": sender, "receiver": receiver}
        return replace(bare, indices=indices), "channelwise", "channelwise"
    if kind == "rows":
        parity = shapes.Shape("3x0o+2x0e+3x1o+2x1e", "0e+1o+2e", "0o+0e+1o+1e")
        return shapes.problem(parity, 9), "channelwise", "channelwise"
    if kind == "harmonics":
        points = simple.harmonics_problem(3)
        few = {"x": points.inputs["x"][:9]}
        return replace(points, inputs=few, output_shape=(9, 16)), "harmonics", "harmonics"
    species = nodes.SPECIES if kind == "linear per species" else 0
    return nodes.linear_problem(30, species), "linear", "linear"


KINDS = ["graph", "rows", "harmonics", "linear", "linear per species"]


@pytest.mark.parametrize("kind", KINDS)
def test_contenders_agree_with_the_reference(kind: str) -> None:
    problem, builder, reference = small(kind)
    exact = getattr(references, reference)(problem)
    case = Case("", lambda: problem, builder, tuple(CONTENDERS), "")
    names = ["schur", "bare matmul"] if kind.endswith("species") else ["schur", "e3nn"]
    for name in names:
        contender = case.build(name, problem, "float64")
        for what in PASSES:
            assert exact.error(contender.results(what)) < 64 * np.finfo(float).eps, (name, what)


def test_a_wrong_contender_is_seen() -> None:
    problem, _, _ = small("harmonics")
    exact = references.harmonics(problem)

    def wrong(x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.normalize(x, dim=1)
        return torch.cat([x, x.new_zeros(len(x), 13)], 1) * 0.1

    assert exact.error(TorchContender(wrong, problem, "float64").results("FBB")) > 0.1


def test_one_case_makes_a_table_that_fits() -> None:
    problem, builder, _ = small("harmonics")
    case = Case("l<=3", lambda: problem, builder, ("schur", "e3nn", "bare matmul"),
                "benchmarks.references.harmonics")  # fmt: skip
    spec = {"passes": PASSES, "contenders": case.contenders, "dtype": "float32", "repeats": 1}
    spec |= {"device": "cpu", "workload": "W1"}
    known = {"case": case.name, "threads": 1, "title": "harmonics"}
    found = table(spec | known | time_case(case, spec))
    assert max(len(line) for line in found.splitlines()) <= 100
    assert "bare matmul: has no such function" in found
    assert "~" in found.splitlines()[2], "one run is fewer than the rule asks for"


def test_structures_have_the_stated_size_and_no_atoms_that_touch() -> None:
    for name, count in {"diamond": 64, "copper": 64, "water box": 192, "hexanol": 21}.items():
        (frame,) = structures(name)
        assert frame["positions"].shape == (count, 3) and len(frame["numbers"]) == count
        apart = frame["positions"][:, None] - frame["positions"]
        if "cell" in frame:
            lengths = np.diag(frame["cell"])
            apart -= lengths * np.round(apart / lengths)
        distance = np.linalg.norm(apart, axis=-1) + 9 * np.eye(count)
        assert distance.min() > 0.9


def test_ten_frames_of_acetylacetone(shared_data: Path) -> None:
    frames = structures("acac")
    assert [len(frame["numbers"]) for frame in frames] == [15] * 10


def test_cases_of_potentials_have_names_of_their_own() -> None:
    for name in POTENTIALS:
        few, many = (potential_cases(name, device) for device in ("cpu", "cuda"))
        assert len({case.name for case in many}) == len(many) > len(few)


def test_structures_for_a_gpu() -> None:
    """Whole cells of the same crystal, and more of the same grid."""
    for name, count in {"diamond 5832": 5832, "copper 2048": 2048, "water box 5184": 5184}.items():
        (large,), (small,) = structures(name), structures(name.rpartition(" ")[0])
        assert len(large["numbers"]) == count
        density = [len(s["numbers"]) / np.linalg.det(s["cell"]) for s in (large, small)]
        assert density[0] == pytest.approx(density[1])


def test_the_verdict_on_a_start_counts_construction_and_the_first_step() -> None:
    laps = {"import torch": 50.0, "construct": 0.5}
    found = [
        {"case": "water", "device": "cpu", "cache": cache, "seconds": laps | {"first step": first}}
        for cache, first in (("empty", 9.0), ("full", 0.7))
    ]
    cold, warm = latency.verdict(found).strip().splitlines()
    assert "9.50 s" in cold and "reached 10 s" in cold and "1.20 s" in warm and "missed 1 s" in warm


def test_a_potential_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer whose package is not there is listed with the reason, and the others are measured."""
    absent = ("benchmarks.potentials.of_no_package", "mace")
    monkeypatch.setitem(CONTENDERS_OF_POTENTIALS, "mace-torch", absent)
    case = PotentialCase("small water", "water", {"hidden": "2x0e"}, ("schur", "mace-torch"))
    asked = {"workload": "W10", "dtype": "float64", "threads": 1, "repeats": 1, "device": "cpu"}
    result = potentials.measure(asked, case, "MACE", case.contenders, ["EF"], {})
    rows = result["contenders"]
    assert rows["schur"]["reason"] is None and "error" not in rows["schur"]["passes"]["EF"]
    assert "of_no_package" in rows["mace-torch"]["reason"]
    assert "of_no_package" in table(result) and "torch" in potentials.versions(result)


def test_errors_of_potentials_are_those_from_the_reference(tmp_path: Path) -> None:
    exact = np.array([3.0, 4.0])
    assert errors({"forces": exact}, tmp_path) == {}
    np.savez(tmp_path / "reference.npz", forces=exact)
    found = errors({"forces": exact + np.array([0.0, 0.05])}, tmp_path)
    assert found["forces"] == pytest.approx(0.01)


class OpenEquivarianceOfE3nn:
    """The part of OpenEquivariance's interface that its adapter uses, done by e3nn."""

    def __init__(self) -> None:
        self.deterministic: list[bool] = []

    def Irreps(self, parts: list[Any]) -> Any:
        return o3.Irreps(parts)

    def TPProblem(self, *irreps: Any, irrep_dtype: type, weight_dtype: type, **rest: Any) -> Any:
        assert irrep_dtype is weight_dtype is np.float64
        *sides, lines = irreps
        with constants_in("float64"):
            return o3.TensorProduct(*sides, lines, **rest)

    def TensorProduct(self, problem: Any) -> Any:
        # Another order of the weights, as it may have.
        made: Any = lambda x, y, weight: problem(x, y, weight.flip(1))  # noqa: E731
        made.reorder_weights_from_e3nn = made.reorder_weights_to_e3nn = lambda w: w[:, ::-1]
        return made

    def TensorProductConv(self, problem: Any, deterministic: bool) -> Any:
        self.deterministic.append(deterministic)

        def convolve(x: Any, y: Any, weight: Any, rows: Any, columns: Any, transposed: Any) -> Any:
            if deterministic:
                by_sender = list(zip(columns[transposed], rows[transposed], strict=True))
                assert by_sender == sorted(by_sender)
            messages = problem(x[columns], y, weight)
            return messages.new_zeros(len(x), messages.shape[1]).index_add(0, rows, messages)

        return convolve


def test_the_adapter_of_openequivariance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against its documented interface: the package itself needs a GPU."""
    package = OpenEquivarianceOfE3nn()
    monkeypatch.setitem(sys.modules, "openequivariance", package)  # pyright: ignore[reportArgumentType]
    sys.modules.pop("benchmarks.peers.openequivariance_peer", None)
    monkeypatch.setattr(workload_module.device, "is_gpu", lambda: True)
    shuffled, _, _ = small("graph")
    sender, receiver = shuffled.indices["sender"], shuffled.indices["receiver"]
    order = np.lexsort((sender, receiver))
    ordered = replace(shuffled, indices={"sender": sender[order], "receiver": receiver[order]})
    mixed = Problem(
        {name: x[:4] for name, x in simple.fully_connected_problem(4).inputs.items()},
        (4, dim(parse(simple.FULLY_CONNECTED[2]))),
        settings={"shape": simple.FULLY_CONNECTED},
    )
    for problem, builder in ((shuffled, "channelwise"), (ordered, "channelwise"),
                             (mixed, "fully_connected")):  # fmt: skip
        case = Case("", lambda problem=problem: problem, builder, ("openequivariance",), "")
        exact = getattr(references, builder)(problem)
        found = case.build("openequivariance", problem, "float64").results("FB")
        assert exact.error(found) < 64 * np.finfo(float).eps
    assert package.deterministic == [False, True]
    sys.modules.pop("benchmarks.peers.openequivariance_peer")


def test_openequivariance_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, builder, _ = small("rows")
    case = Case("", lambda: problem, builder, ("openequivariance",), "")
    with pytest.raises(NotPossible, match="needs a GPU"):
        case.build("openequivariance", problem, "float32")
    monkeypatch.setattr(workload_module.device, "is_gpu", lambda: True)
    monkeypatch.setitem(sys.modules, "openequivariance", None)
    with pytest.raises(NotPossible, match=r"not installed \(openequivariance\)"):
        case.build("openequivariance", problem, "float32")
