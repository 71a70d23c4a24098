"""Sums of errors in float64, whatever the model computes in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass
class ErrorSums:
    """Running sums from which mean errors follow.

    MAE = Σ|e| / n, RMSE = √(Σe² / n), relative = √(Σe² / Σr²) with r the reference.

    Example:
        >>> sums = ErrorSums()
        >>> sums.add(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
        >>> sums.mae, round(sums.rmse, 4), sums.count
        (1.0, 1.4142, 2)
    """

    count: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    reference: float = 0.0
    largest: float = 0.0

    def add(self, predicted: Float[np.ndarray, "..."], true: Float[np.ndarray, "..."]) -> None:
        """Adds values; pairs whose true value is NaN (unknown) are left out."""
        true64 = np.asarray(true, dtype=np.float64).reshape(-1)
        known = ~np.isnan(true64)
        error = np.asarray(predicted, dtype=np.float64).reshape(-1)[known] - true64[known]
        if error.size == 0:
            return
        self.count += int(error.size)
        self.absolute += float(np.abs(error).sum())
        self.squared += float(np.square(error).sum())
        self.reference += float(np.square(true64[known]).sum())
        self.largest = max(self.largest, float(np.abs(error).max()))

    def merge(self, other: ErrorSums) -> None:
        """Adds the values that another sum has seen.

        Example:
            >>> sums, more = ErrorSums(), ErrorSums()
            >>> more.add(np.array([3.0]), np.array([1.0]))
            >>> sums.merge(more)
            >>> sums.rmse
            2.0
        """
        self.count += other.count
        self.absolute += other.absolute
        self.squared += other.squared
        self.reference += other.reference
        self.largest = max(self.largest, other.largest)

    @property
    def mae(self) -> float:
        """Mean absolute error; NaN where nothing was added."""
        return self.absolute / self.count if self.count else math.nan

    @property
    def rmse(self) -> float:
        """Root of the mean squared error; NaN where nothing was added."""
        return math.sqrt(self.squared / self.count) if self.count else math.nan

    @property
    def relative(self) -> float:
        """RMSE over the root mean square of the reference."""
        return math.sqrt(self.squared / self.reference) if self.reference else math.nan
