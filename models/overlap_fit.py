"""Fit of costs that overlap, by turns: what each launch counts of computing and of memory, and what these cost.

The law of :mod:`models.overlap` is homogeneous, so with each part scaled by its derivative it is a linear design.
A turn solves with the parts as scaled and scales by the costs that were found (Gauss-Newton; of max-affine
functions, Magnani & Boyd 2009). Turns find a local optimum: there may be several starts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit
from models.overlap import HARDLY_SHOWN, SHOWN, OverlapLaw, law_scales, parts_of
from models.solve import solve_in_place

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_TURNS = 25
_SETTLED = 1e-6
"""Largest change of a scale after which the turns have arrived."""
_NEITHER, _COMPUTING, _MOVING = 0, 1, 2


def fit_overlap(
    matrix: Array,
    time: Array,
    resources: Sequence[str],
    starts: Sequence[NDArray[np.bool_] | Array],
    law: OverlapLaw,
) -> tuple[Array, float]:
    """Fit memory costs that overlap with computing to relative errors.

    Parameters
    ----------
    matrix : ndarray, shape (n, p)
    time : ndarray, shape (n,)
        Seconds.
    resources : sequence of str, length p
    starts : sequence of ndarray
        Cells first taken as waiting for memory alone, the others for computing, of shape (n,); or what each cell
        counts at first, of shape (2, n).
    law : OverlapLaw

    Returns
    -------
    theta : ndarray, shape (p,)
        Best coefficients met on the way from any start.
    loss : float
        Their sum of squared relative residuals.
    """
    kinds = np.full(matrix.shape[1], _NEITHER)
    moving, computing = parts_of(resources)
    kinds[moving], kinds[computing] = _MOVING, _COMPUTING
    weighted = np.ascontiguousarray((matrix / time[:, None]).T)
    waves = law.waves
    best, least = np.zeros(kinds.size), np.inf
    for start in starts:
        scales = np.array(start if start.ndim == 2 else np.stack([1.0 - start, start]), dtype=np.float64)
        least = _turns(weighted, kinds, scales, law.power, waves, best, least)
    return best, float(least)


@njit
def _turns(
    weighted: Array, kinds: Indices, scales: Array, power: float, waves: Array, best: Array, least: float
) -> float:
    """Take turns from one start, ``scales``, which change; return the least loss so far and fill in its costs.

    ``weighted`` holds a column of the design a row, over the time: its scaled copies are one product away from
    their Gram matrix.
    """
    p, n = weighted.shape
    design, now, parts = weighted.copy(), np.empty((2, n)), np.empty((3, n))
    moment, theta = np.empty(p), np.empty(p)
    for _ in range(_TURNS):
        for j in range(p):
            if kinds[j] != _NEITHER:
                _scale(weighted[j], scales[kinds[j] - 1], design[j])
            moment[j] = design[j].sum()
        theta[:] = 0.0
        solve_in_place(np.dot(design, design.T), moment, theta)
        parts[:] = 0.0
        for j in range(p):
            if theta[j] > 0.0:
                parts[kinds[j]] += theta[j] * weighted[j]
        law_scales(parts[_COMPUTING], parts[_MOVING], power, waves, now)
        loss, change = 0.0, 0.0
        for cell in range(n):
            shown = now[0, cell] * parts[_COMPUTING, cell] + now[1, cell] * parts[_MOVING, cell]
            loss += (1.0 - parts[_NEITHER, cell] - shown) ** 2
            for kind in range(2):
                change = max(change, abs(now[kind, cell] - scales[kind, cell]))
                scales[kind, cell] = now[kind, cell]
        if loss < least:
            least = loss
            best[:] = theta
        if change < _SETTLED:
            break
    return least


@njit
def _scale(column: Array, scale: Array, out: Array) -> None:
    """Scale a column; one that cells show next to nothing of is hidden, and left at zero."""
    most = most_shown = 0.0
    for cell in range(column.size):
        out[cell] = scale[cell] * column[cell]
        size = abs(column[cell])
        most = max(most, size)
        if scale[cell] >= SHOWN:
            most_shown = max(most_shown, size)
    if most_shown == 0.0 or most_shown < HARDLY_SHOWN * most:
        out[:] = 0.0
