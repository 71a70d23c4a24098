"""How time grows with n or l: exponents by fits, crossing points, one picture each.

Each module runs by itself, such as `python -m benchmarks.scaling.diagrams`.
"""
