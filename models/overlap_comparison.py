"""Sum against overlap: whether a kernel's memory traffic adds to its computing or hides behind it.

Both models are fitted to the same cells, with all memory costs, and compared on blocks of (M, N) that neither was
fitted to (:mod:`models.overlap` has the law and its fit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.inference.paired import PairedTest, paired_test
from models.last_wave import LastWave
from models.overlap import LONGER, Overlap, OverlapLaw, overlapped, parts_of, waits_for_memory
from models.overlap_fit import fit_overlap
from models.solve import solve_nonnegative

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

LEVEL = 0.05
"""A tile is said to overlap where its paired test is below this."""

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
    how : Overlap
        How it does.
    expected : bool
        Whether the tiles of the same device overlap as a whole, so that this one need not show it by itself.
    """

    test: PairedTest
    theta: Array
    memory_bound: float
    how: Overlap = field(default_factory=Overlap)
    expected: bool = False

    @property
    def overlaps(self) -> bool:
        """Whether overlap tells held-out blocks better beyond chance, or is expected and no worse beyond chance.

        Both ask for cells on either side: with none, there is nothing to tell overlap by.
        """
        shown = self.test.p_value <= LEVEL and self.test.gain > 0
        kept = self.expected and self.test.p_value < 1.0 - LEVEL
        return (shown or kept) and 0.0 < self.memory_bound < 1.0


def compare_overlap(
    matrix: Array,
    time: Array,
    resources: Sequence[str],
    blocks: Indices,
    fold_of_block: Indices,
    places: tuple[Indices, Indices],
    intensity: Array,
    rng: np.random.Generator,
    last: LastWave | None = None,
    waiting: NDArray[np.bool_] | None = None,
    power: float = LONGER,
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
    last : LastWave, optional
        Of the same launches: overlap wave by wave is then tried beside overlap of whole launches, and the one that
        fits better is compared.
    waiting : ndarray of bool, shape (n,), optional
        Cells that were found to wait for memory before: where overlap is fitted from, besides other starts.
    power : float
        Of the law (:mod:`models.overlap`), as it was found before.

    Returns
    -------
    OverlapTest or None
        ``None`` where no memory column has a cost, or the sum leaves no error: there is nothing to overlap.
    """
    memory, _ = parts_of(resources)
    if time.size > _MOST_CELLS:
        rows = np.sort(rng.permutation(time.size)[:_MOST_CELLS])
        matrix, time, blocks, intensity = matrix[rows], time[rows], blocks[rows], intensity[rows]
        last = None if last is None else last.take(rows)
        waiting = None if waiting is None else waiting[rows]
    weighted = matrix / time[:, None]
    plain = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    if np.sqrt(np.mean((weighted @ plain - 1.0) ** 2)) < _EXACT:
        return None
    starts = [waits_for_memory(weighted, plain, resources)]
    starts += [intensity < np.quantile(intensity, share) for share in _QUANTILES]
    starts += [] if waiting is None else [waiting]
    law = OverlapLaw(power)
    theta, loss = fit_overlap(matrix, time, resources, starts, law)
    if last is not None:
        by_wave = OverlapLaw(power, last)
        other, less = fit_overlap(matrix, time, resources, starts, by_wave)
        theta, law = (other, by_wave) if less < loss else (theta, law)
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
        begin += [] if waiting is None else [waiting[~out]]
        second, _ = fit_overlap(matrix[~out], time[~out], resources, begin, law.take(~out))
        held = weighted[out]
        residuals = 1.0 - held @ first, 1.0 - overlapped(held, second, resources, law.take(out)) @ second
        for number, residual in enumerate(residuals):
            losses[number] += np.bincount(blocks[out], residual**2, minlength=fold_of_block.size)
    used = np.unique(blocks)
    rows_of, columns_of = places
    folds = int(fold_of_block.max()) + 1
    test = paired_test(losses[0, used], losses[1, used], rows_of[used], columns_of[used], folds)
    bound = float(waits_for_memory(weighted, theta, resources).mean())
    return OverlapTest(test, theta, bound, Overlap(law.last is not None, power))
