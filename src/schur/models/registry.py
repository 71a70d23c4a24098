"""Which architectures there are: the one place that knows them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from torch import nn

from ..errors import DataError
from .ecomformer import EComFormer, EComFormerConfig
from .egnn import EGNN, EGNNConfig
from .energy_model import EnergyModel
from .equiformer_v2 import EquiformerV2, EquiformerV2Config
from .escn import ESCN, ESCNConfig
from .faenet import FAENet, FAENetConfig
from .mace import MACE, MACEConfig
from .nequip import NequIP, NequIPConfig
from .ponita import PONITA, PONITAConfig
from .se3_transformer import SE3Transformer, SE3TransformerConfig
from .tensor_field_network import TensorFieldNetwork, TensorFieldNetworkConfig
from .tensornet import TensorNet, TensorNetConfig

ModelConfig = Annotated[
    MACEConfig
    | NequIPConfig
    | EGNNConfig
    | TensorNetConfig
    | TensorFieldNetworkConfig
    | SE3TransformerConfig
    | ESCNConfig
    | EquiformerV2Config
    | EComFormerConfig
    | PONITAConfig
    | FAENetConfig,
    Field(discriminator="architecture"),
]
"""The shape of a model of any architecture; its field `architecture` says of which."""

ARCHITECTURES: Mapping[str, type[EnergyModel[Any]]] = {
    "mace": MACE,
    "nequip": NequIP,
    "egnn": EGNN,
    "tensornet": TensorNet,
    "tensor-field-network": TensorFieldNetwork,
    "se3-transformer": SE3Transformer,
    "escn": ESCN,
    "equiformer-v2": EquiformerV2,
    "ecomformer": EComFormer,
    "ponita": PONITA,
    "faenet": FAENet,
}
"""Name -> class, built from (config, num_species, mean_neighbours)."""

_ADAPTER: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


def build_model(
    config: ModelConfig, num_species: int, mean_neighbours: float, numbers: Sequence[int]
) -> nn.Module:
    """A model with random parameters.

    Args:
        config: its shape.
        num_species: how many elements there are.
        mean_neighbours: neighbours of an atom on average.
        numbers: atomic number of each species.

    Example:
        >>> shape = NequIPConfig(layers=1, features=2)
        >>> type(build_model(shape, 1, 1.0, [1])).__name__
        'NequIP'
    """
    kind: Any = ARCHITECTURES[config.architecture]
    elements = {"numbers": numbers} if config.needs_elements else {}
    return kind(config, num_species, mean_neighbours, **elements)


def parse_config(settings: Mapping[str, Any]) -> ModelConfig:
    """A configuration from the mapping that `model_dump` makes.

    Raises:
        DataError: an architecture that does not exist, or settings that it does not have.

    Example:
        >>> parse_config({"architecture": "nequip", "lmax": 2}).describe()
        'NequIP, 32x0e+32x0o+32x1e+32x1o+32x2e+32x2o, 4 layers, cutoff 5.0 Å'
    """
    try:
        return _ADAPTER.validate_python(settings)
    except ValidationError as error:
        raise DataError(
            "this describes no model that is known here",
            got=error.errors()[0]["msg"],
            expected=f"settings of one of {', '.join(ARCHITECTURES)}",
            remedy="install a newer schur, if the file is from one",
        ) from error


def config_of(model: nn.Module) -> ModelConfig:
    """The configuration of a model that one of the architectures built.

    Raises:
        DataError: another kind of model.
    """
    if not isinstance(model, tuple(ARCHITECTURES.values())):
        raise DataError(
            "this architecture has no file format",
            got=type(model).__name__,
            expected=", ".join(ARCHITECTURES),
        )
    config: Any = model.config
    return config
