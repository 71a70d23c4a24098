"""What a program can express, and forms as sums of products of factors."""

from schur.decompositions.expressivity import Expressivity, expressivity, interactions

__all__ = ["Expressivity", "expressivity", "interactions"]
