"""Confidence sets of discrete constants: which candidates win when blocks are resampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Candidate = TypeVar("Candidate", int, float)

DRAWS = 400
LEVEL = 0.95
_TIE = 1e-9
"""Criteria (logarithms of a loss) this close are equal but for rounding."""


def winning_set(
    tables: Sequence[Sequence[tuple[NDArray[np.float64], float]]],
    candidates: Sequence[Candidate],
    rng: np.random.Generator,
) -> tuple[Candidate, ...]:
    """Smallest set of candidates that together win 95 % of block-bootstrap draws.

    Parameters
    ----------
    tables : sequence over tiles of sequences over candidates of (loss, penalty)
        Squared relative error by block, shape (B,) or shorter, and the penalty added to the logarithm of its
        sum. The criteria of several tiles are added.
    candidates : sequence
        The values that the rows stand for.
    rng : numpy.random.Generator

    Returns
    -------
    tuple
        Sorted.
    """
    n_blocks = max(loss.size for table in tables for loss, _ in table)
    weights = rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=DRAWS).astype(np.float64)
    total = np.zeros((len(candidates), DRAWS))
    for table in tables:
        # A tile that was not measured in the last blocks loses nothing there.
        losses = np.stack([np.pad(loss, (0, n_blocks - loss.size)) for loss, _ in table])
        penalties = np.array([penalty for _, penalty in table])
        total += np.log(np.maximum(losses @ weights.T, 1e-300)) + penalties[:, None]
    # Candidates that the samples cannot tell apart share a win: none of them is preferred for its place.
    tied = total <= total.min(axis=0) + _TIE
    wins = (tied / tied.sum(axis=0)).mean(axis=1)
    order = np.argsort(-wins, kind="stable")
    enough = int(np.searchsorted(np.cumsum(wins[order]), LEVEL - 1e-12)) + 1
    return tuple(sorted(candidates[int(i)] for i in order[:enough]))
