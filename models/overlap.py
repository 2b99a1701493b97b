"""Sum against overlap: whether a kernel's memory traffic adds to its computing or hides behind it.

The additive model charges every cost in full. On a device that moves data while it computes, a launch takes

    launch + max(compute, memory),

each part a sum of non-negative costs. Given which cells wait for memory, this is linear, so that it is fitted by
turns (as max-affine functions are, Magnani & Boyd 2009): solve with the inactive part's columns at zero, assign
each cell to its longer part, repeat; from several starts, because the turns find a local optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.inference.paired import PairedTest, paired_test
from models.solve import solve_nonnegative

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MEMORY, COMPUTE = "memory", "compute"

LEVEL = 0.05
"""A tile is said to overlap where its paired test is below this."""

_TURNS = 25
_QUANTILES = (0.05, 0.1, 0.2, 0.4, 0.7)
"""Shares of the cells, those of the least arithmetic intensity, that a start takes as waiting for memory."""

_EXACT = 1e-5
"""A relative error below any timing's: a sum that comes so near leaves overlap nothing to explain."""

_MOST_CELLS = 4096
"""Of the comparison; beyond it, cells are drawn at random."""


@dataclass(frozen=True)
class OverlapTest:
    """Sum against overlap on one tile.

    Attributes
    ----------
    test : PairedTest
        On held-out blocks; the gain is that of overlap over the sum.
    theta : ndarray, shape (p,)
        Coefficients of the overlapping model.
    memory_bound : float
        Share of the cells that wait for memory under it.
    """

    test: PairedTest
    theta: Array
    memory_bound: float

    @property
    def overlaps(self) -> bool:
        """Whether overlap explains held-out blocks better beyond chance, with cells on both sides."""
        return self.test.p_value <= LEVEL and self.test.gain > 0 and 0.0 < self.memory_bound < 1.0


def waits_for_memory(matrix: Array, theta: Array, resources: Sequence[str]) -> NDArray[np.bool_]:
    """Cells whose memory costs exceed their computing, shape (n,).

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
        Design of the sum.
    theta : ndarray, shape (p,)
    resources : sequence of str, length p
        :attr:`models.term.Term.resource` of each column.
    """
    memory, compute = _parts(resources)
    return np.asarray(matrix[:, memory] @ theta[memory] > matrix[:, compute] @ theta[compute])


def overlapped(matrix: Array, theta: Array, resources: Sequence[str]) -> Array:
    """Design with the columns of each cell's shorter part at zero, shape (n, p).

    Its product with ``theta`` is launch + max(compute, memory), and the design is that model's derivative.
    """
    return _split(matrix, waits_for_memory(matrix, theta, resources), resources)


def fit_overlap(
    matrix: Array, time: Array, resources: Sequence[str], starts: Sequence[NDArray[np.bool_]]
) -> tuple[Array, float]:
    """Fit launch + max(compute, memory) to relative errors.

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
    time : ndarray, shape (n,)
        Seconds.
    resources : sequence of str, length p
    starts : sequence of ndarray of bool, shape (n,)
        Cells first taken as waiting for memory.

    Returns
    -------
    theta : ndarray, shape (p,)
        Best coefficients met on the way from any start.
    loss : float
        Their sum of squared relative residuals.
    """
    weighted = matrix / time[:, None]
    best, least = np.zeros(matrix.shape[1]), np.inf
    for start in starts:
        waiting = start
        for _ in range(_TURNS):
            design = _split(weighted, waiting, resources)
            theta = solve_nonnegative(design.T @ design, design.sum(axis=0))
            now = waits_for_memory(weighted, theta, resources)
            loss = float(np.sum((1.0 - _split(weighted, now, resources) @ theta) ** 2))
            if loss < least:
                best, least = theta, loss
            if np.array_equal(now, waiting):
                break
            waiting = now
    return best, least


def compare_overlap(
    matrix: Array,
    time: Array,
    resources: Sequence[str],
    blocks: Indices,
    fold_of_block: Indices,
    places: tuple[Indices, Indices],
    intensity: Array,
    rng: np.random.Generator,
) -> OverlapTest | None:
    """Compare sum and overlap on held-out blocks of (M, N).

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
        Design of the tile, with all memory columns.
    time : ndarray, shape (n,)
        Seconds.
    resources : sequence of str, length p
    blocks : ndarray of int64, shape (n,)
        Block of each cell.
    fold_of_block : ndarray of int64, shape (B,)
    places : tuple of ndarray of int64, shape (B,)
        Row and column of each block among the blocks of (M, N).
    intensity : ndarray, shape (n,)
        Arithmetic intensity of each cell, FLOP/byte: the low ones are the first to wait for memory.
    rng : numpy.random.Generator
        Draws the cells of large landscapes.

    Returns
    -------
    OverlapTest or None
        ``None`` where no memory column has a cost, or the sum leaves no error: there is nothing to overlap.
    """
    memory, _ = _parts(resources)
    if time.size > _MOST_CELLS:
        rows = np.sort(rng.permutation(time.size)[:_MOST_CELLS])
        matrix, time, blocks, intensity = matrix[rows], time[rows], blocks[rows], intensity[rows]
    weighted = matrix / time[:, None]
    plain = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    if np.sqrt(np.mean((weighted @ plain - 1.0) ** 2)) < _EXACT:
        return None
    starts = [waits_for_memory(weighted, plain, resources)]
    starts += [intensity < np.quantile(intensity, share) for share in _QUANTILES]
    theta, _ = fit_overlap(matrix, time, resources, starts)
    if not theta[memory].any() and not plain[memory].any():
        return None
    losses = np.zeros((2, fold_of_block.size))
    for fold in np.unique(fold_of_block):
        out = fold_of_block[blocks] == fold
        if not out.any():
            continue
        train = weighted[~out]
        first = solve_nonnegative(train.T @ train, train.sum(axis=0))
        begin = [waits_for_memory(train, first, resources)]
        begin += [intensity[~out] < np.quantile(intensity[~out], share) for share in _QUANTILES]
        second, _ = fit_overlap(matrix[~out], time[~out], resources, begin)
        held = weighted[out]
        residuals = 1.0 - held @ first, 1.0 - overlapped(held, second, resources) @ second
        for number, residual in enumerate(residuals):
            losses[number] += np.bincount(blocks[out], residual**2, minlength=fold_of_block.size)
    used = np.unique(blocks)
    rows_of, columns_of = places
    folds = int(fold_of_block.max()) + 1
    test = paired_test(losses[0, used], losses[1, used], rows_of[used], columns_of[used], folds)
    return OverlapTest(test, theta, float(waits_for_memory(weighted, theta, resources).mean()))


def _parts(resources: Sequence[str]) -> tuple[Indices, Indices]:
    kinds = np.array(resources)
    return np.flatnonzero(kinds == MEMORY), np.flatnonzero(kinds == COMPUTE)


def _split(matrix: Array, waiting: NDArray[np.bool_], resources: Sequence[str]) -> Array:
    memory, compute = _parts(resources)
    out = matrix.copy()
    out[:, memory] *= waiting[:, None]
    out[:, compute] *= ~waiting[:, None]
    return out
