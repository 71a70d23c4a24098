"""Forms and programs as a reader would write them."""

from __future__ import annotations

from schur.forms.form import Form, Operand, Path
from schur.forms.program import Program

_COMPONENT_LETTERS = "ijkmnpqrst"
_LONGEST_LIST = 40


def describe_program(program: Program) -> str:
    """One line a statement, followed by each distinct form in full."""
    names: dict[Form, str] = {}
    for statement in program.statements:
        if statement.form not in names:
            names[statement.form] = "form" if not names else f"form{len(names) + 1}"
    lines = [
        f"{statement.target} = {names[statement.form]}({', '.join(statement.sources)})"
        for statement in program.statements
    ]
    for form, name in names.items():
        targets = {s.target for s in program.statements if s.form == form}
        lines += ["", describe_form(form, name, targets)]
    return "\n".join(lines)


def describe_form(form: Form, name: str = "form", targets: set[str] | None = None) -> str:
    """The operands with their layouts, then one line a path."""
    opened = targets or {form.operands[-1].name}
    count = f"{len(form.paths)} path{'s' if len(form.paths) != 1 else ''}, {form.terms} terms"
    lines = [f"{name}({', '.join(form.by_name)}): {count}"]
    width = max(len(operand.name) for operand in form.operands)
    lines += [
        f"  {operand.name:<{width}}  {_describe_operand(operand)}" for operand in form.operands
    ]
    rows = [_describe_path(form, path, opened) for path in form.paths[:_LONGEST_LIST]]
    longest = max((len(left) for left, _ in rows), default=0)
    lines += [f"  {left:<{longest}}    {right}" for left, right in rows]
    if len(form.paths) > _LONGEST_LIST:
        lines.append(f"  ... and {len(form.paths) - _LONGEST_LIST} more paths")
    return "\n".join(lines)


def _describe_operand(operand: Operand) -> str:
    mode = operand.mode if operand.index is None else f"at {operand.index}"
    blocks = []
    for block in operand.blocks[:8]:
        size = "x".join(str(n) for n in (block.components, *block.channels))
        blocks.append(f"{size} ({block.label})" if block.label else size)
    if len(operand.blocks) > 8:
        blocks.append(f"... {len(operand.blocks)} blocks")
    return f"{mode}  {' + '.join(blocks)}"


def _describe_path(form: Form, path: Path, targets: set[str]) -> tuple[str, str]:
    """`out.2[k,u] += x.0[i,u] * y.1[j]` and what stands behind it."""
    letters = iter(_COMPONENT_LETTERS)
    written: list[str] = []
    read: list[str] = []
    for factor in path.factors:
        operand = form.by_name[factor.operand]
        inside = [next(letters, "?")] if operand.blocks[factor.block].components > 1 else []
        inside += list(factor.letters)
        name = factor.operand if len(operand.blocks) == 1 else f"{factor.operand}.{factor.block}"
        text = f"{name}[{','.join(inside)}]" if inside else name
        (written if factor.operand in targets else read).append(text)
    left = f"{' * '.join(written)} += {' * '.join(read) or '1'}"
    count = len(path.coefficients)
    right = f"{count} term{'s' if count != 1 else ''}"
    return left, f"{right}    {path.label}" if path.label else right
