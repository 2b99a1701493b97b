"""The lattice that samples lie on: ranks of their sizes along M, N and K."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

LARGEST_AXIS = 40
"""Places along an axis; where samples have more distinct sizes, neighbouring ones share a place."""


@dataclass(frozen=True)
class Lattice:
    """Places of samples on a lattice of sizes, in ranks: neighbours are neighbouring sizes, whatever their step.

    Attributes
    ----------
    shape : tuple of int
        Places along M, N and K.
    place : ndarray of int64, shape (n,)
        Flat index of each sample's place, in C order.
    """

    shape: tuple[int, int, int]
    place: Indices

    @classmethod
    def of(cls, M: Indices, N: Indices, K: Indices, largest: int = LARGEST_AXIS) -> Lattice:
        """Rank the sizes along each axis; more than ``largest`` distinct ones are put together evenly."""
        ranks, sizes = [], []
        for values in (M, N, K):
            distinct, rank = np.unique(values, return_inverse=True)
            places = min(largest, distinct.size)
            ranks.append(rank * places // distinct.size)
            sizes.append(places)
        shape = (sizes[0], sizes[1], sizes[2])
        place = np.ravel_multi_index((ranks[0], ranks[1], ranks[2]), shape)
        return cls(shape, np.asarray(place, dtype=np.int64))

    @property
    def size(self) -> int:
        """Number of places."""
        return int(np.prod(self.shape))

    def ranks(self) -> Indices:
        """Rank of each sample along M, N and K, shape (n, 3)."""
        return np.stack(np.unravel_index(self.place, self.shape), axis=1).astype(np.int64)

    def spread_out(self, values: Array) -> Array:
        """Mean of the values at each place, shape (places, columns); 0 at places without a sample.

        Parameters
        ----------
        values : ndarray, shape (n, columns)
        """
        if self.full:
            table = np.empty_like(values)
            table[self.place] = values
            return table
        order = np.argsort(self.place, kind="stable")
        held, first = np.unique(self.place[order], return_index=True)
        counts = np.diff(np.append(first, self.place.size))
        table = np.zeros((self.size, values.shape[1]))
        table[held] = np.add.reduceat(values[order], first, axis=0) / counts[:, None]
        return table

    @property
    def held(self) -> NDArray[np.bool_]:
        """Places that hold a sample, shape (places,)."""
        mask = np.zeros(self.size, dtype=np.bool_)
        mask[self.place] = True
        return mask

    @property
    def full(self) -> bool:
        """Whether every place holds exactly one sample."""
        return self.place.size == self.size and bool(self.held.all())
