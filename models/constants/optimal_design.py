"""Greedy optimal designs: shapes that set rivals apart, or that hold the most information on coefficients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.constants.constant import Shape
from models.constants.granules import BAND, GRANULES
from models.constants.shape_pools import Pool

Array = NDArray[np.float64]

_FLOOR = 1e-6
"""Squared distance, of the largest, that two rivals have before any shape sets them apart."""
_SHORT = 64
"""Most elements of N by which a neighbour falls short of whole tiles."""
_RIDGE = 1e-6
"""Information on every cost, of what one shape at its largest holds, before any is measured."""


def farthest(
    reference: Shape, element: int, axis: int, atom: int, unit: int, pairs: Array, taken: set[Shape]
) -> Shape | None:
    """Choose the neighbour along an axis that tells most of the alignments told least so far; adds to ``pairs``.

    Neighbours lie less than a tile below a multiple of 256, all of them ragged in N, so that an edge tells them
    apart as little as may be.

    Parameters
    ----------
    reference : tuple of int
        What neighbours are compared with.
    element : int
        Bytes per element.
    axis : int
        0, 1 or 2 for M, N or K.
    atom : int
        Neighbours cut an atom of so many elements where the reference does, and nowhere else.
    unit : int
        Elements that the size has to be a multiple of.
    pairs : ndarray, shape (c + 1, c + 1)
        Squared distances between rivals so far.
    taken : set of shapes
    """
    best, gain, kept = None, 1e-9, pairs
    here = _misses(reference[axis], element)
    top = -(-reference[axis] // BAND) * BAND
    steps = {max(1, granule // element) for granule in GRANULES}
    if axis != 2:
        steps = {step for step in steps | {3 * step for step in steps} if step <= _SHORT}
    for step in sorted(steps):
        moved = list(reference)
        moved[axis] = top - step
        shape = (moved[0], moved[1], moved[2])
        cut = (moved[axis] % atom == 0) != (reference[axis] % atom == 0)
        if moved[axis] < 1 or moved[axis] % unit or shape in taken or cut:
            continue
        effect = _misses(moved[axis], element) - here
        trial = pairs + (effect[:, None] - effect) ** 2
        value = float(np.log(trial + 0.1).sum() - np.log(pairs + 0.1).sum())
        if value > gain:
            best, gain, kept = shape, value, trial
    pairs[:] = kept
    return best


def _misses(size: int, element: int) -> Array:
    """Whether a row of so many elements misses each candidate; last, the rival that nothing matters."""
    return np.array([*(float(size * element % granule != 0) for granule in GRANULES), 0.0])


def apart_rivals(pool: Pool, scores: Sequence[Array], n: int, taken: set[Shape]) -> tuple[Shape, ...]:
    """Choose shapes greedily where rivals' predictions lie apart: (rivals, pool) relative times of each tile."""
    count = scores[0].shape[0]
    first, second = np.triu_indices(count, 1)
    apart = np.sum([(score[first] - score[second]) ** 2 for score in scores], axis=0)
    apart /= max(float(apart.max(initial=0.0)), 1e-300)
    free = np.array([tuple(map(int, shape)) not in taken for shape in pool], dtype=np.bool_)
    reached = np.full(first.size, _FLOOR)
    chosen: list[Shape] = []
    while len(chosen) < n and free.any():
        gain = np.log(reached[:, None] + apart).sum(axis=0)
        gain[~free] = -np.inf
        index = int(np.argmax(gain))
        free &= ~(pool == pool[index]).all(axis=1)
        reached = reached + apart[:, index]
        m, width, k = (int(size) for size in pool[index])
        chosen.append((m, width, k))
    return tuple(chosen)


def informative(
    pool: Pool, rows: Sequence[Array], information: Sequence[Array], n: int, taken: set[Shape]
) -> tuple[Shape, ...]:
    """Choose shapes greedily by the determinant of the information, all tiles together."""
    inverses = [np.linalg.inv(known + _RIDGE * np.eye(known.shape[0])) for known in information]
    free = np.array([tuple(map(int, shape)) not in taken for shape in pool], dtype=np.bool_)
    chosen: list[Shape] = []
    while len(chosen) < n and free.any():
        gain = np.sum(
            [np.log1p(np.einsum("ij,jk,ik->i", x, a, x)) for x, a in zip(rows, inverses, strict=True)], axis=0
        )
        gain[~free] = -np.inf
        index = int(np.argmax(gain))
        free &= ~(pool == pool[index]).all(axis=1)
        for place, x in enumerate(rows):
            step = inverses[place] @ x[index]
            inverses[place] = inverses[place] - np.outer(step, step) / (1.0 + x[index] @ step)
        m, width, k = (int(size) for size in pool[index])
        chosen.append((m, width, k))
    return tuple(chosen)
