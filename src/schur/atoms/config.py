"""The settings of a run: data, model, loss and training, in one checked tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError
from ..models.mace_config import MACEConfig
from ..models.registry import ARCHITECTURES, ModelConfig
from ..train.config import TrainingConfig
from .loss import LossConfig
from .presets import DEFAULT_ARCHITECTURE, SHAPES, Size, preset
from .spelling import dotted_keys, meant


class DataConfig(BaseModel):
    """Where the structures are and how their labels are called.

    Args:
        train: files; one-atom frames in them give E0.
        valid, test: files of their own, or empty to hold out fractions of `train`.
        valid_fraction, test_fraction: what is held out where no file is given; by default a
            twentieth for validation, but at least 5 frames (a sixth of few) and at most 500.
        energy_key, forces_key, stress_key, virial_key: label names, or None to search.
        allow: codes of findings that shall not stop the run.
        stream: leave frames on disk and read them on demand: always, never, or auto where the
            files have more than half a gigabyte.
        cache_gb: of each streamed set, what is kept in memory with its neighbour lists, GB.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: tuple[Path, ...]
    valid: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    valid_fraction: float | None = Field(default=None, gt=0, lt=1)
    test_fraction: float = Field(default=0.1, ge=0, lt=1)
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    virial_key: str | None = None
    allow: tuple[str, ...] = ()
    stream: Literal["auto", "always", "never"] = "auto"
    cache_gb: float = Field(default=1.0, ge=0)

    def keys(self) -> dict[str, Sequence[str]]:
        """The label names that were given, for `label_frames`."""
        given = {label: getattr(self, f"{label}_key") for label in _LABELS}
        return {label: (key,) for label, key in given.items() if key is not None}


_LABELS = ("energy", "forces", "stress", "virial")


class RunConfig(BaseModel):
    """Everything that decides a training run.

    Args:
        data, model, loss, training: its parts.
        start: a model file whose parameters the run starts from; then `model` is that file's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataConfig
    start: Path | None = None
    model: ModelConfig = MACEConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()

    def to_yaml(self) -> str:
        """The settings as YAML that `resolve` reads."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def resolve(
    settings: Mapping[str, Any],
    size: Size = "small",
    overrides: Sequence[str] = (),
    chosen: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Settings from a preset, what the data choose, a tree and dotted overrides; the later wins.

    Args:
        settings: as in the YAML file; `data.train` must be there. `model.architecture` chooses
            the architecture whose preset is the start.
        size: preset to start from.
        overrides: words such as `training.learning_rate=0.02`.
        chosen: tree of what fits the data, over the preset.

    Raises:
        DataError: settings that do not exist or have no sensible value, each named.

    Example:
        >>> tree = {"data": {"train": ["a.xyz"]}}
        >>> resolve(tree, "small", ["model.layers=1"]).model.layers
        1
        >>> resolve(tree, "small", ["model.architecture=nequip"]).model.describe()
        'NequIP, 32x0e+32x1o, 3 layers, cutoff 4.0 Å'
    """
    asked = asked_for(settings, overrides)
    model = asked.get("model")
    architecture = DEFAULT_ARCHITECTURE
    if isinstance(model, Mapping):
        architecture = model.get("architecture", architecture)
    if architecture not in SHAPES:
        raise DataError(
            "there is no such architecture", got=architecture, expected=", ".join(ARCHITECTURES)
        )
    defaults = preset(architecture, size)
    tree = merged(defaults, chosen or {}, asked)
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        whole = RunConfig.model_validate({**defaults, "data": {"train": []}}).model_dump()
        known = [*whole, *dotted_keys(whole)]
        lines = [
            _complaint(item["loc"], item["msg"], item["input"], known) for item in error.errors()
        ]
        raise DataError(
            "these settings cannot be used", got="\n            ".join(lines)
        ) from error


def asked_for(settings: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The tree of what a user has set: a file's settings, and dotted overrides over them."""
    return merged(settings, *(_override(word) for word in overrides))


def read_settings(path: Path) -> dict[str, Any]:
    """A YAML file of settings.

    Raises:
        DataError: a file that cannot be read.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read", got=str(error), expected="YAML") from error
    if not isinstance(tree, dict):
        raise DataError(f"{path} holds no settings", got=type(tree).__name__, expected="a mapping")
    return tree


def _dotted(place: Sequence[int | str]) -> str:
    """Where a setting stands in the tree, without the architecture that pydantic puts in."""
    parts = [str(part) for part in place]
    if parts[:1] == ["model"] and parts[1:2] and parts[1] in ARCHITECTURES:
        del parts[1]
    return ".".join(parts)


def _complaint(place: Sequence[int | str], message: str, got: object, known: Sequence[str]) -> str:
    """What is wrong with one setting, and which one may be meant."""
    key = _dotted(place)
    said = f"{key}: {message} (got {got!r})"
    likely = None if key in known else meant(key, known)
    return said if likely is None else f"{key}: there is no such setting; did you mean {likely}?"


def _override(word: str) -> dict[str, Any]:
    key, mark, value = word.partition("=")
    if not mark or not key:
        raise DataError(
            "this word is neither a file nor an override",
            got=word,
            expected="a file that exists, or dotted.key=value",
        )
    tree: Any = yaml.safe_load(value)
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return tree


def merged(*trees: Mapping[str, Any]) -> dict[str, Any]:
    """Trees laid over each other; the later wins, key by key.

    Example:
        >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
        {'a': {'b': 1, 'c': 3}}
    """
    result: dict[str, Any] = {}
    for tree in trees:
        for key, value in tree.items():
            below = result.get(key)
            both = isinstance(value, Mapping) and isinstance(below, Mapping)
            result[key] = merged(below, value) if both else value  # pyright: ignore[reportArgumentType]
    return result
