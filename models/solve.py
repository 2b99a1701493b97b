"""Non-negative least squares from Gram matrices: one problem, or many small ones at once.

The active-set algorithm of Lawson & Hanson (1974) on the normal equations (Bro & de Jong 1997), on columns of unit
length. A column that is a combination of those already free stays at zero: no other solution predicts better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compiled import njit

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_PIVOT = 1e-10
"""A scaled column whose square not explained by the others is below this is taken as one of their combinations."""

_TOLERANCE = 1e-10
_STEEPER = 1.0 + 1e-9
"""Of slopes that differ by less rounding decides: the column that comes first is taken."""


def solve_nonnegative(gram: Array, moment: Array) -> Array:
    """Minimise theta' G theta - 2 h' theta over theta >= 0.

    Parameters
    ----------
    gram : ndarray, shape (p, p)
    moment : ndarray, shape (p,)

    Returns
    -------
    ndarray, shape (p,)
        Columns that are zero get 0.
    """
    theta = np.zeros(moment.size)
    solve_in_place(np.ascontiguousarray(gram, dtype=np.float64), moment.astype(np.float64), theta)
    return theta


@njit
def solve_in_place(gram: Array, moment: Array, theta: Array) -> None:
    """Solve for ``theta``, zero at first; the arguments are those of :func:`solve_nonnegative`."""
    p = moment.size
    inverse, scaled, right = np.zeros(p), np.empty((p, p)), np.empty(p)
    for j in range(p):
        if gram[j, j] > 0.0:
            inverse[j] = 1.0 / np.sqrt(gram[j, j])
    for i in range(p):
        right[i] = moment[i] * inverse[i]
        for j in range(p):
            scaled[i, j] = gram[i, j] * inverse[i] * inverse[j]
    _solve_one(scaled, right, theta)
    for j in range(p):
        theta[j] *= inverse[j]


def solve_batch(grams: Array, moments: Array) -> Array:
    """Minimise theta' G_f theta - 2 h_df' theta over theta >= 0 for every draw d and fold f.

    Parameters
    ----------
    grams : ndarray, shape (F, p, p)
    moments : ndarray, shape (D, F, p)

    Returns
    -------
    ndarray, shape (D, F, p)
    """
    scale = np.sqrt(np.einsum("fii->fi", grams))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = np.ascontiguousarray(grams * inverse[:, :, None] * inverse[:, None, :])
    right = np.ascontiguousarray(moments * inverse)
    return np.asarray(_solve_all(scaled, right) * inverse)


@njit
def _solve_all(grams: Array, moments: Array) -> Array:
    draws, folds, p = moments.shape
    out = np.zeros((draws, folds, p))
    for draw in range(draws):
        for fold in range(folds):
            _solve_one(grams[fold], moments[draw, fold], out[draw, fold])
    return out


@njit
def _solve_one(gram: Array, moment: Array, theta: Array) -> None:
    p = moment.size
    # 0: at the bound; 1: free; 2: a combination of those that are free.
    state = np.zeros(p, dtype=np.int64)
    for j in range(p):
        if gram[j, j] <= 0.0:
            state[j] = 2
    size = 0.0
    for j in range(p):
        size = max(size, abs(moment[j]))
    places = np.empty(p, dtype=np.int64)
    root = np.empty((p, p))
    trial = np.empty(p)
    for _ in range(6 * p + 10):
        best, steepest = -1, _TOLERANCE * size
        for j in range(p):
            if state[j] == 0:
                slope = moment[j]
                for i in range(p):
                    slope -= gram[j, i] * theta[i]
                if slope > steepest * _STEEPER:
                    best, steepest = j, slope
        if best < 0:
            return
        state[best] = 1
        while True:
            count = 0
            for j in range(p):
                if state[j] == 1:
                    places[count] = j
                    count += 1
            bad = _cholesky_solve(gram, moment, places, count, root, trial)
            if bad >= 0:
                # The newcomer is (nearly) a combination of the others.
                state[best] = 2
                theta[best] = 0.0
                if state[places[bad]] == 1 and places[bad] != best and theta[places[bad]] == 0.0:
                    state[places[bad]] = 2
                break
            step, first = 1.0, -1
            for i in range(count):
                if trial[i] <= 0.0:
                    now = theta[places[i]]
                    share = now / (now - trial[i]) if now > trial[i] else 0.0
                    if share < step:
                        step, first = share, places[i]
            for i in range(count):
                j = places[i]
                theta[j] += step * (trial[i] - theta[j])
                if j == first or (first >= 0 and theta[j] < 0.0):
                    theta[j] = 0.0
                    state[j] = 0
            if first < 0:
                break
            if state[best] == 0:
                # It came in and went out at once: rounding decides, and the bound is as good.
                state[best] = 2
                break


@njit
def _cholesky_solve(gram: Array, moment: Array, places: Indices, count: int, root: Array, out: Array) -> int:
    """Solve the free part; return the place whose pivot is too small, or -1."""
    for i in range(count):
        for j in range(i + 1):
            value = gram[places[i], places[j]]
            for k in range(j):
                value -= root[i, k] * root[j, k]
            if i == j:
                if value <= _PIVOT:
                    return i
                root[i, i] = np.sqrt(value)
            else:
                root[i, j] = value / root[j, j]
    for i in range(count):
        value = moment[places[i]]
        for k in range(i):
            value -= root[i, k] * out[k]
        out[i] = value / root[i, i]
    for i in range(count - 1, -1, -1):
        value = out[i]
        for k in range(i + 1, count):
            value -= root[k, i] * out[k]
        out[i] = value / root[i, i]
    return -1
