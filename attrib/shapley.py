"""Exact Shapley values: a total shared among players by what each adds to every coalition."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError


def coalitions(players: int) -> NDArray[np.bool_]:
    """Membership of every coalition in the order that `shapley_values` expects.

    Parameters
    ----------
    players : int
        Number of players n, at least 0.

    Returns
    -------
    numpy.ndarray of bool, shape (2**n, n)
        Row s holds the bits of s: player i belongs to coalition s where bit i of s is set. Row 0 is empty,
        the last row is everyone.
    """
    codes = np.arange(1 << players, dtype=np.int64)
    bits = (codes[:, np.newaxis] >> np.arange(players, dtype=np.int64)) & 1
    return bits.astype(np.bool_)


def shapley_values(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley value of every player, exactly, from the worth of all coalitions.

    Player i receives the weighted mean over coalitions S without i of worth(S + i) - worth(S), with weight
    |S|! (n - 1 - |S|)! / n! (L. S. Shapley, "A value for n-person games", 1953). The values add up to
    worth(all) - worth(none); they carry the unit of `worth`, and can be negative.

    Parameters
    ----------
    worth : numpy.ndarray of float64, shape (2**n, ...)
        Worth of each coalition, indexed by its bits (`coalitions`); trailing dimensions (bootstrap draws,
        cells) are games of their own.

    Returns
    -------
    numpy.ndarray of float64, shape (n, ...)
        One value a player; NaN where a worth is NaN.

    Raises
    ------
    InputError
        If the first dimension is no power of two.
    """
    count = worth.shape[0] if worth.ndim else 0
    players = count.bit_length() - 1
    if count < 1 or count != 1 << players:
        raise InputError(f"worth needs one row for each of 2**n coalitions, got shape {worth.shape}")
    trailing = worth.shape[1:]
    values = np.empty((players, *trailing), dtype=np.float64)
    if players == 0:
        return values
    others = coalitions(players - 1).sum(axis=1)
    by_size = np.array([1.0 / (players * comb(players - 1, size)) for size in range(players)])
    weights = by_size[others]
    for player in range(players):
        halves = worth.reshape(1 << (players - 1 - player), 2, 1 << player, *trailing)
        added = (halves[:, 1] - halves[:, 0]).reshape(weights.size, *trailing)
        values[player] = np.tensordot(weights, added, axes=(0, 0))
    return values
