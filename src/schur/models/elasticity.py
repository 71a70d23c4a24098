"""Elastic tensors of crystals and lattices of struts: fourth order, positive by construction.

Grega, Batatia, Csányi, Karlapati, Deshpande, "Energy-conserving equivariant GNN for elasticity of
lattice architected metamaterials", ICLR 2024.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import ShapeError
from ..nn.linear import Linear
from ..reps import Irreps
from ..reps.elasticity import ELASTICITY, elasticity_basis
from ..tensors import Graph
from ..tensors.edge_frames import edge_wigner
from .edge_invariants import EdgeInvariants
from .elasticity_config import ElasticityConfig
from .escn import ESCNLayer

__all__ = ["ElasticityConfig", "ElasticityNetwork", "PositiveElasticity"]


class ElasticityNetwork(nn.Module):
    """The stiffness of a periodic structure, as a symmetric 6 × 6 matrix in Mandel form.

        h  = layers of convolutions in the frames of edges             (`ESCNLayer`)
        x  = mean over atoms of W h,        2x0e + 2x2e + 1x4e         21 numbers
        C  = scale (atoms / volume) P(Σ_k x_k E_k)                     (`PositiveElasticity`)

    Whatever the parameters: C turns as a tensor of fourth order when the structure is turned,
    C_ijkl = C_jikl = C_klij, no strain has negative energy, and supercells have the same C.
    "Energy-conserving" in the paper's title means these symmetries and the sign, not dynamics.

    Where an upper bound B is known, as Voigt's for struts (all joints move with the mean strain),
    0 <= C <= B holds by construction too, and what is learned is how far C stays below:

        C  = √B S (1 + S)⁻¹ √B,      S = P(Σ_k x_k E_k)

    This is no model of energies: train it with `schur.train` as examples/elastic_tensors.py does.

    Args:
        config: shape of the network.
        num_species: how many kinds of atoms (or joints) there are.
        mean_neighbours: neighbours of an atom on average.

    Source: Grega et al. (2024), section 3; with convolutions reduced to SO(2) in place of MACE's.

    Example:
        >>> network = ElasticityNetwork(ElasticityConfig(layers=1, channels=4), 1, 6.0)
        >>> edges = torch.zeros(2, 6, dtype=torch.int64)  # a cubic crystal of one atom
        >>> vectors = torch.cat([3 * torch.eye(3), -3 * torch.eye(3)])
        >>> volume, species = torch.tensor([27.0]), torch.tensor([0])
        >>> C = network(vectors, species, edges, torch.tensor([0]), volume, paired=True)
        >>> C.shape, bool(torch.linalg.eigvalsh(C).min() > -1e-6)
        (torch.Size([1, 6, 6]), True)
    """

    def __init__(self, config: ElasticityConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.randn(num_species, config.channels))
        self.invariants = EdgeInvariants(
            config.cutoff, config.radial, config.envelope, num_species, config.type_features
        )
        widths = [self.invariants.width, *config.radial_hidden]
        rep = Irreps(config.hidden[:1])
        layers: list[ESCNLayer] = []
        for index in range(config.layers):
            connected = num_species if index else None
            layers.append(
                ESCNLayer(rep, config.hidden, config.order, widths, connected, mean_neighbours)
            )
            rep = layers[-1].rep_out
        self.layers = nn.ModuleList(layers)
        self.readout = Linear(rep, ELASTICITY, biases=True)
        self.positive = PositiveElasticity(config.positive)
        self.start_near_one()

    def start_near_one(self) -> None:
        """P(M) is close to 1 before training: a square is flat at 0, and learns nothing there."""
        weight, bias = self.readout.weight, self.readout.bias
        assert weight is not None and bias is not None
        with torch.no_grad():
            weight.mul_(0.1)
            if self.config.positive == "square":
                isotropic = elasticity_basis()[:, :, :2]
                bias[:2] = torch.from_numpy(np.einsum("aak->k", isotropic))

    def forward(
        self,
        vectors: Float[Tensor, "edges 3"],
        species: Int[Tensor, " atoms"],
        edge_index: Int[Tensor, "2 edges"],
        owner: Int[Tensor, " atoms"],
        volumes: Float[Tensor, " systems"],
        paired: bool = False,
        bound: Float[Tensor, "systems 6 6"] | None = None,
    ) -> Float[Tensor, "systems 6 6"]:
        """Stiffness in Mandel form, see `schur.reps.elasticity`.

        Args:
            vectors: r_receiver - r_sender.
            species: index of each atom's kind.
            edge_index: senders and receivers.
            owner: the structure that an atom belongs to.
            volumes: of the cells.
            paired: the second half of the edges is the first half reversed, in its order.
            bound: B in Mandel form, positive; no derivative by it is taken.

        Raises:
            ShapeError: edges said to be paired that are not, or a structure without atoms.
        """
        graph = Graph(edge_index, len(species), paired)
        invariants, envelope = self.invariants(vectors, species, graph)
        wigner = edge_wigner(vectors, self.config.lmax)
        features = self.embedding[species]
        for layer in self.layers:
            features = layer(features, species, wigner, invariants, envelope, graph)
        each = self.readout(features)
        count = torch.bincount(owner, minlength=len(volumes)).to(each.dtype)
        if len(count) != len(volumes) or bool((count == 0).any()):
            raise ShapeError(
                "owner and volumes do not fit",
                got=f"{len(volumes)} volumes, atoms of {count.tolist()}",
                expected="atoms in each structure",
            )
        mean = each.new_zeros(len(volumes), 21).index_add(0, owner, each) / count[:, None]
        found = self.positive(mean)
        if bound is not None:
            return _below(bound.detach(), found)
        density = self.config.scale * count / volumes
        return density[:, None, None] * found


def _below(bound: Tensor, S: Tensor) -> Tensor:
    """√B S (1 + S)⁻¹ √B."""
    values, axes = torch.linalg.eigh(bound)
    root = (axes * values.clamp(min=0).sqrt()[:, None]) @ axes.mT
    share = torch.linalg.solve(torch.eye(6, dtype=S.dtype, device=S.device) + S, S)
    return root @ (0.5 * (share + share.mT)) @ root


class PositiveElasticity(nn.Module):
    """P(M) with M = Σ_k x_k E_k symmetric: its square M², or its exponential.

    Both have no negative eigenvalue, and commute with rotations because these turn Mandel's
    matrices by orthogonal ones: P(Q M Qᵀ) = Q P(M) Qᵀ. Neither is true of Voigt's.

    Args:
        kind: `square` or `exp`.

    Source: Grega et al. (2024), section 3.3.

    Example:
        >>> C = PositiveElasticity("exp")(torch.zeros(1, 21))
        >>> torch.equal(C, torch.eye(6)[None])
        True
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        if kind not in ("square", "exp"):
            raise ShapeError("no such map", got=repr(kind), expected="square or exp")
        self.kind = kind

    def forward(self, x: Float[Tensor, "systems 21"]) -> Float[Tensor, "systems 6 6"]:
        """Evaluate, on rows of `ELASTICITY`."""
        basis = torch.tensor(elasticity_basis().reshape(36, 21), dtype=x.dtype, device=x.device)
        matrix = (x @ basis.T).unflatten(1, (6, 6))
        if self.kind == "exp":
            return torch.linalg.matrix_exp(matrix)
        return matrix @ matrix

    def extra_repr(self) -> str:
        return self.kind
