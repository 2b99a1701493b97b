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

_EXACT = 1e-20
"""Loss of a block that is rounding."""

_FEW = 0.01
"""Of the blocks, but one at least: so many, those that gain the most and those that lose the most, may be left out
where the others' loss is halved. A cost that only sizes of one fold show is any cost for a fit without them."""


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


def earns_its_place(without: Array, with_it: Array) -> bool:
    """Whether a term lowers losses of blocks, shape (B,), beyond their scatter, or halves those of nearly all."""
    gain = without - with_it
    error = float(np.std(gain, ddof=1) * np.sqrt(gain.size)) if gain.size > 1 else np.inf
    most = _nearly_all(gain)
    sums = [(float(with_it[part].sum()), float(without[part].sum())) for part in (slice(None), most)]
    halved = any(_EXACT * gain.size < before and now < HALF * before for now, before in sums)
    return halved or float(gain.sum()) > STANDARD_ERRORS * error


def _nearly_all(gain: Array) -> NDArray[np.int64]:
    """Blocks without the few that gain the most and the few that lose the most."""
    few = max(1, int(np.ceil(_FEW * gain.size)))
    return np.argsort(gain, kind="stable")[few:-few] if gain.size > 4 * few else np.arange(gain.size)


def select_terms(
    sums: BlockGram,
    columns_of_term: Sequence[NDArray[np.int64]],
    always: Sequence[bool],
    fold_of_block: NDArray[np.int64],
    given: Sequence[bool] | None = None,
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
    given : sequence of bool, optional
        Terms that the model will have, beside which the others are judged; without those that do harm alone. One
        that a fold hardly sees may lead so far astray that no other term could be seen to help.

    Returns
    -------
    tuple of int
        Indices of the chosen terms, ascending; of those given too.
    """
    kept = [False] * len(always) if given is None else list(given)
    beside = [index for index, keep in enumerate(kept) if keep and not always[index]]
    chosen = [index for index, keep in enumerate(always) if keep or index in beside]

    def loss(terms: list[int]) -> Array:
        columns = np.concatenate([columns_of_term[index] for index in sorted(terms)])
        return held_out_loss(sums.take(columns), fold_of_block)

    current = loss(chosen)
    for index in beside:
        without = loss([other for other in chosen if other != index])
        if without.sum() < HALF * current.sum():
            chosen, current = [other for other in chosen if other != index], without
    # A term without any cost here changes nothing but the rounding.
    costly = [i for i, places in enumerate(columns_of_term) if sums.gram[:, places, places].any()]
    while True:
        trials = {i: loss([*chosen, i]) for i in costly if i not in chosen and i not in beside}
        if not trials:
            break
        gains = {i: current - trial for i, trial in trials.items()}
        # By all blocks, or else by nearly all.
        for best in (
            max(gains, key=lambda i: float(gains[i].sum())),
            max(gains, key=lambda i: float(gains[i][_nearly_all(gains[i])].sum())),
        ):
            if earns_its_place(current, trials[best]):
                break
        else:
            break
        chosen.append(best)
        current = trials[best]
    return tuple(sorted({*chosen, *beside}))
