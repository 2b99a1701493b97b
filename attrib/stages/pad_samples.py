"""Padding among scattered samples, where there is no grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit
from harness.errors import InputError


def pad_samples(
    M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64], time: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Least time over all samples that contain each sample, {M' >= M, N' >= N, K' >= K}.

    This is T1 (paper, section 7) with the samples in place of the grid. Samples are sorted by M, then merged
    by N in blocks of doubling size with a binary indexed tree over K: O(n log(n)^2).

    Parameters
    ----------
    M, N, K : numpy.ndarray of int64, shape (n,)
        Shapes of the samples, in elements; they may repeat.
    time : numpy.ndarray of float64, shape (n,)
        Seconds; NaN where not available.

    Returns
    -------
    time : numpy.ndarray of float64, shape (n,)
        Seconds; NaN where no containing sample is available.
    target : numpy.ndarray of int64, shape (n,)
        Index of the sample that attains it (the sample's own where it is as fast); -1 where there is none.

    Raises
    ------
    InputError
        If the arrays are not one-dimensional and of one length.
    """
    if time.ndim != 1 or not (M.shape == N.shape == K.shape == time.shape):
        raise InputError(
            f"M, N, K and time must be vectors of one length, got shapes {M.shape}, {N.shape}, {K.shape} "
            f"and {time.shape}"
        )
    usable = np.where(np.isnan(time), np.inf, time)
    order = np.lexsort((usable, -K, -N, -M))  # a sample comes after all that contain it
    ranks = np.unique(-K[order], return_inverse=True)[1].astype(np.int64)
    best = _containing_minimum(N[order].astype(np.int64), ranks, usable[order])
    target = np.empty(time.size, dtype=np.int64)
    target[order] = order[best]
    result = usable[target]
    missing = np.isinf(result)
    result[missing] = np.nan
    target[missing] = -1
    return result, target


@njit
def _containing_minimum(
    columns: NDArray[np.int64], ranks: NDArray[np.int64], time: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Fastest position, at or before each, with at least its `columns` and at most its rank."""
    size = columns.size
    best = np.arange(size)
    order = np.arange(size)
    merged = np.empty_like(order)
    tree = np.full(size + 1, -1, dtype=np.int64)  # fastest position among ranks below; binary indexed
    width = 1
    while width < size:
        for low in range(0, size, 2 * width):
            middle = min(low + width, size)
            high = min(low + 2 * width, size)
            left, right = low, middle
            for out in range(low, high):
                if right >= high or (left < middle and columns[order[left]] >= columns[order[right]]):
                    here = order[left]
                    left += 1
                    node = ranks[here] + 1
                    while node <= size:
                        if tree[node] < 0 or time[here] < time[tree[node]]:
                            tree[node] = here
                        node += node & -node
                else:
                    here = order[right]
                    right += 1
                    node = ranks[here] + 1
                    while node > 0:
                        if tree[node] >= 0 and time[tree[node]] < time[best[here]]:
                            best[here] = tree[node]
                        node -= node & -node
                merged[out] = here
            for position in range(low, middle):
                node = ranks[order[position]] + 1
                while node <= size:
                    tree[node] = -1
                    node += node & -node
        order, merged = merged, order
        width *= 2
    return best
