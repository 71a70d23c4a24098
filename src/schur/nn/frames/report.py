"""How symmetric a wrapped module is, measured, and how near its frames are to degenerate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from schur.errors import ShapeError
from schur.nn.frames.image import is_lattice
from schur.nn.frames.kinds import Images
from schur.nn.frames.pose import Pose

if TYPE_CHECKING:
    from schur.nn.frames.equivariant import Equivariant

_NEAR = 0.01
_CANCELLED = 1e-3


@dataclass(frozen=True)
class FrameReport:
    """What `Equivariant.report` measures. All errors are shares of the largest result
    (or of a thousandth of a single frame's, where frames cancel to less).

    Args:
        group: the name of the group.
        errors: largest |f(g x) - g f(x)| for each random element g.
        interpolated: the same for elements that have to interpolate pixels; empty but for images.
        margins: for each cloud how far it is from degenerate frames, 0 to 1; see the method.
        frames: evaluations of the backbone per cloud, on the mean.
        spread: standard deviation of the result over the frames of one cloud, the largest: what
            one frame alone would add to the error.
        noise: the displacement of the next entry, as a share of the radius; None for images.
        jump: largest |f(x + noise) - f(x)|; None for images. Of the order of the noise where f is
            continuous, large near a discontinuity.
    """

    group: str
    errors: tuple[float, ...]
    interpolated: tuple[float, ...]
    margins: tuple[float, ...]
    frames: float
    spread: float
    noise: float | None
    jump: float | None

    @property
    def error(self) -> float:
        """The mean symmetry error over elements."""
        return float(np.mean(self.errors)) if self.errors else float("nan")

    @property
    def error_bar(self) -> float:
        """The standard error of that mean."""
        count = len(self.errors)
        return float(np.std(self.errors, ddof=1) / count**0.5) if count > 1 else float("nan")

    @property
    def degenerate(self) -> int:
        """How many clouds have a margin below 0.01."""
        return sum(margin < _NEAR for margin in self.margins)

    def __str__(self) -> str:
        lines = [
            f"symmetry error under {self.group}: {self.error:.1e} ± {self.error_bar:.0e}, "
            f"at most {max(self.errors, default=float('nan')):.1e} ({len(self.errors)} elements)"
        ]
        if self.interpolated:
            lines.append(
                f"  with interpolated pixels: {np.mean(self.interpolated):.1e}, "
                f"at most {max(self.interpolated):.1e} ({len(self.interpolated)} elements)"
            )
        lines.append(
            f"margin of the frames: {min(self.margins):.1e} at least, "
            f"{np.median(self.margins):.1e} median; {self.degenerate} of {len(self.margins)} "
            f"clouds below {_NEAR}"
        )
        lines.append(f"frames per cloud: {self.frames:.1f}, spread over them {self.spread:.1e}")
        if self.jump is not None:
            lines.append(f"change under noise of {self.noise:.0e}: {self.jump:.1e}")
        return "\n".join(lines)


def measured(
    model: Equivariant, arguments: Sequence[Any], samples: int, noise: float, seed: int
) -> FrameReport:
    """The report; see `Equivariant.report`."""
    with torch.no_grad():
        trial = Trial(model, arguments)
        exact, between = [], []
        rng = np.random.default_rng(seed)
        for _ in range(samples):
            pose = model.symmetry.sample(1, rng, trial.cloud, trial.radius)
            off_grid = trial.on_grid and not bool(is_lattice(pose.matrix).all())
            (between if off_grid else exact).append(trial.error(pose))
        jump = None if trial.on_grid else trial.change(noise, seed)
        spread = trial.spread()
    frames = trial.frames
    return FrameReport(
        group=model.symmetry.name,
        errors=tuple(exact),
        interpolated=tuple(between),
        margins=tuple(frames.margin.double().tolist()),
        frames=len(frames.cloud) / max(frames.clouds, 1),
        spread=spread,
        noise=None if jump is None else noise,
        jump=jump,
    )


class Trial:
    """A model on given arguments, and what becomes of its results when these are changed.

    `sizes` are the lengths that errors are shares of, one for each result.
    """

    def __init__(self, model: Equivariant, arguments: Sequence[Any]) -> None:
        self.model, self.arguments = model, arguments
        self.frames = model.frames(*arguments)
        if not self.frames.clouds:
            raise ShapeError("a report needs clouds", got="none", expected="one cloud or more")
        self.reference = self._call(arguments)
        self.single = self._single_frames()
        # Where frames cancel, what is left is rounding and no measure of size.
        self.sizes = [
            max(float(y.abs().max()), _CANCELLED * float(each.abs().max())) or 1.0
            for y, each in zip(self.reference, self.single, strict=True)
        ]
        d = model.symmetry.d
        clouds = [
            kind.cloud(x, d) if kind.moves else None
            for kind, x in zip(model.inputs, arguments, strict=True)
        ]
        self.place = next(i for i, cloud in enumerate(clouds) if cloud is not None)
        self.cloud = arguments[self.place]
        centred = self.cloud - self.cloud.mean(-2, keepdim=True)
        self.radius = float(centred.pow(2).sum(-1).mean().sqrt())
        self.on_grid = isinstance(model.inputs[self.place], Images)

    def error(self, pose: Pose) -> float:
        """The largest |f(g x) - g f(x)|, as a share of the largest result."""
        moved = self._call(self.model.moved(self.arguments, pose))
        count = self.frames.clouds
        every = pose[torch.zeros(count, dtype=torch.int64, device=pose.matrix.device)]
        _, lead = self.model.flattened(self.arguments)
        expected = []
        for kind, y in zip(self.model.outputs, self.reference, strict=True):
            lines = y.reshape(count, *y.shape[len(lead) :])
            expected.append(kind.act(lines, every).reshape(y.shape))
        return self._difference(moved, expected)

    def change(self, noise: float, seed: int) -> float:
        """The largest change when the coordinates are displaced by noise times the radius."""
        generator = torch.Generator().manual_seed(seed)
        step = torch.randn(self.cloud.shape, generator=generator, dtype=self.cloud.dtype)
        shaken = list(self.arguments)
        shaken[self.place] = self.cloud + noise * self.radius * step.to(self.cloud)
        return self._difference(self._call(shaken), self.reference)

    def spread(self) -> float:
        """The largest weighted standard deviation of one frame's result."""
        frames, worst = self.frames, 0.0
        for y, size in zip(self.single, self.sizes, strict=True):
            weight = frames.weight.reshape(-1, *[1] * (y.ndim - 1)).to(y.dtype)
            zero = y.new_zeros(frames.clouds, *y.shape[1:])
            mean = zero.index_add(0, frames.cloud, weight * y)
            square = zero.index_add(0, frames.cloud, weight * (y - mean[frames.cloud]) ** 2)
            worst = max(worst, float(square.max().sqrt()) / size)
        return worst

    def _single_frames(self) -> list[Tensor]:
        """What each frame alone gives."""
        flat, lead = self.model.flattened(self.arguments)
        total = len(self.frames.cloud)
        step = (self.model.chunk or total) if lead else 1
        pieces = [
            self.model.turned(flat, self.frames, slice(start, start + step), bool(lead))
            for start in range(0, total, step)
        ]
        return [torch.cat(parts) for parts in zip(*pieces, strict=True)]

    def _call(self, arguments: Sequence[Any]) -> list[Tensor]:
        out = self.model(*arguments)
        return [out] if self.model.single else list(out)

    def _difference(self, found: list[Tensor], expected: list[Tensor]) -> float:
        together = zip(found, expected, self.sizes, strict=True)
        return max(float((a - b).abs().max()) / size for a, b, size in together)
