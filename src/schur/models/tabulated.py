"""Models whose radial networks are read from tables, for inference."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, cast

from torch import Tensor, nn

from ..errors import RepresentationError
from ..nn.radial_spline import RadialSpline, SplineKnots


class WithRadialNetworks(Protocol):
    """A model of which some networks depend on distances alone."""

    def radial_networks(self) -> list[Callable[[Tensor], Tensor]]:
        """Each network as a function of (edges,) distances in float64.

        Raises:
            RepresentationError: a network that depends on something else too.
        """
        ...

    def with_tables(self, knots: SplineKnots, tables: Sequence[RadialSpline]) -> nn.Module:
        """The model with a table in place of each of these networks; all else is shared."""
        ...


def tabulated(model: nn.Module, cutoff: float, tolerance: float = 1e-8) -> tuple[nn.Module, float]:
    """The model with splines of the distance in place of its radial networks.

    Args:
        model: offers `radial_networks` and `with_tables`; it is not changed.
        cutoff: Å.
        tolerance: largest error of a weight or of its slope, over the largest of them.

    Returns:
        The model, and the error that was found.  Forces of a few eV/Å move by about as much,
        far less than 1e-6 eV/Å.

    Raises:
        RepresentationError: a model whose networks depend on more than a distance.
        NumberError: networks that no table of a sensible size resolves.

    Example:
        >>> from schur.models.mace import MACE, MACEConfig
        >>> model = MACE(MACEConfig(hidden="2x0e", edge_lmax=1, correlation=1, layers=1), 1, 1.0)
        >>> faster, error = tabulated(model, cutoff=5.0)
        >>> error < 1e-8
        True
    """
    if not hasattr(model, "radial_networks"):
        raise RepresentationError(
            "this model does not say which of its networks depend on distances alone",
            got=type(model).__name__,
            expected="methods radial_networks and with_tables",
            remedy="evaluate the networks themselves",
        )
    example = next(model.parameters())
    # Tables are made on the CPU: thousands of small steps, each of which asks for a number.
    here = model if example.device.type == "cpu" else copy.deepcopy(model).cpu()
    networks = cast(WithRadialNetworks, here).radial_networks()
    made = [RadialSpline.of(network, cutoff, tolerance) for network in networks]
    intervals = max(spline.knots.intervals for spline, _ in made)
    made = [
        (spline, error)
        if spline.knots.intervals == intervals
        else RadialSpline.of(network, cutoff, tolerance, intervals)
        for network, (spline, error) in zip(networks, made, strict=True)
    ]
    tables = [spline.to(example.device, example.dtype) for spline, _ in made]
    faster = cast(WithRadialNetworks, model).with_tables(tables[0].knots, tables)
    return faster.eval(), max(error for _, error in made)


def weight_networks(
    radial: Callable[[Tensor], Tensor], parts: Iterable[nn.Module]
) -> list[Callable[[Tensor], Tensor]]:
    """A copy in float64 of each part's child `weights`, after `radial`, as functions of distances.

    Args:
        radial: what all of them read of (edges,) distances in float64.
        parts: the embedding or the layers of a model.
    """

    def network(part: nn.Module) -> Callable[[Tensor], Tensor]:
        weights = copy.deepcopy(part.get_submodule("weights")).double()
        return lambda length: weights(radial(length))

    return [network(part) for part in parts]


def with_weights(parts: Iterable[nn.Module], tables: Sequence[RadialSpline]) -> list[nn.Module]:
    """Copies of the parts with a table each in place of their child `weights`."""
    return [with_children(part, weights=table) for part, table in zip(parts, tables, strict=True)]


def with_children(module: nn.Module, **children: nn.Module) -> nn.Module:
    """A copy of a module that shares everything but some children with it."""
    other = copy.copy(module)
    other._modules = {**module._modules, **children}
    return other
