"""Blocks of (M, N): the unit of resampling and of holding out, because neighbours share their lack of fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PER_AXIS = 8


def block_labels(M: NDArray[np.int64], N: NDArray[np.int64], per_axis: int = PER_AXIS) -> NDArray[np.int64]:
    """Number the blocks that samples fall into.

    Each axis is cut into ``per_axis`` groups of neighbouring values with equal numbers of distinct values; a
    block is a pair of groups. All K and all tiles of an (M, N) share its block.

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
    pair = _groups(M, per_axis) * per_axis + _groups(N, per_axis)
    labels = np.unique(pair, return_inverse=True)[1]
    return np.asarray(labels, dtype=np.int64)


def fold_labels(blocks: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deal whole blocks to folds at random, as evenly as their number allows; shape (n,)."""
    count = int(blocks.max()) + 1
    fold_of_block = np.empty(count, dtype=np.int64)
    fold_of_block[rng.permutation(count)] = np.arange(count) % folds
    return np.asarray(fold_of_block[blocks])


def _groups(values: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    distinct, rank = np.unique(values, return_inverse=True)
    return (rank * groups) // distinct.size
