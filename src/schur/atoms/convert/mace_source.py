"""A model of mace-torch as its file has it: settings and named tensors."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from ...reps import Irrep, Irreps
from .stand_ins import Record, is_name, name_of
from .torch_file import TorchFile, mapping_of

_STATES = ("state_dict", "model_state_dict", "model_state", "model")
_SETTINGS = ("config", "settings", "model_config", "hyper_parameters")


@dataclass(frozen=True)
class MACESource:
    """What a file says of a model of mace-torch, with the names of that package.

    Args:
        name: of the file, for messages.
        tensors: parameters and buffers under the names of the state dict.
        interactions: class of each interaction block.
        neighbours: `avg_num_neighbors` of each of them.
        hidden: irreps that each layer passes on.
        readouts: class of each readout block.
        heads: names of the heads.
        gate: name of the activation in the last readout, or none.
        apply_cutoff: whether the envelope multiplies the radial basis.
        sent: irreps of what neighbours send in each layer, None for those of the features.
    """

    name: str
    tensors: Mapping[str, Tensor]
    interactions: tuple[str, ...]
    neighbours: tuple[float, ...]
    hidden: tuple[Irreps, ...]
    readouts: tuple[str, ...]
    heads: tuple[str, ...]
    gate: str
    apply_cutoff: bool
    sent: tuple[Irreps | None, ...]

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the parameters."""
        return self.tensors["node_embedding.linear.weight"].dtype

    def __getitem__(self, name: str) -> Tensor:
        """A tensor by name, real numbers in float64.

        Raises:
            DataError: the file does not have it.
        """
        if name not in self.tensors:
            raise DataError(
                f"{self.name} is no model of mace-torch that can be converted",
                got=f"no {name}",
                expected="MACE or ScaleShiftMACE with the layers of e3nn",
            )
        tensor = self.tensors[name]
        return tensor.double() if tensor.is_floating_point() else tensor

    def numbered(self, start: str, end: str) -> Iterator[tuple[int, Tensor]]:
        """The tensors called start + 0, 1, 2 ... + end, as far as they go."""
        number = 0
        while (name := f"{start}{number}{end}") in self.tensors:
            yield number, self[name]
            number += 1


def read_mace(file: TorchFile) -> MACESource:
    """Settings and tensors from a saved module, or from a dictionary of state dict and settings.

    Raises:
        DataError: a file of something else, or a variant that Schur does not have, by its name.
    """
    root = file.root
    entries = mapping_of(root)
    inner = [entries[key] for key in _STATES if key in entries]
    if isinstance(root, Record) and not entries:
        return _of_module(file, root)
    if inner and isinstance(inner[0], Record) and not mapping_of(inner[0]):
        return _of_module(file, inner[0])
    settings = [mapping_of(entries[key]) for key in _SETTINGS if key in entries]
    if inner and settings:
        return _of_settings(file, mapping_of(inner[0]), settings[0])
    raise DataError(
        f"{file.name} holds no model",
        got=", ".join(str(key) for key in entries) or type(root).__name__,
        expected="a saved module, or a dictionary of `state_dict` and `config`",
        remedy="a checkpoint of parameters alone does not say what model they belong to: convert "
        "the .model file that training wrote beside it",
    )


def _of_module(file: TorchFile, root: Record) -> MACESource:
    _require(file.name, "model", root.kind, ("MACE", "ScaleShiftMACE"))
    modules = dict(_modules(root, ""))
    _refuse_foreign(file.name, modules)
    top = root.attributes
    layers = _members(modules, "interactions")
    products = [modules[f"products.{k}.linear"] for k in range(len(layers))]
    readouts = _members(modules, "readouts")
    heads = top.get("heads") or ["Default"]
    source = MACESource(
        name=file.name,
        tensors=_tensors(file, modules),
        interactions=tuple(layer.kind for layer in layers),
        neighbours=tuple(_number(file, x.attributes["avg_num_neighbors"]) for x in layers),
        hidden=tuple(irreps_of(module.attributes["irreps_out"]) for module in products),
        readouts=tuple(readout.kind for readout in readouts),
        heads=tuple(str(head) for head in heads),
        gate=_gate(modules, len(readouts) - 1),
        apply_cutoff=bool(top.get("apply_cutoff", True)),
        sent=tuple(_sent(layer) for layer in layers),
    )
    _refuse_options(file.name, top)
    return source


