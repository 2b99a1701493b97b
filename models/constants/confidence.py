"""Confidence sets of discrete constants: the candidates that no other refutes.

Each candidate is tested as the best of all: it is refuted where some rival explains the timings better by more than
resampling the blocks makes likely. That is the test for superior predictive ability of Hansen (Journal of Business
and Economic Statistics 23, 2005), turned around once for every candidate, as in the model confidence set of Hansen,
Lunde and Nason (Econometrica 79, 2011); the statistic of a pair is Vuong's (Econometrica 57, 1989), with blocks of
neighbouring shapes, which share their lack of fit, as the sampling unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DRAWS = 400
LEVEL = 0.95

_ROUNDING = 1e-9
"""Logarithms of losses this close are equal but for rounding."""


def unrefuted(losses: Sequence[Array], rng: np.random.Generator, level: float = LEVEL) -> NDArray[np.bool_]:
    """Find the candidates that no other refutes.

    Parameters
    ----------
    losses : sequence over tiles of ndarray, shape (c, B)
        Squared relative error of c candidates by block. The logarithms of the sums of several tiles are added;
        blocks are resampled for all tiles together.
    rng : numpy.random.Generator
    level : float
        Least probability that the best candidate is in the set.

    Returns
    -------
    ndarray of bool, shape (c,)
        At least one is true.
    """
    n_blocks = max(loss.shape[1] for loss in losses)
    weights = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=DRAWS).astype(np.float64)
    found = np.zeros(losses[0].shape[0])
    drawn = np.zeros((found.size, DRAWS))
    for loss in losses:
        # A tile that was not measured in the last blocks loses nothing there.
        full = np.pad(loss, ((0, 0), (0, n_blocks - loss.shape[1])))
        found += np.log(np.maximum(full.sum(axis=1), 1e-300))
        drawn += np.log(np.maximum(full @ weights.T, 1e-300))
    kept = np.empty(found.size, dtype=np.bool_)
    for index in range(found.size):
        worse = found[index] - found
        scatter = (drawn[index] - drawn) - worse[:, np.newaxis]
        error = scatter.std(axis=1)
        apart = error > _ROUNDING
        if not apart.any():
            kept[index] = worse.max() <= _ROUNDING
            continue
        statistic = float((worse[apart] / error[apart]).max())
        null = (scatter[apart] / error[apart, np.newaxis]).max(axis=0)
        kept[index] = statistic <= float(np.quantile(null, level)) and worse[~apart].max(initial=0.0) <= _ROUNDING
    kept[int(np.argmin(found))] = True
    return kept
