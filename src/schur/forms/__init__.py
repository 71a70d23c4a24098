"""Forms and programs: what is computed, apart from how.  Knows no group and no backend."""

from schur.forms.cost import Cost, cost
from schur.forms.derive import Derivative, derivative, derive, linearised
from schur.forms.form import Block, Factor, Form, Mode, Operand, Path
from schur.forms.oracle import evaluate
from schur.forms.program import Program, Statement

__all__ = [
    "Block",
    "Cost",
    "Derivative",
    "Factor",
    "Form",
    "Mode",
    "Operand",
    "Path",
    "Program",
    "Statement",
    "cost",
    "derivative",
    "derive",
    "evaluate",
    "linearised",
]
