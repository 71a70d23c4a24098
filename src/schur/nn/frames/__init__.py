"""Any module made equivariant: frames, canonical forms, and how near they are to failing."""

from schur.nn.frames.equivariant import Equivariant
from schur.nn.frames.finite import AllElements, SortedRows
from schur.nn.frames.framing import Framing
from schur.nn.frames.kinds import Kind, kind_of
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.principal import PrincipalFrames
from schur.nn.frames.report import FrameReport
from schur.nn.frames.symmetry import Symmetry
from schur.nn.frames.weighted import WeightedFrames

__all__ = [
    "AllElements",
    "Equivariant",
    "FrameReport",
    "Frames",
    "Framing",
    "Kind",
    "Pose",
    "PrincipalFrames",
    "SortedRows",
    "Symmetry",
    "WeightedFrames",
    "kind_of",
]
