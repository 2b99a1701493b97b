"""Conformal intervals: quantiles of held-out relative error, by regime.

Regimes are ranges of predicted time, for each load path by itself: shapes whose rows start off a cache line, or off
the granularity of vector loads, run other code and are predicted less well. (Grids of round sizes hold neither.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError

Array = NDArray[np.float64]

REGIMES = 4
PATHS = 3
"""Load paths, the worse of A and B: on the line, off it, off the vector (``models.problem.Problem.load_paths``)."""

_FEWEST = 40
"""A regime with fewer samples takes the quantiles of its whole path, or of all samples."""

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class ConformalIntervals:
    """Quantiles of log(measured / predicted) on held-out samples.

    Attributes
    ----------
    edges : ndarray, shape (REGIMES - 1,)
        Predicted times that separate the regimes, seconds.
    lower, upper : ndarray, shape (len(LEVELS), PATHS, REGIMES)
        Quantiles of the log ratio, for each nominal coverage.
    """

    edges: Array
    lower: Array
    upper: Array

    @classmethod
    def calibrate(
        cls, predicted: Array, measured: Array, path: NDArray[np.int64] | None = None
    ) -> ConformalIntervals:
        """Learn from held-out predictions and measurements.

        The quantiles take the finite-sample index ceil((n + 1) level), each side at half the error, as in split
        conformal prediction (Lei et al. 2018). Its guarantee holds for exchangeable samples; those of a block are
        not, and folds stand in for a split, so the coverage is checked on other blocks and reported.

        Parameters
        ----------
        predicted, measured : ndarray, shape (n,)
            Seconds.
        path : ndarray of int64, shape (n,), optional
            Load path of each sample; by default all 0.
        """
        ratio = np.log(measured / predicted)
        path = np.zeros(ratio.size, dtype=np.int64) if path is None else path
        edges = np.quantile(predicted, np.arange(1, REGIMES) / REGIMES)
        regime = np.searchsorted(edges, predicted)
        shape = (len(LEVELS), PATHS, REGIMES)
        lower, upper = np.empty(shape), np.empty(shape)
        everything = np.sort(ratio)
        for kind in range(PATHS):
            alike = np.sort(ratio[path == kind])
            for number in range(REGIMES):
                inside = np.sort(ratio[(path == kind) & (regime == number)])
                if inside.size < _FEWEST:
                    inside = alike if alike.size >= _FEWEST else everything
                for row, level in enumerate(LEVELS):
                    rank = int(np.ceil((inside.size + 1) * (1.0 + level) / 2.0))
                    upper[row, kind, number] = inside[min(rank, inside.size) - 1]
                    lower[row, kind, number] = inside[max(inside.size - rank, 0)]
        return cls(edges, lower, upper)

    def interval(
        self, predicted: Array, level: float = 0.9, path: NDArray[np.int64] | None = None
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
        kind = np.zeros_like(regime) if path is None else path
        return (
            predicted * np.exp(self.lower[row, kind, regime]),
            predicted * np.exp(self.upper[row, kind, regime]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_dict` is its inverse."""
        return {"edges": self.edges.tolist(), "lower": self.lower.tolist(), "upper": self.upper.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ConformalIntervals:
        """Rebuild from plain data."""
        return cls(*(np.array(data[name], dtype=np.float64) for name in ("edges", "lower", "upper")))


def coverage(
    predicted: Array,
    measured: Array,
    half: NDArray[np.bool_],
    level: float = 0.9,
    path: NDArray[np.int64] | None = None,
) -> float:
    """Share of samples inside intervals that were calibrated on the other half, both halves in turn."""
    inside = np.empty(predicted.size, dtype=np.bool_)
    path = np.zeros(predicted.size, dtype=np.int64) if path is None else path
    for part in (half, ~half):
        if not part.any() or part.all():
            return float("nan")
        intervals = ConformalIntervals.calibrate(predicted[~part], measured[~part], path[~part])
        low, high = intervals.interval(predicted[part], level, path[part])
        inside[part] = (measured[part] >= low) & (measured[part] <= high)
    return float(inside.mean())
