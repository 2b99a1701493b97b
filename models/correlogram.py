"""Correlograms: how the correlation of residuals falls with the distance of their shapes along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from models.cells import Cells, unfold

Array = NDArray[np.float64]

_BY_CHANCE = 6.0
"""Chi-square, of a reach and the best of several lengths and forms, that independent residuals seldom exceed.

Along an axis of 16 sizes in 2 % of 600 cases.
"""

_TRIALS = 12
"""Lengths tried before the best of them is refined."""

_SHORTEST, _LONGEST = 0.01, 2.0
"""Bounds of a correlation length, as shares of the extent of its axis."""

_RANGE = 0.5
"""Pairs count by exp(-distance / (range times extent)): distant ones say little of the correlation of near ones."""


@dataclass(frozen=True)
class Falloff:
    """Correlation exp(-(distance / length)^smoothness) along one axis.

    Attributes
    ----------
    metric : int
        0 for distances in octaves, 1 in elements.
    length : float
    smoothness : int
        1 for a field as rough as a random walk, 2 for one that has slopes.
    """

    metric: int
    length: float
    smoothness: int

    def correlation(self, distances: tuple[Array, Array]) -> Array:
        """Correlation at distances in octaves and in elements."""
        return np.asarray(np.exp(-((distances[self.metric] / self.length) ** self.smoothness)))


NONE = Falloff(0, 1e-9, 1)
"""Of an axis along which neighbours share nothing."""


@dataclass(frozen=True)
class NeighbourPairs:
    """Pairs of cells that differ along one axis alone.

    Attributes
    ----------
    upper : tuple of (ndarray, ndarray), one an axis
        The two values of each pair.
    number : tuple of ndarray
        How many pairs of samples there are with them.
    distances : tuple of (ndarray, ndarray)
        How far apart they are, octaves and elements.
    """

    upper: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    number: tuple[Array, ...]
    distances: tuple[tuple[Array, Array], ...]

    @classmethod
    def of(cls, cells: Cells, count: Array) -> NeighbourPairs | None:
        """Find the pairs of cells that hold samples, ``count`` of shape (M, N, K, 1); ``None`` without any."""
        upper, number, distances = [], [], []
        for axis, products in enumerate(axis_products(count)):
            rows, columns = np.nonzero(np.triu(products, 1))
            pairs = (rows, columns)
            upper.append(pairs)
            number.append(products[pairs])
            octaves, elements = cells.distances(axis)
            distances.append((octaves[pairs], elements[pairs]))
        return cls(tuple(upper), tuple(number), tuple(distances)) if any(one.size for one in number) else None

    def correlogram(self, sums: Sequence[Array]) -> tuple[tuple[float, ...], tuple[Falloff, ...]]:
        """Fit q exp(-(distance / length)^smoothness) to mean products along each axis, by least squares.

        Parameters
        ----------
        sums : sequence of ndarray, one an axis
            Products of values of unit variance, summed as by :func:`axis_products`.

        Returns
        -------
        tuple of float
            q of each axis; NaN where independent residuals might well show as much.
        tuple of Falloff
            One an axis: the metric and the smoothness that fit best.
        """
        reach, falls = [], []
        for axis, number in enumerate(self.number):
            q, fall = np.nan, NONE
            if number.size:
                octaves = self.distances[axis][0]
                # Pairs count by their number, and the nearer the more.
                weight = np.sqrt(number / number.sum()) * np.exp(-octaves / (_RANGE * octaves.max()))
                means = sums[axis][self.upper[axis]] / number
                misfit, height, found = min(
                    (
                        _least_squares(distance, means, weight, metric, smoothness)
                        for metric, distance in enumerate(self.distances[axis])
                        for smoothness in (1, 2)
                    ),
                    key=lambda fit: fit[0],
                )
                gain = float(np.sum((weight * means) ** 2)) - misfit
                # Independent residuals of unit variance gain less than chi-square over the number of pairs.
                if gain * number.sum() > _BY_CHANCE and height > 0:
                    q, fall = height, found
            reach.append(q)
            falls.append(fall)
        return tuple(reach), tuple(falls)


def axis_products(sums: Array) -> list[Array]:
    """For each axis the products of its values, summed over the other axes; ``sums`` has shape (M, N, K, 1)."""
    found = []
    for axis in range(3):
        flat = unfold(sums, axis)
        found.append(flat @ flat.T)
    return found


def _least_squares(
    distance: Array, means: Array, weight: Array, metric: int, smoothness: int
) -> tuple[float, float, Falloff]:
    """Least-squares fit of q exp(-(distance / length)^smoothness), 0 <= q <= 1: misfit, q and the rest."""

    def reach(length: float) -> tuple[float, Array]:
        shape = weight * np.exp(-((distance / length) ** smoothness))
        norm = float(shape @ shape)
        q = float(np.clip((weight * means) @ shape / norm, 0.0, 1.0)) if norm > 0 else 0.0
        return q, weight * means - q * shape

    def misfit(logarithm: float) -> float:
        left = reach(float(np.exp(logarithm)))[1]
        return float(left @ left)

    extent = float(distance.max())
    trials = np.linspace(np.log(_SHORTEST * extent), np.log(_LONGEST * extent), _TRIALS)
    best = int(np.argmin([misfit(trial) for trial in trials]))
    around = (trials[max(0, best - 1)], trials[min(_TRIALS - 1, best + 1)])
    found = minimize_scalar(misfit, bounds=around, method="bounded", options={"xatol": 1e-3})
    length = float(np.exp(found.x))
    return float(found.fun), reach(length)[0], Falloff(metric, length, smoothness)
