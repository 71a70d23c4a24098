"""The length of a vector and its derivative: what a direction needs besides polynomials."""

from __future__ import annotations

import numpy as np

from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement

_VECTOR = Operand("r", (Block(3, (), "1o"),))


def squared_length() -> Program:
    """The program from `r` (x, y, z) to its `square`, x² + y² + z².

    Example:
        >>> from schur.forms import evaluate
        >>> evaluate(squared_length(), {"r": np.array([[1.0, 2.0, 2.0]])})["square"]
        array([[9.]])
    """
    square = Operand("square", (Block(1, (), "0e"),))
    factors = (Factor("r"), Factor("r"), Factor("square"))
    components = np.array([[0, 0, 0], [1, 1, 0], [2, 2, 0]])
    form = Form((_VECTOR, square), (Path(factors, components, np.ones(3)),))
    return Program((_VECTOR,), (Statement(form, "square"),), ("square",))


def inverse_length_gradient() -> Program:
    """The program from `r`, s = 1/|r| as `scale` and a cotangent of s to that of r: -s³ r g.

    As a polynomial of r and s it is finite where s is set to zero for want of a direction, and so
    are all its derivatives.

    Example:
        >>> from schur.forms import evaluate
        >>> values = {"r": np.array([[0.0, 2.0, 0.0]]), "scale": np.array([[0.5]])}
        >>> evaluate(inverse_length_gradient(), values | {"grad_scale": np.ones((1, 1))})["grad_r"]
        array([[ 0.  , -0.25,  0.  ]])
    """
    scale = Operand("scale", (Block(1, (), "0e"),))
    grad_scale, grad_r = scale.renamed("grad_scale"), _VECTOR.renamed("grad_r")
    factors = (*[Factor("scale")] * 3, Factor("r"), Factor("grad_scale"), Factor("grad_r"))
    components = np.array([[0, 0, 0, k, 0, k] for k in range(3)])
    form = Form((_VECTOR, scale, grad_scale, grad_r), (Path(factors, components, -np.ones(3)),))
    return Program((_VECTOR, scale, grad_scale), (Statement(form, "grad_r"),), ("grad_r",))
