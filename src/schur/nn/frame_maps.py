"""The steps of message passing in the frames of edges, one by one: in, mix, out and sum."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from schur.engine import Routine, Sorted
from schur.engine.routine import Backend
from schur.nn.blockwise import block_linear
from schur.nn.edge_frame_convolution import frame_mixing
from schur.products import Placement, SO2Product, so2
from schur.products.so2 import frame_orders
from schur.reps import Irreps
from schur.tensors import Graph


class IntoFrames(torch.nn.Module):
    """D(R_e)ᵀ (scale[e] x[i(e)]): nodes' features in the frame of each edge, orders cut.

    Args:
        rep: of the features.
        order: keep orders |m| <= order; all if not given.
        backend: see `schur.engine.Routine`.

    Attributes:
        dim_out: columns in the frame: the terms in turn, of each the orders as `frame_orders` has
            them, of each the channels.
        scale_numel: factors that an edge brings, one for each term and channel.

    Source: Passaro and Zitnick (2023), section 4.

    Example:
        >>> from schur.tensors import edge_wigner
        >>> into = IntoFrames("4x0e+4x1o+4x2e", order=1)
        >>> graph = Graph(torch.tensor([[0, 1], [1, 2]]), 3)
        >>> wigner, scale = edge_wigner(torch.randn(2, 3), 2), torch.ones(2, into.scale_numel)
        >>> into(torch.randn(3, 36), wigner, scale, graph.senders).shape
        torch.Size([2, 28])
    """

    def __init__(
        self, rep: Irreps | str, order: int | None = None, backend: Backend = "auto"
    ) -> None:
        super().__init__()
        self.rep = Irreps(rep)
        product = _product(self.rep, self.rep, order, Placement("nodes", None), scaled=True)
        self.routine = Routine(product.into_frames, backend)
        self.dim_out = frame_dim(self.rep, order)
        self.scale_numel = self.rep.num_irreps
        self._wigner = _wigner_columns(self.rep)

    def forward(
        self,
        x: Float[Tensor, "nodes dim"],
        wigner: Float[Tensor, "edges components"],
        scale: Float[Tensor, "edges scale_numel"],
        nodes: Sorted | Shaped[Tensor, " edges"],
    ) -> Float[Tensor, "edges columns"]:
        """Evaluate; `nodes` says whose features an edge reads, its sender's or its receiver's."""
        return self.routine(x, wigner[:, : self._wigner], scale, indices={"nodes": nodes})


class FrameLinear(torch.nn.Module):
    """The linear map of features in frames that commutes with turns about the edge.

    Components of order m and -m go to components of the same orders, all degrees and channels
    mixed, with the weights that natural parity allows: one matrix for each |m| and pair of terms.

    Args:
        rep_in, rep_out: terms of the features, as they are outside of frames.
        order: orders |m| <= order are there.

    Source: Passaro and Zitnick (2023), section 4.2.

    Example:
        >>> layer = FrameLinear("4x0e+4x1o", "8x0e", order=1)
        >>> layer(torch.randn(3, 16)).shape, layer.weight.shape
        (torch.Size([3, 8]), torch.Size([64]))
    """

    def __init__(
        self, rep_in: Irreps | str, rep_out: Irreps | str, order: int | None = None
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out = Irreps(rep_in), Irreps(rep_out)
        highest = max(self.rep_in.lmax, self.rep_out.lmax) if order is None else order
        self.order = highest
        self.blocks = frame_mixing(_product(self.rep_in, self.rep_out, highest, Placement()))
        self.weight = torch.nn.Parameter(torch.randn(self.blocks.weight_numel))

    def forward(self, x: Float[Tensor, "edges columns"]) -> Float[Tensor, "edges mixed"]:
        """Evaluate."""
        return block_linear(x, self.weight, self.blocks)

    def extra_repr(self) -> str:
        return f"{self.rep_in} -> {self.rep_out}, orders up to {self.order}"


class OutOfFrames(torch.nn.Module):
    """Σ_{e -> n} D(R_e) x[e]: features in frames turned back and summed at receivers.

    Args:
        rep: of the result.
        order: orders |m| <= order are there.
        backend: see `schur.engine.Routine`.

    Source: Passaro and Zitnick (2023), section 4.

    Example:
        >>> from schur.tensors import edge_wigner
        >>> back = OutOfFrames("4x0e+4x1o", order=0)
        >>> graph = Graph(torch.tensor([[0, 1], [1, 2]]), 3)
        >>> back(torch.randn(2, 8), edge_wigner(torch.randn(2, 3), 1), graph).shape
        torch.Size([3, 16])
    """

    def __init__(
        self, rep: Irreps | str, order: int | None = None, backend: Backend = "auto"
    ) -> None:
        super().__init__()
        self.rep = Irreps(rep)
        product = _product(self.rep, self.rep, order, Placement(None, "receivers"))
        self.routine = Routine(product.out_of_frames, backend)
        self._wigner = _wigner_columns(self.rep)

    def forward(
        self,
        x: Float[Tensor, "edges columns"],
        wigner: Float[Tensor, "edges components"],
        graph: Graph,
    ) -> Float[Tensor, "nodes dim"]:
        """Evaluate."""
        indices, sizes = {"receivers": graph.receivers}, {"receivers": graph.num_nodes}
        return self.routine(x, wigner[:, : self._wigner], indices=indices, sizes=sizes)


def frame_dim(rep: Irreps, order: int | None) -> int:
    """How many columns features have in a frame.

    Example:
        >>> frame_dim(Irreps("4x0e+4x1o+4x2e"), 1)
        28
    """
    return sum(mul * len(frame_orders(ir.l, ir.l if order is None else order)) for mul, ir in rep)


def _product(
    rep_in: Irreps, rep_out: Irreps, order: int | None, placement: Placement, scaled: bool = False
) -> SO2Product:
    harmonics = Irreps.spherical_harmonics(rep_in.lmax + rep_out.lmax)
    return so2(rep_in, harmonics, rep_out, order, "uvw", "O3", placement, scaled)


def _wigner_columns(rep: Irreps) -> int:
    """Columns of `edge_wigner` up to the highest degree."""
    return sum((2 * degree + 1) ** 2 for degree in range(rep.lmax + 1))
