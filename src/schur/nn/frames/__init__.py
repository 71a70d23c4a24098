"""Any module made equivariant: frames, canonical forms, and how near they are to failing."""

from schur.nn.frames.equivariant import Equivariant
from schur.nn.frames.field import FrameField, moment_frames, velocity_frames
from schur.nn.frames.finite import AllElements, SortedRows
from schur.nn.frames.framing import Framing
from schur.nn.frames.kinds import Kind, kind_of
from schur.nn.frames.learned import LearnedFrames, VectorNetwork
from schur.nn.frames.learned_images import LearnedImageFrames
from schur.nn.frames.minimised import FormVectors, MinimisedFrames, orbit_distance
from schur.nn.frames.parts import (
    PartwiseEquivariant,
    draw_partition,
    failure_bound,
    failure_probability,
    is_finer,
)
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.principal import PrincipalFrames
from schur.nn.frames.registration import Registration, radial_features, register
from schur.nn.frames.report import FrameReport
from schur.nn.frames.scaling import ScalingFrames, multidimensional_scaling
from schur.nn.frames.slots import InvariantSlotAttention, slot_frames
from schur.nn.frames.symmetry import Symmetry
from schur.nn.frames.weighted import WeightedFrames

__all__ = [
    "AllElements",
    "Equivariant",
    "FormVectors",
    "FrameField",
    "FrameReport",
    "Frames",
    "Framing",
    "InvariantSlotAttention",
    "Kind",
    "LearnedFrames",
    "LearnedImageFrames",
    "MinimisedFrames",
    "PartwiseEquivariant",
    "Pose",
    "PrincipalFrames",
    "Registration",
    "ScalingFrames",
    "SortedRows",
    "Symmetry",
    "VectorNetwork",
    "WeightedFrames",
    "draw_partition",
    "failure_bound",
    "failure_probability",
    "is_finer",
    "kind_of",
    "moment_frames",
    "multidimensional_scaling",
    "orbit_distance",
    "radial_features",
    "register",
    "slot_frames",
    "velocity_frames",
]
