"""In which order a pass visits its cells: shuffled anew, cut into batches, sentinels in between.

Everything here follows from the seed and the number of the pass, so a resumed sweep goes on as it would have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.sweep.cells import Rows

ROUGH_PASS = 0
"""The first pass times single launches: it tells how many fill a timing, and is not kept."""


@dataclass(frozen=True)
class Batch:
    """What is measured between two commits.

    Attributes
    ----------
    number_of_pass, number : int
        Which batch of which pass.
    rows : ndarray of int64, shape (n,)
        Rows to time, in this order, sentinels included.
    sentinel : ndarray of bool, shape (n,)
        Which of them are sentinels, timed for the drift alone.
    """

    number_of_pass: int
    number: int
    rows: Rows
    sentinel: np.ndarray[tuple[int], np.dtype[np.bool_]]


def batches(rows: Rows, number_of_pass: int, size: int, seed: int, sentinels: Rows) -> list[Batch]:
    """Shuffle the rows of a pass and cut them into batches.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
        The cells of the pass, in any order.
    number_of_pass : int
    size : int
        Cells in a batch, sentinels not counted.
    seed : int
    sentinels : ndarray of int64, shape (s,)
        Rows measured again with every batch: at most one for 16 cells but at least one, in turn, at random
        places, so that they meet the same conditions as the cells.
    """
    order = np.random.default_rng([seed, number_of_pass]).permutation(np.sort(rows))
    result = []
    for number, start in enumerate(range(0, order.size, size)):
        part = order[start : start + size]
        count = 0 if sentinels.size == 0 else min(sentinels.size, max(1, part.size // 16))
        # Few sentinels take turns over the batches and, where a pass has few, over the passes.
        extra = np.roll(sentinels, -(number + number_of_pass) * count)[:count]
        mixed = np.concatenate([part, extra])
        places = np.random.default_rng([seed, number_of_pass, number]).permutation(mixed.size)
        flag = np.arange(mixed.size) >= part.size
        result.append(Batch(number_of_pass, number, mixed[places], flag[places]))
    return result
