"""An array that knows how it transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.utils import _pytree

from schur.errors import DtypeError, RepresentationError, ShapeError
from schur.reps import Irreps
from schur.tensors.rotation import rotate


class GeometricTensor:
    """Numbers together with the representation that they transform by.

    Args:
        data: floating-point numbers, shape (..., rep.dim), in Schur's layout (in each block
            components first, channels last; `from_e3nn` takes e3nn's).
        rep: the representation of the last axis.

    Raises:
        ShapeError: if the last axis does not fit the representation.
        DtypeError: if the data are not floating-point numbers.

    Example:
        >>> x = GeometricTensor(torch.arange(8.0).reshape(2, 4), "0e + 1o")
        >>> x
        GeometricTensor(1x0e+1x1o, shape=(2, 4), dtype=torch.float32)
        >>> (2 * x)["1o"].data[0]
        tensor([2., 4., 6.])
        >>> bool(torch.allclose(x.rotate(-torch.eye(3)).data[0], torch.tensor([0., -1, -2, -3])))
        True
    """

    __slots__ = ("data", "rep")

    data: Tensor
    rep: Irreps

    def __init__(self, data: Shaped[Tensor, "..."], rep: Irreps | str) -> None:
        self.data = checked(data, Irreps(rep), "data")
        self.rep = Irreps(rep)

    @classmethod
    def from_e3nn(cls, data: Shaped[Tensor, "*batch dim"], rep: Irreps | str) -> GeometricTensor:
        """From an array in e3nn's layout, which has each irrep's components together."""
        return cls(Irreps(rep).from_e3nn(data), rep)

    def to_e3nn(self) -> Float[Tensor, "*batch dim"]:
        """The array in e3nn's layout."""
        return self.rep.to_e3nn(self.data)

    @property
    def shape(self) -> torch.Size:
        """The shape of the data."""
        return self.data.shape

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the data."""
        return self.data.dtype

    @property
    def device(self) -> torch.device:
        """Where the data lie."""
        return self.data.device

    def to(self, *args: Any, **kwargs: Any) -> GeometricTensor:
        """Converted as `torch.Tensor.to` does."""
        return GeometricTensor(self.data.to(*args, **kwargs), self.rep)

    def detach(self) -> GeometricTensor:
        """Cut from the graph of derivatives."""
        return GeometricTensor(self.data.detach(), self.rep)

    def rotate(self, R: Float[Tensor, "*lead 3 3"]) -> GeometricTensor:
        """Transformed by an orthogonal matrix, proper or not: `rotate` of `tensors.rotation`."""
        return GeometricTensor(rotate(self.data, self.rep, R), self.rep)

    def split(self) -> list[GeometricTensor]:
        """One tensor for each term of the representation."""
        return [
            GeometricTensor(self.data[..., place], Irreps([term]))
            for term, place in zip(self.rep, self.rep.slices(), strict=True)
        ]

    def block(self, position: int) -> Float[Tensor, "*batch components channels"]:
        """A view of the term at a position, components and channels apart."""
        mul, ir = self.rep[position]
        return self.data[..., self.rep.slices()[position]].unflatten(-1, (ir.dim, mul))

    def norm(self) -> Float[Tensor, "*batch irreps"]:
        """The length of every irrep, in the order of blocks and channels."""
        lengths = [torch.linalg.vector_norm(self.block(k), dim=-2) for k in range(len(self.rep))]
        return torch.cat(lengths, -1) if lengths else self.data

    def __getitem__(self, index: Any) -> GeometricTensor:
        """A string or `Irreps` picks terms by their irrep; anything else indexes the batch axes."""
        if isinstance(index, (str, Irreps)):
            return self._picked(index)
        where = index if isinstance(index, tuple) else (index,)
        if any(entry is Ellipsis for entry in where):
            return GeometricTensor(self.data[(*where, slice(None))], self.rep)
        used = sum(_axes(entry) for entry in where)
        if used >= self.data.ndim:
            raise ShapeError(
                "an index reaches into the axis of the representation",
                got=index,
                expected=f"at most {self.data.ndim - 1} axes of {tuple(self.shape)}",
                remedy="pick irreps with x['1o'] or x.split(), numbers with x.data[...]",
            )
        return GeometricTensor(self.data[index], self.rep)

    def _picked(self, wanted: str | Irreps) -> GeometricTensor:
        irreps = {ir for _, ir in Irreps(wanted)}
        parts = [part for part in self.split() if part.rep[0].ir in irreps]
        if not parts:
            raise RepresentationError("no such irrep here", got=str(wanted), expected=str(self.rep))
        return direct_sum(parts)

    def __len__(self) -> int:
        if self.data.ndim < 2:
            raise ShapeError("a single geometric tensor has no length", got=tuple(self.shape))
        return len(self.data)

    def __add__(self, other: Any) -> GeometricTensor:
        return GeometricTensor(self.data + self._same(other, "add"), self.rep)

    def __sub__(self, other: Any) -> GeometricTensor:
        return GeometricTensor(self.data - self._same(other, "subtract"), self.rep)

    def __neg__(self) -> GeometricTensor:
        return GeometricTensor(-self.data, self.rep)

    def __mul__(self, factor: Any) -> GeometricTensor:
        """Times a number, or invariants of shape (...) or (..., 1) for each entry of the batch."""
        return GeometricTensor(self.data * self._invariant(factor), self.rep)

    __rmul__ = __mul__

    def __truediv__(self, factor: Any) -> GeometricTensor:
        return GeometricTensor(self.data / self._invariant(factor), self.rep)

    def _invariant(self, factor: Any) -> Any:
        if isinstance(factor, (int, float)) or (isinstance(factor, Tensor) and factor.ndim == 0):
            return factor
        if isinstance(factor, GeometricTensor):
            raise RepresentationError(
                "a product of geometric tensors has to say which",
                got=f"{self.rep} times {factor.rep}",
                remedy="use schur.nn.TensorProduct or one of its relatives",
            )
        if factor.shape == self.shape[:-1]:
            return factor[..., None]
        if factor.ndim == self.data.ndim and factor.shape[-1] == 1:
            return factor
        raise ShapeError(
            "the factor is not one invariant for each entry of the batch",
            got=tuple(factor.shape),
            expected=f"{tuple(self.shape[:-1])} or {(*self.shape[:-1], 1)}",
        )

    def _same(self, other: object, verb: str) -> Tensor:
        """The numbers of another tensor of this representation."""
        if not isinstance(other, GeometricTensor) or other.rep != self.rep:
            got = other.rep if isinstance(other, GeometricTensor) else type(other).__name__
            raise RepresentationError(
                f"cannot {verb} what transforms in another way",
                got=got,
                expected=str(self.rep),
                remedy="wrap arrays as GeometricTensor(data, rep)",
            )
        return other.data

    def __repr__(self) -> str:
        return f"GeometricTensor({self.rep}, shape={tuple(self.shape)}, dtype={self.dtype})"


def concatenate(tensors: Sequence[GeometricTensor], dim: int = 0) -> GeometricTensor:
    """Along an axis of the batch; all of one representation.

    Example:
        >>> x = GeometricTensor(torch.zeros(2, 3), "1o")
        >>> concatenate([x, x]).shape
        torch.Size([4, 3])
    """
    if not tensors:
        raise ShapeError("nothing to concatenate", expected="at least one tensor")
    data = [tensors[0]._same(tensor, "concatenate") for tensor in tensors]
    last = tensors[0].data.ndim - 1
    if not -last - 1 <= dim < last or dim == -1:
        raise ShapeError(
            "concatenate joins axes of the batch",
            got=dim,
            expected=f"0 to {last - 1}",
            remedy="use direct_sum to join representations",
        )
    return GeometricTensor(torch.cat(data, dim), tensors[0].rep)


def direct_sum(tensors: Sequence[GeometricTensor]) -> GeometricTensor:
    """Along the axis of the representation.

    Example:
        >>> x = GeometricTensor(torch.zeros(2, 3), "1o")
        >>> direct_sum([x, x]).rep
        1x1o+1x1o
    """
    if not tensors:
        raise ShapeError("nothing to sum", expected="at least one tensor")
    rep = Irreps([term for tensor in tensors for term in tensor.rep])
    return GeometricTensor(torch.cat([tensor.data for tensor in tensors], -1), rep)


def checked(value: Any, rep: Irreps, name: str) -> Tensor:
    """The plain array of an argument that has to transform by `rep`.

    Raises:
        RepresentationError, ShapeError, DtypeError: if it does not fit.
    """
    if isinstance(value, GeometricTensor):
        if value.rep != rep:
            raise RepresentationError(
                f"{name} has another representation", got=str(value.rep), expected=str(rep)
            )
        return value.data
    if not isinstance(value, Tensor):
        raise DtypeError(f"{name} is no tensor", got=type(value).__name__, expected="torch.Tensor")
    if value.ndim == 0 or value.shape[-1] != rep.dim:
        raise ShapeError(
            f"the last axis of {name} does not fit its representation",
            got=tuple(value.shape),
            expected=f"(..., {rep.dim}) for {rep}",
        )
    if not value.is_floating_point():
        raise DtypeError(
            f"{name} has to hold floating-point numbers",
            got=value.dtype,
            expected="float32 or float64",
            remedy="convert with .to(torch.float64)",
        )
    return value


def wrapped(data: Tensor, rep: Irreps, *arguments: object) -> Any:
    """A layer's result: geometric where one of its arguments was, else plain."""
    geometric = any(isinstance(argument, GeometricTensor) for argument in arguments)
    return GeometricTensor(data, rep) if geometric else data


def _axes(entry: object) -> int:
    """How many axes one entry of an index uses up."""
    if entry is None:
        return 0
    if isinstance(entry, Tensor) and entry.dtype in (torch.bool, torch.uint8):
        return entry.ndim
    return 1


def _flatten(tensor: GeometricTensor) -> tuple[list[Any], Irreps]:
    return [tensor.data], tensor.rep


def _unflatten(leaves: Any, rep: Irreps) -> GeometricTensor:
    # No checks: transformations put other things than tensors into a tree's leaves.
    tensor = object.__new__(GeometricTensor)
    (tensor.data,) = leaves
    tensor.rep = rep
    return tensor


_pytree.register_pytree_node(
    GeometricTensor, _flatten, _unflatten, serialized_type_name="schur.GeometricTensor"
)
