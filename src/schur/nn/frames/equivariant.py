"""Any torch module, made equivariant by frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from schur.errors import DtypeError, RepresentationError, ShapeError
from schur.groups import Group
from schur.nn.frames.arguments import function, whole
from schur.nn.frames.framing import Framing
from schur.nn.frames.kinds import Kind, kind_of
from schur.nn.frames.methods import framing_of
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.report import FrameReport, measured
from schur.nn.frames.symmetry import Symmetry
from schur.reps import Irreps

Description = str | Irreps | Kind


class Equivariant(torch.nn.Module):
    """A module φ made equivariant: x -> Σ_f w_f ρ_out(g_f) φ(ρ_in(g_f)⁻¹ x).

    The method chooses a weighted set of elements g_f for each cloud, its frames. φ sees the cloud
    in each frame, and its results are turned back and averaged. φ is not changed and may be
    anything that takes and gives tensors: it gets all frames of all clouds as one batch or, for a
    cloud without a batch axis, one frame at a time. What φ computes from the whole batch, such as
    batch normalisation in training, is outside the guarantee.

    Methods (options after them are keyword arguments, described at the class):

    - "average": all signs of the principal axes (`PrincipalFrames`), all elements of C_n or D_n
      (`AllElements`), rows sorted for S_n (`SortedRows`).
    - "stochastic": one of them at random in training, all of them in evaluation; `drawn="always"`
      for one in both.
    - "blended": principal axes, and weighted frames near ties.
    - "weighted": `WeightedFrames`, continuous everywhere.
    - "learned": one frame that a network chooses, `LearnedFrames` for clouds and
      `LearnedImageFrames` for images under C_n and D_n; `prior_loss` trains it for a backbone that
      is trained already.
    - "minimised": the element that brings the cloud nearest to a reference, `MinimisedFrames`, for
      any group of real matrices, "O(1,3)" as well.
    - "scaling": coordinates of multidimensional scaling, `ScalingFrames`.

    Args:
        backbone: φ.
        group: a group or its name, "E(3)", "SE(3)", "O(3)", "SO(3)", "E(2)", …; see `Symmetry.of`.
        method: one of the names, or a `Framing`.
        inputs: for each argument of φ how it transforms. Shapes begin with the axes of the batch:
            "points" (they move with translations), "vectors", "covectors", "pseudovectors" have
            the d components on the last axis, "matrices" d x d on the last two; "scalars" and
            "pseudoscalars"; sums such as "points + 2 vectors + scalars" on the last axis; `Irreps`;
            "mask", of shape (batch, n), which says which points there are, for frames too;
            "rows" for S_n; "images"; "constant" for what has no batch axis (edges of one graph).
        outputs: the same for the result, or a sequence for several.
        chunk: how many frames φ sees at a time; all if None.
        options: of the method.

    The first argument with points (vectors, rows, images) makes the frames; its shape is
    (*batch, n, d).

    Raises:
        RepresentationError: a description or method is not known, or does not fit the group.
        ShapeError: (when called) an argument does not have the shape of its kind.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(15, 8), torch.nn.Tanh(),
        ...     torch.nn.Linear(8, 3))
        >>> model = Equivariant(net, "E(3)", outputs="vectors")
        >>> model(torch.randn(10, 5, 3)).shape
        torch.Size([10, 3])
    """

    def __init__(
        self,
        backbone: Callable[..., Any],
        group: Group | Symmetry | str,
        method: str | Framing = "average",
        *,
        inputs: Description | Sequence[Description] = "points",
        outputs: Description | Sequence[Description] = "scalars",
        chunk: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.backbone = function("a backbone", backbone)
        self.symmetry = Symmetry.of(group)
        self.framing = framing_of(method, self.symmetry, options)
        self.inputs = tuple(map(kind_of, _several(inputs)))
        self.outputs = tuple(map(kind_of, _several(outputs)))
        self.single = isinstance(outputs, (str, Irreps, Kind))
        self.chunk = None if chunk is None else whole("frames at a time", chunk)
        if all(kind.is_mask or not kind.moves for kind in self.outputs):
            raise RepresentationError("a result that transforms", got=outputs)

    def forward(self, *arguments: Any) -> Any:
        flat, lead = self.flattened(arguments)
        frames = self._frames(flat)
        total = len(frames.cloud)
        step = (self.chunk or max(total, 1)) if lead else 1
        sums: list[Tensor] = []
        for start in range(0, max(total, 1), step):
            part = slice(start, start + step)
            for place, y in enumerate(self.turned(flat, frames, part, bool(lead))):
                weight = frames.weight[part].to(y.dtype).reshape(-1, *[1] * (y.ndim - 1))
                if len(sums) <= place:
                    sums.append(y.new_zeros(frames.clouds, *y.shape[1:]))
                sums[place] = sums[place].index_add(0, frames.cloud[part], weight * y)
        results = [y.reshape(*lead, *y.shape[1:]) for y in sums]
        return results[0] if self.single else tuple(results)

    def frames(self, *arguments: Any) -> Frames:
        """The frames that the method gives these arguments; the batch is flattened."""
        return self._frames(self.flattened(arguments)[0])

    def report(
        self, *arguments: Any, samples: int = 8, noise: float = 1e-9, seed: int = 0
    ) -> FrameReport:
        """Measures the symmetry error, how near to degenerate the frames are, and the continuity.

        Args:
            arguments: those of a call.
            samples: random group elements that are tried.
            noise: the displacement for the continuity, as a share of the cloud's radius.
            seed: of the generator that draws elements and displacements.
        """
        return measured(self, arguments, samples, noise, seed)

    def prior_loss(self, *arguments: Any) -> Tensor:
        """What a learned method loses by turning these, the backbone's own training data.

        Raises:
            RepresentationError: the method learns nothing.
        """
        loss = getattr(self.framing, "prior_loss", None)
        if loss is None:
            raise RepresentationError(
                "only learned frames have a prior",
                got=type(self.framing).__name__,
                expected='method="learned"',
            )
        return loss(*self._cloud(self.flattened(arguments)[0]))

    def moved(self, arguments: Sequence[Any], pose: Pose) -> list[Any]:
        """Arguments after one group element, `pose` of one line, has acted on them."""
        flat, lead = self.flattened(arguments)
        out = []
        for kind, x in zip(self.inputs, flat, strict=True):
            if kind.moves:
                x = kind.act(x, _repeated(pose, len(x))).reshape(*lead, *x.shape[1:])
            out.append(x)
        return out

    def _frames(self, flat: Sequence[Any]) -> Frames:
        return self.framing(*self._cloud(flat))

    def _cloud(self, flat: Sequence[Any]) -> tuple[Tensor, Tensor | None]:
        """What frames are made of, and the mask."""
        cloud, mask = None, None
        for kind, x in zip(self.inputs, flat, strict=True):
            if kind.is_mask:
                mask = x
            elif cloud is None and kind.moves:
                cloud = kind.cloud(x, self.symmetry.d)
        if not (cloud is None or self.symmetry.permutes or cloud.is_floating_point()):
            raise DtypeError(
                "frames are made of real floating-point numbers",
                got=cloud.dtype,
                expected="float32, float64 or another floating-point type",
            )
        if cloud is None:
            raise RepresentationError(
                "no argument tells where the frames are",
                got=", ".join(map(str, self.inputs)),
                expected="points, vectors, rows or images among the inputs",
            )
        if mask is not None and cloud.ndim == 3 and cloud.shape[1] != mask.shape[1]:
            mask = mask.repeat_interleave(cloud.shape[1] // mask.shape[1], 1)
        return cloud, mask

    def flattened(self, arguments: Sequence[Any]) -> tuple[list[Any], tuple[int, ...]]:
        """Arguments with one axis for the batch, and the axes that it stands for."""
        if len(arguments) != len(self.inputs):
            raise ShapeError(
                "one argument for each description",
                got=f"{len(arguments)} arguments",
                expected=f"{len(self.inputs)}: {', '.join(map(str, self.inputs))}",
            )
        lead: tuple[int, ...] | None = None
        for kind, x in zip(self.inputs, arguments, strict=True):
            if not kind.moves:
                continue
            kind.check(x, self.symmetry.d)
            if lead is None and not kind.is_mask and kind.cloud(x, self.symmetry.d) is not None:
                lead = tuple(x.shape[: x.ndim - kind.axes])
        lead = lead or ()
        flat = []
        for kind, x in zip(self.inputs, arguments, strict=True):
            if kind.moves and tuple(x.shape[: len(lead)]) != lead:
                raise ShapeError(
                    "arguments with different batches", got=tuple(x.shape), expected=f"{lead} + …"
                )
            flat.append(x.reshape(-1, *x.shape[len(lead) :]) if kind.moves else x)
        return flat, lead

    def turned(
        self, flat: Sequence[Any], frames: Frames, part: slice, batched: bool
    ) -> list[Tensor]:
        """ρ_out(g_f) φ(ρ_in(g_f)⁻¹ x) for some of the frames f, one a line.

        Args:
            flat: arguments as `flattened` gives them.
            frames: of these arguments.
            part: which of them; one alone where the backbone gets no batch axis.
            batched: whether it does.
        """
        cloud, pose = frames.cloud[part], frames.pose[part]
        back = pose.inverted()
        seen = [
            kind.act(x[cloud], back) if kind.moves else x
            for kind, x in zip(self.inputs, flat, strict=True)
        ]
        if not batched:
            seen = [x[0] if k.moves else x for k, x in zip(self.inputs, seen, strict=True)]
        found = self.backbone(*seen)
        results = [found] if self.single else list(found)
        if len(results) != len(self.outputs):
            raise ShapeError(
                "one result for each description", got=len(results), expected=len(self.outputs)
            )
        turned = []
        for kind, result in zip(self.outputs, results, strict=True):
            y = result if batched else result[None]
            if y.ndim < 1 or len(y) != len(cloud):
                raise ShapeError(
                    "the backbone keeps the batch axis",
                    got=tuple(y.shape),
                    expected=f"({len(cloud)}, …)",
                )
            kind.check(y, self.symmetry.d)
            turned.append(kind.act(y, pose))
        return turned

    def extra_repr(self) -> str:
        inputs, outputs = (", ".join(map(str, kinds)) for kinds in (self.inputs, self.outputs))
        return f"{self.symmetry.name}: {inputs} -> {outputs}"


def _several(descriptions: Description | Sequence[Description]) -> Sequence[Description]:
    if isinstance(descriptions, (str, Irreps, Kind)):
        return (descriptions,)
    if not isinstance(descriptions, Sequence):
        raise RepresentationError(
            "kinds of arguments", got=repr(descriptions), expected="a word, or several in a list"
        )
    return descriptions


def _repeated(pose: Pose, count: int) -> Pose:
    return pose[torch.zeros(count, dtype=torch.int64, device=pose.matrix.device)]
