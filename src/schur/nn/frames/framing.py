"""What a method of choosing frames is, and what several of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from schur.engine.tracing import is_traced, is_transformed
from schur.errors import NumberError, RepresentationError
from schur.groups import Group
from schur.nn.frames.pose import Frames
from schur.nn.frames.symmetry import Symmetry

# When one frame is drawn at random in place of all.
DRAWN = ("never", "training", "always")


class Framing(torch.nn.Module, ABC):
    """A rule that gives each cloud of a batch a weighted set of group elements.

    A new method is a subclass that gives `refusal` and `forward`; see `Frames` for what makes the
    result equivariant.

    Args:
        group: a group or its name; see `Symmetry.of`.

    Raises:
        RepresentationError: the method does not serve the group.
    """

    def __init__(self, group: Group | Symmetry | str) -> None:
        super().__init__()
        self.symmetry = Symmetry.of(group)
        refusal = self.refusal(self.symmetry)
        if refusal:
            raise RepresentationError(
                f"{type(self).__name__} cannot make frames for {self.symmetry.name}",
                got=self.symmetry.name,
                expected=refusal,
            )

    def refusal(self, symmetry: Symmetry) -> str | None:
        """What the method expects, where it does not serve a group; None where it does."""
        return None if symmetry.is_orthogonal else "O(d), SO(d), E(d) or SE(d)"

    @abstractmethod
    def forward(self, cloud: Tensor, mask: Bool[Tensor, "clouds points"] | None = None) -> Frames:
        """The frames of clouds of shape (clouds, points, d)."""

    def extra_repr(self) -> str:
        return self.symmetry.name


def centred(
    cloud: Float[Tensor, "clouds points d"],
    mask: Bool[Tensor, "clouds points"] | None,
    translations: bool,
) -> tuple[Float[Tensor, "clouds points d"], Float[Tensor, "clouds d"]]:
    """Coordinates from the centre, zero where the mask says that there is no point; the centre.

    Without translations the centre is the origin.

    Raises:
        NumberError: there are infinite numbers, or numbers that are none.
    """
    there = torch.ones_like(cloud[..., :1]) if mask is None else mask[..., None].to(cloud.dtype)
    # What a mask hides may be anything, a NaN as well.
    seen = cloud if mask is None else torch.where(mask[..., None], cloud, 0.0)
    looks = not (is_traced() or is_transformed())
    if looks and not bool(torch.isfinite(seen.detach()).all()):
        raise NumberError("a cloud without frames", got="nan or inf", expected="finite numbers")
    if not translations:
        return seen, torch.zeros_like(cloud[:, 0])
    centre = seen.sum(1) / there.sum(1).clamp(min=1)
    return (seen - centre[:, None]) * there, centre
