"""iComFormer: crystals by lengths of edges and their angles with the vectors of the lattice.

Yan, Fu, Qian, Qian, Ji, "Complete and efficient graph transformers for crystal material property
prediction", ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..errors import ShapeError
from ..nn.cutoffs import PolynomialCutoff
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..tensors import Graph
from .crystal_graph import CrystalGraph
from .ecomformer import AtomAttention

__all__ = ["EdgeAttention", "IComFormer", "IComFormerConfig"]

_ELEMENTS = 119


class IComFormerConfig(BaseModel):
    """Shape of an iComFormer.

    Args:
        cutoff: Å, that of the graphs.
        layers: attention layers of atoms.
        features: of an atom and of an edge.
        radial: number of Bessel functions of a length.
        angular: number of functions cos(n θ) of an angle.
        readout: widths of the hidden layers of the readout; none for a linear one.
        outputs: how many properties.
        angles: whether edges see the lattice; without, lengths alone are seen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=3, ge=1)
    features: int = Field(default=64, ge=1)
    radial: int = Field(default=16, ge=1)
    angular: int = Field(default=6, ge=2)
    readout: tuple[int, ...] = (64,)
    outputs: int = Field(default=1, ge=1)
    angles: bool = True


class IComFormer(nn.Module):
    """Properties of crystals that do not change when they are turned, moved or described otherwise.

    An edge is known by its length and its angles with three lattice vectors in right-handed order
    (`EdgeAttention`); with the lattice's own lengths and angles that is where the neighbour is, up
    to a rotation of the whole crystal. Atoms then attend to their neighbours (`AtomAttention`), the
    mean over atoms is taken, and the mean over all shortest bases of the lattice.

    The invariants are complete: crystals of generic structure with the same ones are the same, and
    mirror images are told apart, which no function of distances does. (That sums over neighbours
    lose nothing is a theorem on generic networks and structures, not a promise for each.)

    Two things differ from the paper. It takes one choice of lattice vectors, which jumps where two
    are of one length, as in every cubic crystal; here all shortest ones are averaged, with weights
    that make the result continuous (`lattice_bases`). And it takes as neighbours a number of them;
    here all within a cutoff, with an envelope.

    **No energies.** Lattice vectors belong to a perfect crystal: one atom moved in a supercell
    makes its lattice another one, so this cannot give forces. `EComFormer` can.

    Args:
        config: shape of the network.
        mean_neighbours: neighbours of an atom on average; sums are divided by its root.

    Source: Yan et al. (2024), sections 3 and 4.

    Example:
        >>> import numpy as np
        >>> from schur.models.crystal_graph import crystal_graph
        >>> cell = 4.0 * np.eye(3)
        >>> salt = crystal_graph(np.array([[0, 0, 0], [2.0, 2, 2]]), np.array([55, 17]), cell, 5.0)
        >>> IComFormer(IComFormerConfig(features=4), 20.0).double()([salt]).shape
        torch.Size([1, 1])
    """

    def __init__(self, config: IComFormerConfig, mean_neighbours: float) -> None:
        super().__init__()
        self.config = config
        width = config.features
        self.embedding = nn.Parameter(torch.randn(_ELEMENTS, width))
        self.envelope = PolynomialCutoff(config.cutoff)
        self.radial = RadialBasis(config.cutoff, config.radial)
        self.edge = RadialMLP([config.radial, width, width])
        self.lattice = EdgeAttention(config) if config.angles else None
        self.layers = nn.ModuleList(
            AtomAttention(width, [width], mean_neighbours) for _ in range(config.layers)
        )
        self.readout = RadialMLP([width, *config.readout, config.outputs])

    def forward(self, crystals: Sequence[CrystalGraph]) -> Float[Tensor, "crystals outputs"]:
        """Properties of each crystal."""
        return self.readout(self.represent(crystals))

    def represent(self, crystals: Sequence[CrystalGraph]) -> Float[Tensor, "crystals features"]:
        """What the readout reads: one row a crystal.

        Raises:
            ShapeError: no crystal.
        """
        if not crystals:
            raise ShapeError("there is no crystal", got=0, expected="one or more")
        return torch.stack([self._represent(crystal) for crystal in crystals])

    def _represent(self, crystal: CrystalGraph) -> Tensor:
        """The mean over atoms and bases: one graph that holds a copy of the crystal for each."""
        atoms, edges = len(crystal.numbers), len(crystal.vectors)
        copies = len(crystal.bases) if self.lattice is not None else 1
        shift = atoms * torch.arange(copies).repeat_interleave(edges)
        graph = Graph(crystal.edge_index.repeat(1, copies) + shift, atoms * copies)
        length = torch.linalg.vector_norm(crystal.vectors, dim=1)
        edge, envelope = self.edge(self.radial(length)), self.envelope(length)[:, None]
        if self.lattice is not None:
            edge = self.lattice(edge, crystal.vectors, crystal.bases)
        features = self.embedding[crystal.numbers].repeat(copies, 1)
        for layer in self.layers:
            features = layer(features, edge, envelope.repeat(copies, 1), graph)
        mean = features.unflatten(0, (copies, atoms)).mean(1)
        return crystal.weights @ mean if self.lattice is not None else mean[0]