def _of_settings(
    file: TorchFile, state: Mapping[Any, Any], settings: Mapping[Any, Any]
) -> MACESource:
    """From a dictionary with the names of the arguments of mace-torch's MACE."""
    try:
        layers = int(settings["num_interactions"])
        hidden = irreps_of(settings["hidden_irreps"])
        first, rest = (
            name_of(settings[k]).rpartition(".")[2]
            for k in ("interaction_cls_first", "interaction_cls")
        )
        neighbours = _number(file, settings["avg_num_neighbors"])
    except KeyError as error:
        raise DataError(
            f"the settings in {file.name} are not complete",
            got=f"no {error}",
            expected="num_interactions, hidden_irreps, interaction_cls, interaction_cls_first, "
            "avg_num_neighbors",
        ) from error
    _refuse_options(file.name, settings)
    scalars = Irreps([hidden[0]])
    sent = None if settings.get("edge_irreps") is None else irreps_of(settings["edge_irreps"])
    sent_first = None
    if sent is not None and settings.get("use_edge_irreps_first"):
        sent_first = Irreps([(sent.count("0e"), "0e")])
    only_last = bool(settings.get("use_last_readout_only", False))
    readouts = ["LinearReadoutBlock"] * (0 if only_last else layers - (layers > 1))
    if layers > 1:
        readouts.append(name_of(settings.get("readout_cls", "NonLinearReadoutBlock")))
    gate = settings.get("gate")
    return MACESource(
        name=file.name,
        tensors={str(k): file.tensor(v) for k, v in state.items() if file.is_tensor(v)},
        interactions=(first, *[rest] * (layers - 1)),
        neighbours=(neighbours,) * layers,
        hidden=(*[hidden] * (layers - 1), scalars),
        readouts=tuple(readouts),
        heads=tuple(str(head) for head in settings.get("heads") or ["Default"]),
        gate="silu" if gate is None else name_of(gate),
        apply_cutoff=bool(settings.get("apply_cutoff", True)),
        sent=(sent_first, *[sent] * (layers - 1)),
    )


def _require(name: str, what: str, got: str, known: tuple[str, ...]) -> None:
    if got not in known:
        raise DataError(
            f"{name} has a {what} that Schur cannot convert", got=got, expected=", ".join(known)
        )


def _refuse_options(name: str, settings: Mapping[str, Any]) -> None:
    """Raise where an option is on that changes what the model computes in a way Schur has not."""
    for option in ("use_so3", "embedding_specs"):
        if settings.get(option):
            raise DataError(
                f"{name} was made with an option that Schur cannot convert",
                got=f"{option}={settings[option]}",
                expected=f"a model without {option}",
            )


def _refuse_foreign(name: str, modules: Mapping[str, Record]) -> None:
    """Raise where layers come from an accelerating package, which orders weights in another way."""
    for path, module in modules.items():
        package = module.origin.partition(".")[0]
        if package in ("cuequivariance_torch", "openequivariance") or "lora" in module.origin:
            raise DataError(
                f"{name} has layers that Schur cannot convert",
                got=f"{path}: {module.origin}",
                expected="the layers of e3nn",
                remedy="bring it back with mace_cueq_to_e3nn, or merge its adapters, first",
            )


def _modules(module: Record, path: str) -> Iterator[tuple[str, Record]]:
    """A module and those inside it, by their dotted paths."""
    yield path, module
    for key, inner in mapping_of(module.attributes.get("_modules")).items():
        if isinstance(inner, Record) and not is_name(inner):
            yield from _modules(inner, f"{path}.{key}".lstrip("."))


def _members(modules: Mapping[str, Record], name: str) -> list[Record]:
    """The modules of a list."""
    found = []
    while (path := f"{name}.{len(found)}") in modules:
        found.append(modules[path])
    return found


def _tensors(file: TorchFile, modules: Mapping[str, Record]) -> dict[str, Tensor]:
    """Parameters and buffers by the names of the state dict."""
    found = {}
    for path, module in modules.items():
        for group in ("_parameters", "_buffers"):
            for key, value in mapping_of(module.attributes.get(group)).items():
                if file.is_tensor(value):
                    found[f"{path}.{key}".lstrip(".")] = file.tensor(value)
    return found


def _sent(layer: Record) -> Irreps | None:
    """What neighbours send in a layer, where it is not what they have."""
    sent, had = (layer.attributes.get(name) for name in ("edge_irreps", "node_feats_irreps"))
    if sent is None or had is None or irreps_of(sent) == irreps_of(had):
        return None
    return irreps_of(sent)


def _gate(modules: Mapping[str, Record], last: int) -> str:
    """The activation of the last readout, "" for a linear one."""
    act = modules.get(f"readouts.{last}.non_linearity.acts.0")
    if act is None:
        return ""
    return name_of(act.attributes.get("f", act.kind))


def irreps_of(value: Any) -> Irreps:
    """Irreps from a string, or from the record of e3nn's object.

    Raises:
        DataError: something else.

    Example:
        >>> irreps_of("2x0e+1o")
        2x0e+1x1o
    """
    if isinstance(value, str):
        return Irreps(value)
    if not (isinstance(value, Record) and value.kind == "Irreps"):
        raise DataError("these are no irreps", got=repr(value), expected="e3nn's Irreps")
    try:
        terms = [term.args[0] for term in value.args[0]]
        return Irreps([(mul, Irrep(*ir.args[0])) for mul, ir in terms])
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise DataError("these irreps cannot be read", got=repr(value.args)) from error


def _number(file: TorchFile, value: Any) -> float:
    """A number that is one of Python, torch or numpy."""
    if isinstance(value, int | float):
        return float(value)
    if file.is_tensor(value):
        return float(file.tensor(value).to(torch.float64).mean())
    if isinstance(value, Record) and value.origin.endswith("multiarray.scalar"):
        kind, content = value.args
        if isinstance(content, Record):  # bytes, as protocol 2 writes them
            content = str(content.args[0]).encode("latin1")
        code = {"f8": "<d", "f4": "<f"}.get(str(kind.args[0]))
        if code is not None and len(content) == struct.calcsize(code):
            return struct.unpack(code, content)[0]
    raise DataError(f"{file.name} has a setting that is no number", got=repr(value))
