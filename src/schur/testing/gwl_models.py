"""Small models of every architecture, and what each claims in the battery of `gwl`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from schur.models.ecomformer_config import EComFormerConfig
from schur.models.egnn_config import EGNNConfig
from schur.models.equiformer_v2_config import EquiformerV2Config
from schur.models.escn_config import ESCNConfig
from schur.models.faenet_config import FAENetConfig
from schur.models.mace_config import MACEConfig
from schur.models.nequip_config import NequIPConfig
from schur.models.ponita_config import PONITAConfig
from schur.models.registry import ModelConfig, build_model
from schur.models.se3_transformer_config import SE3TransformerConfig
from schur.models.tensor_field_network_config import TensorFieldNetworkConfig
from schur.models.tensornet_config import TensorNetConfig
from schur.reps import Irreps
from schur.testing.gwl import Ability, Report, battery
from schur.testing.gwl_pairs import PAIRS


@dataclass(frozen=True)
class Subject:
    """A model to be tried.

    Args:
        name: what a table calls it.
        config: its shape.
        ability: what it claims.
    """

    name: str
    config: ModelConfig
    ability: Ability

    def report(self, seed: int = 0) -> Report:
        """The battery on a model of this shape with random weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build_model(self.config, 1, 1.0, (6,))
        return battery(model, self.config.cutoff, self.ability)


def _mace() -> list[Subject]:
    one = MACEConfig(layers=1, hidden="4x0e", edge_lmax=3, correlation=1)
    single = Ability(layers=1)
    subjects = [
        Subject(
            f"mace, 1 layer, correlation {n}",
            one.model_copy(update={"correlation": n}),
            replace(single, body_order=n + 1),
        )
        for n in (1, 2, 3, 4)
    ]
    for layers, lmax in ((2, 1), (3, 3)):
        hidden = str(Irreps([(4, ir) for _, ir in Irreps.spherical_harmonics(lmax)]))
        shape = MACEConfig(layers=layers, hidden=hidden, edge_lmax=3, correlation=2)
        ability = Ability(layers=layers, degree=lmax)
        subjects.append(Subject(f"mace, {layers} layers, features to l = {lmax}", shape, ability))
    return subjects


def _nequip() -> list[Subject]:
    subjects = []
    for layers, lmax in ((1, 1), (3, 3), (5, 1)):
        shape = NequIPConfig(layers=layers, lmax=lmax, features=4)
        degree = lmax if layers > 1 else 0  # the last layer passes on scalars
        ability = Ability(layers=layers, linear=True, body_order=2, degree=degree)
        plural = "s" if layers > 1 else ""
        subjects.append(Subject(f"nequip, {layers} layer{plural}, l ≤ {lmax}", shape, ability))
    return subjects


def _egnn() -> list[Subject]:
    # Moves of some Å, so that what they tell is far above rounding.
    shape = EGNNConfig(layers=3, features=8, step=2.0)
    ability = Ability(layers=3, degree=1)
    alone = Ability(layers=1, body_order=2, degree=0)
    still = shape.model_copy(update={"moving": False})
    return [
        Subject("egnn, 1 layer", shape.model_copy(update={"layers": 1}), alone),
        Subject("egnn, 3 layers", shape, ability),
        Subject("egnn, 3 layers, moving=false", still, replace(ability, directions=False)),
    ]


def _tensornet() -> list[Subject]:
    shape = TensorNetConfig(layers=0, features=8)
    # The embedding sees neighbours too, and its norms couple two of them.
    return [
        Subject("tensornet, embedding", shape, Ability(layers=1, body_order=3)),
        Subject(
            "tensornet, 2 layers",
            shape.model_copy(update={"layers": 2}),
            Ability(layers=3, degree=2),
        ),
    ]


def _irreps() -> list[Subject]:
    """Models with irreps of natural parity and the product with harmonics in each layer."""
    # Norms and attention couple both ends of a chain, but not as early as messages of higher
    # body order do: theory is silent.
    silent, alone = Ability(degree=2), Ability(layers=1, body_order=2, degree=0)
    field = TensorFieldNetworkConfig(lmax=2, features=4)
    attention = SE3TransformerConfig(lmax=2, features=4, heads=2)
    frames = ESCNConfig(lmax=2, channels=4)
    linear = Ability(layers=3, linear=True, body_order=2, degree=2)
    # So fine a grid is exact to rounding.
    grids = EquiformerV2Config(
        lmax=2, layers=2, channels=4, heads=2, value_channels=2, hidden=4, feed_forward=4, grid=96
    )
    one = {"layers": 1}
    return [
        Subject("tensor-field-network, 1 layer", field.model_copy(update=one), alone),
        Subject("tensor-field-network, 3 layers, l ≤ 2", field, silent),
        Subject("se3-transformer, 1 layer", attention.model_copy(update=one), alone),
        Subject("se3-transformer, 3 layers, l ≤ 2", attention, silent),
        Subject("escn, 3 layers, l ≤ 2", frames, linear),
        Subject("equiformer-v2, 2 layers, l ≤ 2", grids, silent),
        # Its layers pass on scalars; degrees are inside of one update, which sees two neighbours.
        Subject("ecomformer, 3 layers", EComFormerConfig(features=4), Ability(degree=0)),
    ]


def _ponita() -> list[Subject]:
    # What a rotation changes counts as noise, so that a grid tells apart what stands out from it.
    shape = PONITAConfig(layers=1, features=8, frequency=1)
    one, three = Ability(layers=1, exact=False), Ability(layers=3, exact=False)
    return [
        Subject("ponita, 1 layer, 12 directions", shape, one),
        Subject("ponita, 1 layer, 92 directions", shape.model_copy(update={"frequency": 3}), one),
        Subject(
            "ponita, 3 layers, 92 directions",
            shape.model_copy(update={"frequency": 3, "layers": 3}),
            three,
        ),
    ]


def _faenet() -> list[Subject]:
    # Frames know the whole graph, so that layers are no bound; symmetric graphs have no frames of
    # their own, and what another choice of axes changes counts as noise.
    shape = FAENetConfig(layers=1, features=8, ties="accept")
    handed = shape.model_copy(update={"group": "SO(3)"})
    silent = Ability(exact=False)
    return [
        Subject("faenet, 1 layer", shape, silent),
        Subject("faenet, 1 layer, SO(3)", handed, replace(silent, reflections=False)),
    ]


SUBJECTS: tuple[Subject, ...] = (
    *_mace(),
    *_nequip(),
    *_egnn(),
    *_tensornet(),
    *_irreps(),
    *_ponita(),
    *_faenet(),
)
"""At least one model of every architecture in `schur.models.registry`."""


def row(name: str, report: Report) -> str:
    """A line of a Markdown table: what is told apart, bold where theory says that it must be.

    A pair that was not asked is `·`.
    """
    cells = {}
    for finding in report.findings:
        word = "yes" if finding.separated else "no"
        cells[finding.pair] = f"**{word}**" if finding.expected == "must" else word
    return f"| {name} | " + " | ".join(cells.get(pair, "·") for pair in _columns()) + " |"


def table(subjects: Sequence[Subject] = SUBJECTS) -> str:
    """The findings of all subjects as a Markdown table.

    Example:
        >>> print(table(SUBJECTS[:1]).splitlines()[0][:36])
        | model | 2-body | 3-body | 3-body,
    """
    head = f"| model | {' | '.join(_columns())} |"
    rule = "|" + "---|" * (len(_columns()) + 1)
    return "\n".join([head, rule, *(row(s.name, s.report()) for s in subjects)])


def _columns() -> list[str]:

    return [pair.name for pair in PAIRS]