class EdgeAttention(nn.Module):
    """e + Σ_k σ(q ∘ key_k / √d) ∘ value_k, over the three vectors b_k of a basis of the lattice.

        key_k, value_k = W φ(A e + B_k [bessel(|b_k|), cos nθ(e, b_k), cos θ(b_k, b_k+1)])

    Each k has its own B: a sum over equal terms would forget which vector came first, and with it
    the handedness.

    Args:
        config: shape of the network.

    Source: Yan et al. (2024), section 4.1 (their edge-wise transformer layer).
    """

    def __init__(self, config: IComFormerConfig) -> None:
        super().__init__()
        width, seen = config.features, config.radial + config.angular + 1
        self.orders = config.angular
        # Bases may be longer than the cutoff, so their lengths have functions that do not end.
        self.register_buffer("_widths", torch.arange(1.0, config.radial + 1), persistent=False)
        self.query = RadialMLP([width, width])
        self.of_edge = RadialMLP([width, 2 * width])
        self.of_lattice = nn.ModuleList(RadialMLP([seen, 2 * width]) for _ in range(3))
        self.key, self.value = (RadialMLP([width, width]) for _ in range(2))

    def forward(
        self,
        edge: Float[Tensor, "edges features"],
        vectors: Float[Tensor, "edges 3"],
        bases: Float[Tensor, "bases 3 3"],
    ) -> Float[Tensor, "edges_of_all_bases features"]:
        """Features of the edges for each basis in turn."""
        size = torch.linalg.vector_norm(bases, dim=2)
        axes = bases / size[..., None]
        unit = vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        cosine = torch.einsum("ej,bkj->bek", unit, axes).clamp(-1, 1)
        between = (axes * axes.roll(-1, 1)).sum(2)
        query, own, width = self.query(edge), self.of_edge(edge), edge.shape[1]
        total = edge.repeat(len(bases), 1)
        for k, seeing in enumerate(self.of_lattice):
            seen = [_lengths(size[:, k], self.get_buffer("_widths")), between[:, k, None]]
            lattice = torch.cat(seen, 1)[:, None].expand(-1, len(edge), -1)
            seen_all = torch.cat([lattice, _chebyshev(cosine[..., k], self.orders)], 2)
            mixed = nn.functional.silu(own + seeing(seen_all)).flatten(0, 1)
            fit = query.repeat(len(bases), 1) * self.key(mixed[:, :width])
            total = total + torch.sigmoid(fit * width**-0.5) * self.value(mixed[:, width:])
        return total


def _lengths(size: Tensor, orders: Tensor) -> Tensor:
    """Smooth functions of a length in Å, bounded: sin(n s) / n with s = 2 atan(|b| / 5 Å)."""
    angle = 2 * torch.atan(size / 5.0)
    return torch.sin(angle[:, None] * orders.to(size.dtype)) / orders.to(size.dtype)


def _chebyshev(cosine: Tensor, orders: int) -> Tensor:
    """cos(nθ) for n = 1 ... orders, as polynomials of cos θ, so that slopes are finite."""
    values = [torch.ones_like(cosine), cosine]
    for _ in range(orders - 1):
        values.append(2 * cosine * values[-1] - values[-2])
    return torch.stack(values[1:], -1)
