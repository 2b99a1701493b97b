"""Blocks of (M, N): the unit of resampling and of holding out, because neighbours share their lack of fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PER_AXIS = 8


@dataclass(frozen=True)
class Blocks:
    """A division of the (M, N) plane into rectangles of neighbouring sizes.

    All K, all tiles and all cubes of an (M, N) fall into its one block: a fine line that runs through a block of
    the grid is held out with it.

    Attributes
    ----------
    edges_m, edges_n : ndarray of int64
        Ascending first sizes of the groups along each axis but the first, elements.
    """

    edges_m: NDArray[np.int64]
    edges_n: NDArray[np.int64]

    @classmethod
    def of(cls, M: NDArray[np.int64], N: NDArray[np.int64], per_axis: int = PER_AXIS) -> Blocks:
        """Cut each axis into ``per_axis`` groups with equal numbers of the distinct values given."""
        return cls(_edges(M, per_axis), _edges(N, per_axis))

    def labels(self, M: NDArray[np.int64], N: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number the rectangles that shapes fall into; those beyond the edges join the outermost. Shape (n,)."""
        row = np.searchsorted(self.edges_m, M, side="right")
        column = np.searchsorted(self.edges_n, N, side="right")
        return np.asarray(row * (self.edges_n.size + 1) + column, dtype=np.int64)


def block_labels(M: NDArray[np.int64], N: NDArray[np.int64], per_axis: int = PER_AXIS) -> NDArray[np.int64]:
    """Number the blocks that samples fall into.

    Parameters
    ----------
    M, N : ndarray of int64, shape (n,)
        Sizes, elements.
    per_axis : int
        Groups along each axis.

    Returns
    -------
    ndarray of int64, shape (n,)
        Labels 0..B-1, all in use.
    """
    labels = np.unique(Blocks.of(M, N, per_axis).labels(M, N), return_inverse=True)[1]
    return np.asarray(labels, dtype=np.int64)


def fold_labels(blocks: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal whole blocks to folds at random, as evenly as their number allows; shape (n,)."""
    count = int(blocks.max()) + 1
    fold_of_block = np.empty(count, dtype=np.int64)
    fold_of_block[rng.permutation(count)] = np.arange(count) % folds
    return np.asarray(fold_of_block[blocks])


def _edges(values: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    distinct = np.unique(values)
    rank = (np.arange(distinct.size) * groups) // distinct.size
    return distinct[1:][np.diff(rank) > 0]
