"""Weights of mace-torch in the order and normalisation of Schur's layers.

Both packages compute the same sums. They differ in the order of paths (Schur's stand as they are
made, those of mace-torch are sorted by irrep), in constants that one of them divides by and the
other has in its weights, and in the basis of symmetric polynomials.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import DataError
from ...models.mace import MACE
from ...models.mace_layers import MACELayer, ScalarReadout
from ...nn.linear import Linear
from ...nn.symmetric_contraction import SymmetricContraction
from ...products.symmetric_power import symmetric_basis
from ...reps import Irreps
from .mace_source import MACESource

# mace-torch is bound to e3nn 0.4.4, whose couplings of these degrees have the other sign than in
# e3nn 0.6 and Schur. Only pseudotensors take part in couplings with an odd sum of degrees.
_OTHER_SIGN = {
    *((1, degree, degree) for degree in range(2, 7)),
    *((3, 4, 6), (4, 4, 5), (4, 5, 6), (5, 5, 5), (5, 6, 6)),
}
_COMPARED = 6


def convert_weights(source: MACESource, model: MACE, head: int) -> None:
    """Fills a model with the weights of a source; only the layout of `model` is read.

    Args:
        source: of mace-torch.
        model: of the same shape, float64.
        head: which head's readouts.

    Raises:
        DataError: a tensor that is not there.
        RuntimeError: tensors that do not fit the shape.
    """
    model.load_state_dict(_all(source, model, head))


def _all(source: MACESource, model: MACE, head: int) -> dict[str, Tensor]:
    """Parameters and buffers under the names that `model` has for them."""
    weights = {"embedding": _embedding(source, model)}
    numbers = source["atomic_numbers"]
    if model.radial.transform is not None:
        radii = source["radial_embedding.distance_transform.covalent_radii"]
        weights["radial.transform.radii"] = radii[numbers]
    if model.repulsion is not None:
        weights["repulsion.radii"] = source["pair_repulsion_fn.covalent_radii"][numbers]
        weights["repulsion.charges"] = numbers
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, MACELayer)
        found = _layer(source, model, layer, index)
        weights |= {f"layers.{index}.{name}": value for name, value in found.items()}
    for index, readout in enumerate(model.readouts):
        found = _readout(source, readout, index, head)
        weights |= {f"readouts.{index}.{name}": value for name, value in found.items()}
    return weights


def _embedding(source: MACESource, model: MACE) -> Tensor:
    weight = source["node_embedding.linear.weight"]
    return weight.reshape(model.num_species, -1) * model.num_species**-0.5


def _layer(source: MACESource, model: MACE, layer: MACELayer, index: int) -> dict[str, Tensor]:
    block, product = f"interactions.{index}", f"products.{index}"
    paths, channels = layer.convolution.rep_out, layer.mix.rep_out[0].mul
    found = {"up.weight": source[f"{block}.linear_up.weight"]}
    networks = list(source.numbered(f"{block}.conv_tp_weights.layer", ".weight"))
    for number, matrix in networks:
        found[f"weights.layer{number}.weight"] = matrix
    last = f"weights.layer{len(networks) - 1}.weight"
    found[last] = _as_made(found[last], paths, 1)
    ratio = model.mean_neighbours / source.neighbours[index] if layer.density is None else 1.0
    mix = _as_made(source[f"{block}.linear.weight"], paths, channels)
    found["mix.weight"] = ratio * mix * _signs(source, layer)
    skip = source[f"{block}.skip_tp.weight"]
    if layer.residual is not None:
        found["residual.weight"] = _by_species(skip, layer.residual, model.num_species)
    if layer.choice is not None:
        found["choice.weight"] = _by_species(skip, layer.choice, model.num_species)
    if layer.density is not None:
        found["density.layer0.weight"] = source[f"{block}.density_fn.layer0.weight"]
    contractions = f"{product}.symmetric_contractions.contractions"
    found["contraction.weight"] = _contraction(
        source, contractions, layer.contraction, model.num_species
    )
    # The last layer of mace-torch may keep irreps that no energy depends on; they come last.
    update = source[f"{product}.linear.weight"]
    found["update.weight"] = update[: layer.update.weight_numel]
    return found


def _as_made(weight: Tensor, paths: Irreps, width: int) -> Tensor:
    """From paths sorted by irrep to paths as they are made; `width` weights a channel of a path."""
    order = sorted(range(len(paths)), key=lambda k: (paths[k].ir.l, paths[k].ir.p, k))
    blocks = weight.split([paths[k].mul * width for k in order], dim=-1)
    made = dict(zip(order, blocks, strict=True))
    return torch.cat([made[k] for k in range(len(paths))], dim=-1)


def _signs(source: MACESource, layer: MACELayer) -> Tensor:
    """-1 for the weights of paths whose coupling mace-torch has with the other sign, 1 for others.

    Raises:
        DataError: a coupling of odd parity beyond those that were compared.
    """
    convolution, channels = layer.convolution, layer.mix.rep_out[0].mul
    signs = []
    for path in convolution.paths:
        ends = convolution.rep_in[path.i_in1], convolution.rep_edge[path.i_in2]
        out = convolution.rep_out[path.i_out]
        degrees = sorted((*[term.ir.l for term in ends], out.ir.l))
        if sum(degrees) % 2 and degrees[-1] > _COMPARED:
            raise DataError(
                f"{source.name} couples irreps whose sign in mace-torch is not known",
                got=f"{ends[0].ir} x {ends[1].ir} -> {out.ir}",
                expected=f"degrees up to {_COMPARED} where their sum is odd",
            )
        sign = -1.0 if tuple(degrees) in _OTHER_SIGN else 1.0
        signs.append(torch.full((out.mul * channels,), sign, dtype=torch.float64))
    return torch.cat(signs)


def _by_species(weight: Tensor, layer: Linear, species: int) -> Tensor:
    """From a product with one-hot species, its matrices in mul x species x mul, to our matrices.

    That product divides by √(mul · species), a linear map by √mul.
    """
    matrices, taken = [], 0
    for i, k in layer.instructions:
        shape = (layer.rep_in[i].mul, species, layer.rep_out[k].mul)
        size = shape[0] * shape[1] * shape[2]
        block = weight[taken : taken + size].reshape(shape)
        matrices.append(block.transpose(0, 1).flatten(1))
        taken += size
    return torch.cat(matrices, 1) * species**-0.5


def _contraction(
    source: MACESource, start: str, layer: SymmetricContraction, species: int
) -> Tensor:
    """Weights of an orthonormal basis of polynomials from those of the tensors U in the file."""
    single = Irreps([(1, ir) for _, ir in layer.rep_in])
    blocks = []
    for place, (_, ir) in enumerate(layer.rep_out):
        name = f"{start}.{place}"
        for degree in range(1, layer.correlation + 1):
            basis = symmetric_basis(single, ir, degree)
            if not len(basis):
                continue  # mace-torch has a tensor of zeros there
            U = source[f"{name}.U_matrix_{degree}"]
            U = U.reshape(ir.dim, *[single.dim] * degree, U.shape[-1])
            top = degree == layer.correlation
            weight = source[
                f"{name}.weights_max" if top else f"{name}.weights.{layer.correlation - 1 - degree}"
            ]
            change = torch.from_numpy(basis.coordinates(U.numpy()))
            found = torch.einsum("pk,sku->spu", change, weight)
            # A product that knows no species has one set of weights for all.
            blocks.append(found.expand(species, -1, -1).flatten(1))
    return torch.cat(blocks, 1)


def _readout(
    source: MACESource, readout: torch.nn.Module, index: int, head: int
) -> dict[str, Tensor]:
    """One head's part of a readout: hidden scalars of other heads do not reach its output."""
    heads = len(source.heads)
    if not isinstance(readout, ScalarReadout):
        weight = source[f"readouts.{index}.linear.weight"]
        return {"weight": weight.reshape(-1, heads)[:, head]}
    first = source[f"readouts.{index}.linear_1.weight"]
    second = source[f"readouts.{index}.linear_2.weight"]
    hidden = readout.second.rep_in.dim
    mine = slice(head * hidden, (head + 1) * hidden)
    return {
        "first.weight": first.reshape(-1, heads * hidden)[:, mine].flatten(),
        # One divides by the root of the hidden scalars of all heads.
        "second.weight": second.reshape(heads * hidden, heads)[mine, head] * heads**-0.5,
    }
