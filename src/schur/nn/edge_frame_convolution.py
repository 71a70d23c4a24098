"""Message passing in the frames of edges: rotate, mix orders, rotate back, sum."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine
from schur.engine.block_map import BlockMap, BlockPath
from schur.engine.routine import Backend
from schur.errors import ShapeError
from schur.nn.blockwise import block_linear
from schur.products import Placement, SO2Product, so2
from schur.products.so2 import Connection
from schur.reps import Irreps
from schur.tensors import GeometricTensor, Graph, check_edge_index, checked, wrapped


class EdgeFrameConvolution(torch.nn.Module):
    """The convolution with harmonics of edges, reduced to SO(2) in a frame along each edge.

        out[n] = Σ_{e -> n} D(R_e) · W · D(R_e)ᵀ (scale[e] x[sender(e)])

    W commutes with turns about the edge.  With all orders and weights this is the product with
    harmonics of every degree, which `Convolution` and linear maps around it build of paths; at a
    high degree it costs far less.

    Args:
        rep_in, rep_out: of the nodes' features, before and after.
        order: keep orders |m| <= order in the frame; all if not given.
        connection: `"uvw"`: W mixes channels, and the layer holds it, the same for all edges;
            `"uvu"`: W scales channels, and each edge brings its own (from a radial network, say).
        scaled: whether each edge brings a factor for each term of `rep_in` and channel too.
        backend: see `schur.engine.Routine`.

    Attributes:
        weight: the weights of `"uvw"`, shape (weight_numel,); None for `"uvu"`.
        weight_numel: how many they are, or for `"uvu"` how many an edge brings.
        scale_numel: how many factors an edge brings if `scaled`.
        lmax: what `edge_wigner` has to be asked for, at least.
        product: description and program.

    Source: Passaro and Zitnick, "Reducing SO(3) convolutions to SO(2) for efficient equivariant
    GNNs" (2023), section 4.

    Example:
        >>> from schur.tensors import edge_wigner
        >>> layer = EdgeFrameConvolution("8x0e+8x1o", "4x0e+4x1o+4x2e")
        >>> layer
        EdgeFrameConvolution(8x0e+8x1o -> 4x0e+4x1o+4x2e, orders up to 1, 256 weights)
        >>> vectors, edges = torch.randn(2, 3), torch.tensor([[0, 1], [1, 2]])
        >>> layer(torch.randn(3, 32), edge_wigner(vectors, layer.lmax), edges).shape
        torch.Size([3, 36])
    """

    rep_in: Irreps
    rep_out: Irreps
    product: SO2Product
    weight: Tensor | None
    weight_numel: int
    scale_numel: int
    lmax: int

    def __init__(
        self,
        rep_in: Irreps | str,
        rep_out: Irreps | str,
        order: int | None = None,
        connection: Connection = "uvw",
        scaled: bool = False,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out = Irreps(rep_in), Irreps(rep_out)
        shared = connection == "uvw"
        harmonics = Irreps.spherical_harmonics(self.rep_in.lmax + self.rep_out.lmax)
        placement = Placement("senders", "receivers", "shared" if shared else "row")
        self.product = so2(
            self.rep_in, harmonics, self.rep_out, order, connection, "O3", placement, scaled
        )
        self.lmax, self.weight_numel = self.product.lmax, self.product.weight_numel
        self.scale_numel = sum(mul for mul, _ in self.rep_in) if scaled else 0
        self.routine = self.into = self.back = None
        if shared:
            self.into = Routine(self.product.into_frames, backend)
            self.back = Routine(self.product.out_of_frames, backend)
            self.mixing = frame_mixing(self.product)
            self.weight = torch.nn.Parameter(torch.randn(self.weight_numel))
            self.weight_shapes = self.product.weight_shapes
        else:
            self.routine = Routine(self.product.program, backend)
            self.register_parameter("weight", None)

    def forward(
        self,
        x: Shaped[Tensor, "..."] | GeometricTensor,
        wigner: Shaped[Tensor, "..."],
        edge_index: Shaped[Tensor, "..."] | Graph,
        weight: Shaped[Tensor, "..."] | None = None,
        scale: Shaped[Tensor, "..."] | None = None,
        num_nodes: int | None = None,
    ) -> Any:
        """Evaluate.

        Args:
            x: features of the senders, shape (nodes, rep_in.dim).
            wigner: from `edge_wigner`, of degree `lmax` or higher; the vectors point either way,
                but all the same way.
            edge_index: senders and receivers, shape (2, edges); or a Graph.
            weight: for `"uvu"`, shape (edges, weight_numel).
            scale: if `scaled`, shape (edges, scale_numel).
            num_nodes: how many receivers there are; the length of `x` if not given.

        Returns:
            Shape (num_nodes, rep_out.dim); zero at nodes that receive nothing.

        Raises:
            ShapeError, DtypeError, RepresentationError, IndexRangeError: for arguments that do
                not fit.
        """
        nodes = checked(x, self.rep_in, "x")
        receivers = len(nodes) if num_nodes is None else num_nodes
        if isinstance(edge_index, Graph):
            senders, targets = edge_index.senders, edge_index.receivers
            receivers = edge_index.num_nodes if num_nodes is None else num_nodes
        else:
            check_edge_index(edge_index)
            senders, targets = edge_index[0], edge_index[1]
        columns = self.product.program.values["wigner"].size
        if wigner.ndim != 2 or wigner.shape[1] < columns:
            raise ShapeError(
                "wigner does not hold the matrices of the edges' frames",
                got=tuple(wigner.shape),
                expected=f"(edges, {columns}) or more columns",
                remedy=f"make it with edge_wigner(vectors, {self.lmax})",
            )
        numels = (0 if self.weight is not None else self.weight_numel, self.scale_numel)
        _check_rows("weight", weight, len(wigner), numels[0])
        _check_rows("scale", scale, len(wigner), numels[1])
        frames = wigner[:, :columns]
        gathered, summed = {"senders": senders}, {"receivers": targets}
        sizes = {"receivers": receivers}
        given = [tensor for tensor in (scale, weight) if tensor is not None]
        if self.weight is None:
            assert self.routine is not None
            out = self.routine(nodes, frames, *given, indices=gathered | summed, sizes=sizes)
        else:
            assert self.into is not None and self.back is not None
            turned = self.into(nodes, frames, *given, indices=gathered)
            mixed = block_linear(turned, self.weight, self.mixing)
            out = self.back(mixed, frames, indices=summed, sizes=sizes)
        return wrapped(out, self.rep_out, x)

    def __repr__(self) -> str:
        return (
            f"EdgeFrameConvolution({self.rep_in} -> {self.rep_out}, "
            f"orders up to {self.product.order}, {self.weight_numel} weights"
            + (")" if self.weight is not None else " an edge)")
        )


def frame_mixing(product: SO2Product) -> BlockMap:
    """What shared weights of mode `"uvw"` do in the frames, as one map of rows."""
    paths = tuple(BlockPath(*matrix) for matrix in product.frame_matrices())
    before, after = product.into_frames.values["turned"], product.out_of_frames.values["mixed"]
    return BlockMap(paths, before.size, after.size, product.weight_numel)


def _check_rows(name: str, given: Tensor | None, edges: int, numel: int) -> None:
    """Raise unless what each edge brings is there, and nothing is where nothing is read."""
    expected = (edges, numel) if numel else None
    if (None if given is None else tuple(given.shape)) != expected:
        raise ShapeError(
            f"{name} has the wrong shape",
            got="none" if given is None else tuple(given.shape),
            expected=expected or f"no {name}: this layer reads none",
        )
