"""Paired test of two models that are not nested, by their held-out losses on the same blocks.

Logarithms of the losses are compared, averaged over blocks: a few blocks that both models fit badly would drown
the others. Their variance is that of the blocks, raised by what neighbouring blocks share and by the correction of
Nadeau & Bengio (2003) for training folds in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_LEAST = 1e-6
"""Smallest loss of a block, as a share of the mean one of the first model."""


@dataclass(frozen=True)
class PairedTest:
    """Comparison of two models on held-out blocks.

    Attributes
    ----------
    gain : float
        Fall of the held-out squared error from the first model to the second, a fraction.
    log_ratio, standard_error : float
        Mean over blocks of the logarithm of the first model's loss over the second's, and its standard error.
    p_value : float
        One-sided, of the hypothesis that the second model is no better on average over blocks.
    shared : float
        Factor by which neighbouring blocks raise the variance, at least 1.
    """

    gain: float
    log_ratio: float
    standard_error: float
    p_value: float
    shared: float


def paired_test(first: Array, second: Array, rows: Indices, columns: Indices, folds: int) -> PairedTest:
    """Test whether the second model loses less on held-out blocks.

    Parameters
    ----------
    first, second : ndarray, shape (B,)
        Held-out squared error of each block.
    rows, columns : ndarray of int64, shape (B,)
        Place of each block on the lattice of blocks: those that touch are neighbours.
    folds : int
        Folds that the blocks were dealt to.
    """
    total = float(first.sum())
    gain = 1.0 - float(second.sum()) / total if total > 0 else 0.0
    # A block that a model happens to meet exactly is not infinitely better than another.
    least = max(_LEAST * total / max(1, first.size), 1e-300)
    difference = np.log(np.maximum(first, least) / np.maximum(second, least))
    count = difference.size
    if count < 3 or not np.ptp(difference) > 0:
        return PairedTest(gain, 0.0, 0.0, 1.0, 1.0)
    centred = difference - difference.mean()
    near = np.maximum(np.abs(np.subtract.outer(rows, rows)), np.abs(np.subtract.outer(columns, columns))) == 1
    own = float(centred @ centred)
    shared = max(1.0, 1.0 + float(centred @ near @ centred) / own)
    reused = 1.0 + folds / (folds - 1.0)
    error = float(np.sqrt(own / (count - 1) / count * shared * reused))
    freedom = max(1.0, count / shared - 1.0)
    p_value = float(stats.t.sf(difference.mean() / error, freedom))
    return PairedTest(gain, float(difference.mean()), error, p_value, shared)
