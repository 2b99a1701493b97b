"""Run-to-run noise: a deterministic function of seed, session, cell and repeat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

LEAST_CV, MOST_CV = 0.0004, 0.0010
"""Coefficient of variation of repeats within one session (paper, Table 12), between which cells differ."""

SESSION_CV = 0.004
"""Relative spread between sessions: the paper's sessions differ by 0.5 to 1.6 % on the same shape."""


def noise_factor(
    cells: NDArray[np.int64], repeat: NDArray[np.int64] | int, seed: int, session: int | None = None
) -> NDArray[np.float64]:
    """Return the factor by which a timing differs from the noise-free one.

    Parameters
    ----------
    cells : ndarray of int64, shape (n, c)
        Numbers that identify each cell (tile, M, N, K).
    repeat : ndarray of int64, shape (n,), or int
        Number of the repeat.
    seed : int
        Seed.
    session : int, optional
        With a number, the whole session is off by a factor of its own, too.

    Returns
    -------
    ndarray of float64, shape (n,)
        Positive factors with mean 1.
    """
    key = _mixed(np.full(cells.shape[0], seed, dtype=np.int64), 0x51)
    for column in cells.T:
        key = _mixed(column, key)
    variation = LEAST_CV + (MOST_CV - LEAST_CV) * _uniform(_mixed(np.zeros_like(column), key))
    draw = _mixed(np.broadcast_to(np.asarray(repeat, dtype=np.int64), key.shape) + 1, key)
    if session is not None:
        draw = _mixed(np.full_like(column, session), draw)
    factor = 1.0 + variation * ndtri(_uniform(draw))
    if session is not None:
        own = _mixed(np.array([session], dtype=np.int64), _mixed(np.array([seed], dtype=np.int64), 0xA7))
        factor = factor * (1.0 + SESSION_CV * ndtri(_uniform(own)))
    return np.asarray(factor, dtype=np.float64)


def _mixed(values: NDArray[np.int64], state: NDArray[np.uint64] | int) -> NDArray[np.uint64]:
    """Mix integers into a 64-bit state: the finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1) + np.asarray(state, np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def _uniform(key: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turn 64-bit keys into numbers inside (0, 1)."""
    return (np.asarray(key >> np.uint64(11), dtype=np.float64) + 0.5) / 2.0**53
