"""Samples gathered on a grid of sizes: where sums over pairs of shapes become products of small matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MOST_BINS = 48
"""Values of an axis that are told apart; more of them are gathered in bins of equal width in octaves."""


@dataclass(frozen=True)
class Cells:
    """Samples of one tile gathered on a grid of (M, N, K).

    Attributes
    ----------
    sizes : tuple of ndarray, one an axis
        Sizes at which cells lie, elements.
    place : ndarray of int64, shape (n,)
        Cell of each sample, in C order.
    """

    sizes: tuple[Array, ...]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, *sizes: NDArray[np.int64]) -> Cells:
        """Lay out samples of the given sizes M, N, K."""
        found = [_bins(size.astype(np.float64)) for size in sizes]
        shape = tuple(values.size for values, _ in found)
        place = np.ravel_multi_index(tuple(label for _, label in found), shape)
        return cls(tuple(values for values, _ in found), np.asarray(place, dtype=np.int64))

    def take(self, rows: NDArray[np.int64]) -> Cells:
        """Return the given samples on the same grid."""
        return Cells(self.sizes, self.place[rows])

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis."""
        return tuple(values.size for values in self.sizes)

    def distances(self, axis: int) -> tuple[Array, Array]:
        """Distances between the values of an axis, in octaves and in elements."""
        values = self.sizes[axis]
        octaves = np.log2(values)
        return np.abs(np.subtract.outer(octaves, octaves)), np.abs(np.subtract.outer(values, values))

    @cached_property
    def _distinct(self) -> bool:
        return bool(np.bincount(self.place).max() == 1)

    def sum(self, rows: Array) -> Array:
        """Sum rows of shape (n, k) over cells, shape (M, N, K, k)."""
        total = np.zeros((int(np.prod(self.shape)), rows.shape[1]))
        if self._distinct:
            total[self.place] = rows
        else:
            np.add.at(total, self.place, rows)
        return total.reshape(*self.shape, rows.shape[1])


def _bins(sizes: Array) -> tuple[Array, NDArray[np.int64]]:
    """Values along an axis and the label of each sample; where there are many, gathered by octaves."""
    values, labels = np.unique(sizes, return_inverse=True)
    if values.size > _MOST_BINS:
        octaves = np.log2(values)
        width = (octaves[-1] - octaves[0]) / _MOST_BINS
        number = np.minimum(((octaves - octaves[0]) / width).astype(np.int64), _MOST_BINS - 1)
        used, bins = np.unique(number, return_inverse=True)
        values, labels = 2.0 ** (octaves[0] + width * (used + 0.5)), bins[labels]
    return values, np.asarray(labels, dtype=np.int64)


def unfold(values: Array, axis: int) -> Array:
    """Values of shape (M, N, K, k) as a matrix whose rows are the values of one axis."""
    return np.asarray(np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1))
