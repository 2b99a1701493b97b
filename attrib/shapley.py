"""Shapley values: a total shared among players by what each adds to coalitions of the others.

Exact from all coalitions, or, where players are many, sampled over orders in which they join.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class ShapleySample:
    """Shapley values as weighted worths of the coalitions that some orders of the players pass through.

    Attributes
    ----------
    codes : numpy.ndarray of int64, shape (c,)
        Coalitions by their bits; the first is empty, the last is everyone.
    weights : numpy.ndarray of float64, shape (pairs, n, c)
        Value of each player by each pair of orders: what it adds on the way, averaged over the two.
    """

    codes: NDArray[np.int64]
    weights: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Weights of the estimate, shape (n, c): they add up to worth(all) - worth(none) over the players."""
        return np.asarray(self.weights.mean(axis=0))

    def standard_error(self, worth: NDArray[np.float64]) -> NDArray[np.float64]:
        """Monte-Carlo standard error of each player's value, shape (n, ...), from ``worth`` (c, ...)."""
        values = np.tensordot(self.weights, worth, axes=1)
        pairs = values.shape[0]
        return np.asarray(values.std(axis=0, ddof=1) / np.sqrt(pairs))


def exact_sample(players: int) -> ShapleySample:
    """All coalitions, with the weights of the exact value: one "pair" without an error of its own."""
    return ShapleySample(np.arange(1 << players, dtype=np.int64), shapley_values(np.eye(1 << players))[np.newaxis])


def antithetic_sample(players: int, pairs: int, rng: np.random.Generator) -> ShapleySample:
    """Sample orders of the players in pairs, each order with its reverse.

    A player that joins late in an order joins early in its reverse, so that what depends on the size of the
    coalition cancels in a pair (antithetic variates: R. Mitchell et al., "Sampling permutations for Shapley value
    estimation", 2022).

    Parameters
    ----------
    players : int
        Number of players n, at least 1.
    pairs : int
        At least 2, so that the error can be told.
    rng : numpy.random.Generator

    Raises
    ------
    InputError
        If there are too few players or pairs.
    """
    if players < 1 or pairs < 2:
        raise InputError(f"sampling orders needs a player and two pairs of orders, got {players} and {pairs}")
    forward = rng.permuted(np.tile(np.arange(players), (pairs, 1)), axis=1)
    orders = np.stack([forward, forward[:, ::-1]], axis=1)
    joined = np.cumsum(1 << orders.astype(np.int64), axis=2)
    passed = np.concatenate([np.zeros((pairs, 2, 1), dtype=np.int64), joined], axis=2)
    codes, places = np.unique(passed, return_inverse=True)
    places = places.reshape(passed.shape)
    weights = np.zeros((pairs, players, codes.size))
    pair = np.arange(pairs)[:, np.newaxis, np.newaxis]
    np.add.at(weights, (pair, orders, places[..., 1:]), 0.5)
    np.add.at(weights, (pair, orders, places[..., :-1]), -0.5)
    return ShapleySample(codes, weights)
