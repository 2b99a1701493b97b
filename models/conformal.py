"""Conformal intervals: quantiles of held-out relative error, by regime.

Regimes are ranges of predicted time; shapes on a slow path (rows that vector loads cannot reach) are a regime of
their own, because their kernel is another one and its error is several times larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError

Array = NDArray[np.float64]

REGIMES = 4
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class ConformalIntervals:
    """Quantiles of log(measured / predicted) on held-out samples.

    Attributes
    ----------
    edges : ndarray, shape (REGIMES - 1,)
        Predicted times that separate the regimes, seconds.
    lower, upper : ndarray, shape (len(LEVELS), REGIMES + 1)
        Quantiles of the log ratio, for each nominal coverage; the slow path's come last.
    """

    edges: Array
    lower: Array
    upper: Array

    @classmethod
    def calibrate(
        cls, predicted: Array, measured: Array, slow: NDArray[np.bool_] | None = None
    ) -> ConformalIntervals:
        """Learn from held-out predictions and measurements, both shape (n,), seconds.

        The finite-sample index ceil((n + 1) level) makes the coverage at least nominal for exchangeable
        samples (split conformal prediction, Lei et al. 2018), each side at half the error. A regime without
        samples takes the quantiles of all.

        Parameters
        ----------
        predicted, measured : ndarray, shape (n,)
        slow : ndarray of bool, shape (n,), optional
            Samples on a slow path; by default none.
        """
        ratio = np.log(measured / predicted)
        fast = np.ones(ratio.size, dtype=np.bool_) if slow is None else ~slow
        edges = np.quantile(predicted[fast] if fast.any() else predicted, np.arange(1, REGIMES) / REGIMES)
        regime = np.where(fast, np.searchsorted(edges, predicted), REGIMES)
        lower, upper = np.empty((len(LEVELS), REGIMES + 1)), np.empty((len(LEVELS), REGIMES + 1))
        for number in range(REGIMES + 1):
            inside = np.sort(ratio[regime == number])
            if inside.size == 0:
                inside = np.sort(ratio)
            for row, level in enumerate(LEVELS):
                rank = int(np.ceil((inside.size + 1) * (1.0 + level) / 2.0))
                upper[row, number] = inside[min(rank, inside.size) - 1]
                lower[row, number] = inside[max(inside.size - rank, 0)]
        return cls(edges, lower, upper)

    def interval(
        self, predicted: Array, level: float = 0.9, slow: NDArray[np.bool_] | None = None
    ) -> tuple[Array, Array]:
        """Lower and upper time, seconds, at one of :data:`LEVELS`.

        Raises
        ------
        InputError
            If the level is none of them.
        """
        if level not in LEVELS:
            raise InputError(f"level {level}: intervals are calibrated for {', '.join(map(str, LEVELS))}")
        row = LEVELS.index(level)
        regime = np.searchsorted(self.edges, predicted)
        if slow is not None:
            regime = np.where(slow, REGIMES, regime)
        return predicted * np.exp(self.lower[row, regime]), predicted * np.exp(self.upper[row, regime])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_dict` is its inverse."""
        return {"edges": self.edges.tolist(), "lower": self.lower.tolist(), "upper": self.upper.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ConformalIntervals:
        """Rebuild from plain data."""
        return cls(*(np.array(data[name], dtype=np.float64) for name in ("edges", "lower", "upper")))


def coverage(predicted: Array, measured: Array, half: NDArray[np.bool_], level: float = 0.9) -> float:
    """Share of the one half's samples inside intervals calibrated on the other half."""
    intervals = ConformalIntervals.calibrate(predicted[~half], measured[~half])
    low, high = intervals.interval(predicted[half], level)
    return float(np.mean((measured[half] >= low) & (measured[half] <= high)))
