"""Weights of the package nequip in the order and normalisation of Schur's layers.

Both compute the same sums. They differ in where edge vectors point (there from the atom that
receives to its neighbour), in the order of paths (there sorted by irrep), in constants of
normalisation, and in the self connection: there its weights are a product of a shared tensor and
the embedding of the element, here each element has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor, nn

from ..errors import DataError
from ..nn.linear import Linear
from ..nn.radial_mlp import RadialMLP
from ..nn.second_moment import second_moment_scale
from .nequip import NequIP, NequIPLayer

_EMBEDDING = "type_embed.embed_module.weight"


def weights_of_nequip(tensors: Mapping[str, Tensor], model: NequIP) -> dict[str, Tensor]:
    """A state dict for `model` from that of an energy model of nequip 0.19 of the same shape.

    Scale and shift of energies are not part of a model here: `Potential` has them.

    Args:
        tensors: named as in that package, with any prefix.
        model: what the weights are for; it stays as it is.

    Returns:
        Parameters by name, in float64.

    Raises:
        DataError: a tensor is missing, or has another size than `model` needs.
    """
    source = _Source(tensors)
    found = {"embedding": source(_EMBEDDING, model.embedding.shape)}
    if isinstance(model.radial.nodes, nn.Parameter):
        nodes = source("bessel_encode.bessel_weights", (1, model.config.radial))
        found["radial.nodes"] = nodes[0]
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, NequIPLayer)
        name = f"layer{index}_convnet.conv"
        for key, value in _layer(source, name, layer, model).items():
            found[f"layers.{index}.{key}"] = value
    readout = _network(source, "per_atom_energy_readout.mlp_module.mlp", model.readout, 1.0)
    return found | {f"readout.{key}": value for key, value in readout.items()}


class _Source:
    """Tensors by the end of their name, each checked for its shape, in float64."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        full = [name for name in tensors if name.endswith(_EMBEDDING)]
        self.prefix = full[0].removesuffix(_EMBEDDING) if full else ""

    def __call__(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = self.tensors.get(self.prefix + name)
        if tensor is None or tuple(tensor.shape) != tuple(shape):
            raise DataError(
                f"{name} is not what this model needs",
                got=None if tensor is None else tuple(tensor.shape),
                expected=tuple(shape),
                remedy="give the model the settings that the weights were trained with",
            )
        return tensor.detach().to(torch.float64)


def _layer(source: _Source, name: str, layer: NequIPLayer, model: NequIP) -> dict[str, Tensor]:
    """The parameters of one interaction block."""
    # The Bessel functions differ by √(2/cutoff).
    radial = _network(source, f"{name}.edge_mlp.mlp", layer.weights, sqrt(2 / model.config.cutoff))
    last = f"layer{len(layer.weights.sizes) - 2}.weight"
    radial[last] = radial[last] * _signs(layer)
    found = {f"weights.{key}": value for key, value in radial.items()}
    found["up.weight"] = source(f"{name}.linear_1.weight", (layer.up.weight_numel,))
    mixed = source(f"{name}.linear_2.weight", (layer.mix.weight_numel,))
    found["mix.weight"] = _by_path(mixed, layer.mix)
    if layer.connection is not None:
        embedding = source(_EMBEDDING, model.embedding.shape)
        shared = source(f"{name}.sc.weight", (layer.connection.weight_numel * embedding.shape[1],))
        found["connection.weight"] = _by_species(shared, embedding, layer.connection)
    return found


def _network(source: _Source, name: str, net: RadialMLP, first: float) -> dict[str, Tensor]:
    """Matrices of a network; `first` is the factor of the first.

    There √2 stands in for the constant that gives SiLU unit second moment.
    """
    later = sqrt(2) / second_moment_scale(nn.functional.silu)
    pairs = list(zip(net.sizes, net.sizes[1:], strict=False))
    return {
        f"layer{k}.weight": source(f"{name}.{2 * k}.weight", pair) * (later if k else first)
        for k, pair in enumerate(pairs)
    }


def _signs(layer: NequIPLayer) -> Tensor:
    """(-1)^l of the harmonic in each weight's path, for edge vectors that point the other way."""
    convolution = layer.convolution
    signs = []
    for path in convolution.paths:
        degree = convolution.rep_edge[path.i_in2].ir.l
        signs.append(torch.full((torch.Size(path.path_shape).numel(),), (-1.0) ** degree))
    return torch.cat(signs).double()


def _by_path(weight: Tensor, mix: Linear) -> Tensor:
    """Blocks of paths sorted by irrep, in the order of the paths."""
    order = mix.rep_in.sort()
    sizes = [0] * len(mix.rep_in)
    for i, k in mix.instructions:
        sizes[i] += mix.rep_in[i].mul * mix.rep_out[k].mul
    ordered = [0] * len(sizes)
    for i, place in enumerate(order.p):
        ordered[place] = sizes[i]
    blocks = weight.split(ordered)
    return torch.cat([blocks[order.p[i]] for i in range(len(sizes))])


def _by_species(shared: Tensor, embedding: Tensor, connection: Linear) -> Tensor:
    """Σ_v weight[u, v, w] embedding[species, v] / √width for each pair of irreps."""
    width = embedding.shape[1]
    shapes = [
        (connection.rep_in[i].mul, width, connection.rep_out[k].mul)
        for i, k in connection.instructions
    ]
    blocks = shared.split([a * b * c for a, b, c in shapes])
    matrices = [
        torch.einsum("uvw,sv->suw", block.reshape(shape), embedding) / sqrt(width)
        for block, shape in zip(blocks, shapes, strict=True)
    ]
    return torch.cat([matrix.flatten(1) for matrix in matrices], dim=1)
