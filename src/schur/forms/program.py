"""The program: a short list of named values, each a form applied to inputs or earlier values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from schur.errors import FormError
from schur.forms.form import Form, Operand


@dataclass(frozen=True)
class Statement:
    """`target += form` with the slot `target` open and every other operand read by its name."""

    form: Form
    target: str

    def __post_init__(self) -> None:
        if not self.form.is_linear_in(self.target):
            raise FormError(
                "the open slot of a statement must occur once in every path",
                got=self.target,
                expected="a form that is linear in it (Form.open polarises where it is not)",
            )

    @property
    def sources(self) -> tuple[str, ...]:
        """The names that the statement reads."""
        return tuple(o.name for o in self.form.operands if o.name != self.target)


@dataclass(frozen=True, eq=False)
class Program:
    """Inputs, statements in order, and the names of the outputs.

    Statements with one target add up.  A program is a value: equal programs share one compiled
    routine, found by `key`.

    Raises:
        FormError: if a value is read before it is made, or described in two ways; if no statement
            makes an output: what comes out is never what went in.
    """

    inputs: tuple[Operand, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        known = {operand.name: operand for operand in self.inputs}
        if len(known) != len(self.inputs):
            raise FormError("input names must differ", got=[o.name for o in self.inputs])
        finished: set[str] = set(known)
        for statement in self.statements:
            for operand in statement.form.operands:
                if operand.name == statement.target:
                    if operand.name in finished:
                        raise FormError("a value is written after it was read", got=operand.name)
                elif operand.name not in known:
                    raise FormError(
                        "a statement reads a value that does not exist yet",
                        got=operand.name,
                        expected=sorted(known),
                    )
                else:
                    finished.add(operand.name)
                if known.setdefault(operand.name, operand) != operand:
                    raise FormError(
                        f"value {operand.name!r} is described in two ways",
                        got=operand,
                        expected=known[operand.name],
                    )
        made = {statement.target for statement in self.statements}
        missing = [name for name in self.outputs if name not in made]
        if missing:
            raise FormError("an output is never made", got=missing, expected=sorted(made))
        if len(set(self.outputs)) != len(self.outputs):
            raise FormError("an output is named twice", got=self.outputs)

    @cached_property
    def values(self) -> dict[str, Operand]:
        """Every named value: inputs, intermediates and outputs."""
        found = {operand.name: operand for operand in self.inputs}
        for statement in self.statements:
            found.update(statement.form.by_name)
        return found

    @cached_property
    def indices(self) -> tuple[str, ...]:
        """The names of the index arrays, in order of appearance."""
        names = [operand.index for operand in self.values.values() if operand.index is not None]
        return tuple(dict.fromkeys(names))

    @cached_property
    def key(self) -> str:
        """A hash of the content."""
        hasher = hashlib.sha256(repr((self.inputs, self.outputs)).encode())
        for statement in self.statements:
            hasher.update(f"{statement.target} {statement.form.digest}".encode())
        return hasher.hexdigest()[:32]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def restricted(self, outputs: tuple[str, ...]) -> Program:
        """Only these outputs, and what they need."""
        return Program(self.inputs, self.statements, outputs).pruned()

    def pruned(self) -> Program:
        """Without the statements that no output needs; the inputs stay as they are."""
        needed = set(self.outputs)
        kept: list[Statement] = []
        for statement in reversed(self.statements):
            if statement.target in needed:
                kept.append(statement)
                needed.update(statement.sources)
        return Program(self.inputs, tuple(reversed(kept)), self.outputs)

    def __str__(self) -> str:
        from schur.forms.printer import describe_program

        return describe_program(self)
