"""How well a tile is told under each of several states of the hardware, its memory costs added or overlapping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.design import ALL_MECHANISMS, Design
from models.hardware import Hardware
from models.last_wave import LastWave
from models.overlap import LONGER, OverlapLaw, overlapped, scales_at, waits_for_memory
from models.overlap_fit import fit_overlap
from models.problem import Problem
from models.solve import solve_nonnegative
from models.term import Term

Array = NDArray[np.float64]

MOST_CELLS = 2048
"""Of a tile, where each state has its own designs; beyond it, cells are drawn at random."""
_WAITING = 0.2
"""Share of the cells, those of the least arithmetic intensity, that are first taken to wait for memory."""


def state_losses(
    problem: Problem,
    time: Array,
    blocks: NDArray[np.int64],
    states: Sequence[Hardware],
    terms: Sequence[Term],
    n_blocks: int,
) -> tuple[Array, Array]:
    """Refit a tile under each state.

    Parameters
    ----------
    problem : Problem
        Shapes of one tile, length n.
    time : ndarray, shape (n,)
        Seconds.
    blocks : ndarray of int64, shape (n,)
    states : sequence of Hardware
        Alike in cores and residencies.
    terms : sequence of Term
    n_blocks : int

    Returns
    -------
    best : ndarray, shape (states, B)
        Squared relative residuals by block, of memory costs that add or overlap, as fits better.
    added : ndarray, shape (states,)
        Sums of squares where they add.
    """
    weight = 1.0 / time[:, None]
    losses, added = np.empty((len(states), n_blocks)), np.empty(len(states))
    intensity = problem.flop / problem.footprint
    starts: list[NDArray[np.bool_] | Array] = [intensity < np.quantile(intensity, _WAITING)]
    waves = LastWave.of(problem, states[0], ALL_MECHANISMS)
    laws = [OverlapLaw(LONGER, last) for last in ((None, waves) if waves.work.any() else (None,))]
    for number, state in enumerate(states):
        design = Design.of(terms, problem.tile, state)
        matrix, resources = design.matrix(problem, state), design.resources(state)
        weighted = matrix * weight
        plain = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
        residual = 1.0 - weighted @ plain
        added[number] = residual @ residual
        begin = [*starts, waits_for_memory(matrix, plain, resources)]
        fits = [(law, *fit_overlap(matrix, time, resources, begin, law)) for law in laws]
        law, theta, loss = min(fits, key=lambda fit: fit[2])
        if loss < added[number]:
            residual = 1.0 - overlapped(weighted, theta, resources, law) @ theta
            # States that differ little overlap alike: the next begins where this one ended.
            starts = [scales_at(matrix, theta, resources, law)]
        losses[number] = np.bincount(blocks, residual**2, n_blocks)
    return losses, added
