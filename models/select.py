"""Which optional terms earn their place: forward selection by held-out error over blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.gram import BlockGram
from models.solve import solve_nonnegative

Array = NDArray[np.float64]

STANDARD_ERRORS = 2.0
"""A term must lower the held-out loss by this many standard errors of the difference between blocks."""

HALF = 0.5
"""Or to less than this. What few sizes show, and much of them, is beyond no error: they are its scatter."""


def held_out_loss(sums: BlockGram, fold_of_block: NDArray[np.int64]) -> Array:
    """Squared relative error of each block under the fit to the other folds, shape (B,).

    No block counts as worse than a prediction of nothing, 1 a cell: where a fold leaves a column nearly unseen, one
    block's error may exceed all others', and no gain would be beyond chance.
    """
    loss = np.zeros(sums.count.size)
    gram, moment, _ = sums.total()
    for fold in np.unique(fold_of_block):
        inside = fold_of_block == fold
        theta = solve_nonnegative(gram - sums.gram[inside].sum(axis=0), moment - sums.moment[inside].sum(axis=0))
        part = BlockGram(sums.gram[inside], sums.moment[inside], sums.count[inside])
        loss[inside] = np.minimum(part.loss(theta), part.count)
    return loss


def select_terms(
    sums: BlockGram,
    columns_of_term: Sequence[NDArray[np.int64]],
    always: Sequence[bool],
    fold_of_block: NDArray[np.int64],
) -> tuple[int, ...]:
    """Choose terms for one tile.

    Parameters
    ----------
    sums : BlockGram
        Sums over the columns of all terms.
    columns_of_term : sequence of ndarray of int
        Columns of each term.
    always : sequence of bool
        Terms that are in the model whatever their error.
    fold_of_block : ndarray of int64, shape (B,)

    Returns
    -------
    tuple of int
        Indices of the chosen terms, ascending.
    """
    chosen = [index for index, keep in enumerate(always) if keep]

    def loss(terms: list[int]) -> Array:
        columns = np.concatenate([columns_of_term[index] for index in sorted(terms)])
        return held_out_loss(sums.take(columns), fold_of_block)

    current = loss(chosen)
    # A term without any cost here changes nothing but the rounding.
    costly = [i for i, places in enumerate(columns_of_term) if sums.gram[:, places, places].any()]
    while True:
        trials = {i: loss([*chosen, i]) for i in costly if i not in chosen}
        if not trials:
            return tuple(sorted(chosen))
        best = min(trials, key=lambda i: float(trials[i].sum()))
        gain = current - trials[best]
        error = float(np.std(gain, ddof=1) * np.sqrt(gain.size)) if gain.size > 1 else np.inf
        halved = float(trials[best].sum()) < HALF * float(current.sum())
        if not halved and not float(gain.sum()) > STANDARD_ERRORS * error:
            return tuple(sorted(chosen))
        chosen.append(best)
        current = trials[best]
