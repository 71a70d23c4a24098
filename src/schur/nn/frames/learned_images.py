"""Learned canonicalisation of images under C_n and D_n, with a prior for pretrained networks."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import ShapeError
from schur.groups import Group
from schur.nn.frames.arguments import function, whole
from schur.nn.frames.framing import Framing
from schur.nn.frames.image import turn_images
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.symmetry import Symmetry


class LearnedImageFrames(Framing):
    """One element of C_n or D_n for each image: the one that a network scores highest.

        p(g | x) = softmax_g e(g⁻¹ x),    frame = argmax_g p(g | x)

    The backbone is evaluated once. On quarter turns and mirrors the result is exact, up to ties of
    the scores: images with symmetries of their own, or scores that meet. Other turns interpolate
    pixels, and their error is reported apart. The argmax has no derivative: gradients reach e as
    if the image had been turned by the mean of the elements under p (straight through).

    Args:
        group: C_n or D_n.
        network: e, from images (batch, channels, size, size) to (batch,) or (batch, 1);
            three convolutions if not given.
        channels: of the images, for these.

    The margin is the difference of the two largest probabilities.

    Source: Kaba et al. (2023), https://arxiv.org/abs/2211.06489; Mondal et al., "Equivariant
    adaptation of large pretrained models" (2023), https://arxiv.org/abs/2310.01647.

    Example:
        >>> frames = LearnedImageFrames("C4")(torch.randn(5, 1, 12, 12))
        >>> frames.pose.matrix.shape
        torch.Size([5, 2, 2])
    """

    def __init__(
        self,
        group: Group | Symmetry | str,
        network: torch.nn.Module | None = None,
        channels: int = 1,
    ) -> None:
        super().__init__(group)
        network = _convolutions(whole("channels", channels)) if network is None else network
        self.network = function("a network", network)

    def refusal(self, symmetry: Symmetry) -> str | None:
        return None if symmetry.elements is not None else "Cn or Dn"

    def log_probabilities(
        self, images: Float[Tensor, "batch channels size size"]
    ) -> Float[Tensor, "batch elements"]:
        """log p(g | x), in the order of the group's elements; the unit is the first."""
        elements = self._elements(images)
        inverse = elements.mT.repeat(len(images), 1, 1)
        turned = turn_images(images.repeat_interleave(len(elements), 0), inverse)
        if not len(images):  # layers of torch refuse to have nothing
            return images.new_zeros(0, len(elements))
        scores = self.network(turned).reshape(len(images), len(elements))
        return scores.log_softmax(-1)

    def forward(
        self, cloud: Float[Tensor, "batch channels size size"], mask: Tensor | None = None
    ) -> Frames:
        _no_mask(mask)
        p = self.log_probabilities(cloud).exp()
        best = p.detach().argmax(-1)
        elements = self._elements(cloud)
        matrix = elements[best]
        if p.requires_grad:
            matrix = matrix + torch.einsum("bg,gij->bij", p - p.detach(), elements)
        top = p.detach().topk(min(2, len(elements)), -1).values
        margin = top[:, 0] - top[:, 1] if len(elements) > 1 else top[:, 0]
        every = torch.arange(len(cloud), device=cloud.device)
        return Frames(every, Pose.linear(matrix), torch.ones_like(margin), margin)

    def prior_loss(
        self, cloud: Float[Tensor, "batch channels size size"], mask: Tensor | None = None
    ) -> Float[Tensor, ""]:
        """The mean of -log p(unit | x): small where upright images are left upright.

        The relative entropy to the training set's own distribution over the group, where that is
        the unit alone. It helps a network that was trained on images all one way up, and only that.
        """
        _no_mask(mask)
        return -self.log_probabilities(cloud)[:, 0].mean()

    def _elements(self, like: Tensor) -> Tensor:
        return torch.from_numpy(self.symmetry.elements).to(like)


def _no_mask(mask: Tensor | None) -> None:
    if mask is not None:
        raise ShapeError("images have no mask", got=tuple(mask.shape), expected="images alone")


def _convolutions(channels: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, 8, 3),
        torch.nn.SiLU(),
        torch.nn.Conv2d(8, 16, 3, stride=2),
        torch.nn.SiLU(),
        torch.nn.AdaptiveAvgPool2d(3),
        torch.nn.Flatten(),
        torch.nn.Linear(144, 1),
    )
