"""The null: residuals in shuffled blocks, which keep what neighbours share and lose every phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class Group:
    """Lines of equal length and one statistic.

    Attributes
    ----------
    residuals : ndarray, shape (lines, n)
    statistic : callable
        Residuals of shape (..., n) to statistics of shape (..., f), f of them (a scan) or one.
    """

    residuals: Array
    statistic: Callable[[Array], Array]


def block_permutations(n: int, mean_length: float, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Shuffle blocks of random length.

    Blocks of one length would keep the phase of every period that divides it, so lengths are drawn evenly between
    half and one and a half times the mean.

    Parameters
    ----------
    n : int
        Samples.
    mean_length : float
        Samples in a block.
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int64, shape (draws, n)
        Rows are permutations of 0 .. n - 1.
    """
    low, high = max(1, round(0.5 * mean_length)), max(1, round(1.5 * mean_length))
    lengths = rng.integers(low, high + 1, size=(draws, n // low + 1))
    # The line is taken as a ring: where the first block begins is free too.
    place = (np.arange(n) + rng.integers(0, n, size=(draws, 1))) % n
    block = np.empty((draws, n), dtype=np.int64)
    ends = np.cumsum(lengths, axis=1)
    for row in range(draws):
        block[row] = np.searchsorted(ends[row], place[row], side="right")
    key = rng.random((draws, int(block.max()) + 1))
    order = np.take_along_axis(key, block, axis=1)
    within = np.lexsort((place, order), axis=1)
    return np.asarray(within, dtype=np.int64)


def null_distribution(
    groups: Sequence[Group], mean_length: Sequence[float], draws: int, rng: np.random.Generator
) -> Array:
    """Statistics of permuted residuals, summed over lines.

    All lines of one length are permuted alike, so that what lines share (a lack of fit, say) stays shared.

    Parameters
    ----------
    groups : sequence of Group
    mean_length : sequence of float
        Samples in a block, for each group.
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (draws,) or (draws, f)
    """
    lengths: dict[int, float] = {}
    for group, length in zip(groups, mean_length, strict=True):
        size = group.residuals.shape[1]
        lengths[size] = max(length, lengths.get(size, 0.0))
    order = {size: block_permutations(size, length, draws, rng) for size, length in sorted(lengths.items())}
    total: Array | None = None
    for group in groups:
        count, size = group.residuals.shape
        chunk = max(1, _CHUNK // (count * size))
        parts = [
            group.statistic(group.residuals[:, order[size][start : start + chunk]]).sum(axis=0)
            for start in range(0, draws, chunk)
        ]
        values = np.concatenate(parts)
        total = values if total is None else total + values
    assert total is not None
    return total


def permutation_p_value(observed: float, null: Array) -> float:
    """Share of draws at least as large, the data themselves counted in."""
    return float((1 + np.count_nonzero(null >= observed)) / (1 + null.size))
