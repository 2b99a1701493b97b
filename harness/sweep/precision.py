"""How well a cell's median is known from few repeats, and which repeats lie outside.

Three or four repeats say little about their own variance: a stopping rule that trusts them ends the cells that
happened to agree. The variance of a cell is therefore moderated by that of its peers (cells of the same tile and a
similar time), in the proportion that the data themselves support: the empirical Bayes estimate of Smyth,
"Linear models and empirical Bayes methods for assessing differential expression" (Stat. Appl. Genet. Mol. Biol.
3(1), 2004), section 3 and equation of the posterior variance there.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from harness.sweep.cells import Rows

Array = NDArray[np.float64]

_PEERS = 200
"""Cells of one tile that share a prior, at least: fewer make a prior of their own uncertain."""

_MOST_PRIOR = 100.0
"""Largest weight of the peers, in degrees of freedom: where all variances agree, the estimate is unbounded."""

_UNLIKE = 1e-3
"""Probability below which a variance is not of the peers' law (after the robust form of Phipson et al., Ann. Appl.
Stat. 10(2), 2016, here with a sharp limit)."""

_LEAST_PRIOR = 0.1
"""Smallest weight: where the variances have nothing in common."""

_FEWEST = 8
"""Cells with the same number of repeats whose quartiles are worth looking at."""


@dataclass(frozen=True)
class Precision:
    """Scatter of the repeats of every cell, relative to its time.

    Attributes
    ----------
    scatter : ndarray of float64, shape (n,)
        Moderated standard deviation of one repeat; NaN without a repeat or any peer with two.
    error : ndarray of float64, shape (n,)
        Standard error of the median.
    outliers : ndarray of int64, shape (n,)
        Repeats beyond the threshold.
    prior_weight : float
        Degrees of freedom that the peers count for.
    """

    scatter: Array
    error: Array
    outliers: NDArray[np.int64]
    prior_weight: float


def precision(repeats: Array, tile: Rows, threshold: float) -> Precision:
    """Estimate the scatter and the error of every cell.

    Parameters
    ----------
    repeats : ndarray of float64, shape (n, repeat)
        Seconds; NaN where a cell has fewer.
    tile : ndarray of int64, shape (n,)
        Tile of every cell: peers share it.
    threshold : float
        Distance from the median, in robust standard deviations, beyond which a repeat is an outlier.
    """
    with warnings.catch_warnings():
        # A row without any repeat has no median: NaN is the answer, not a reason to warn.
        warnings.simplefilter("ignore", RuntimeWarning)
        center = np.nanmedian(repeats, axis=1)
        relative = repeats / center[:, None] - 1.0
        own = 1.4826 * np.nanmedian(np.abs(relative), axis=1)
    count = np.isfinite(repeats).sum(axis=1)
    peers = _peers(center, tile)
    pooled = _pooled_scale(relative, count, peers)
    limit = threshold * np.fmax(own, pooled)
    outliers = (np.abs(relative) > limit[:, None]).sum(axis=1)
    # An outlier enters the variance at the limit: it asks for more repeats, not for all there are.
    clipped = np.clip(relative, -limit[:, None], limit[:, None])
    freedom = np.maximum(count - 1, 0).astype(np.float64)
    mean = np.nansum(clipped, axis=1) / np.maximum(count, 1)
    squares = np.nansum((clipped - mean[:, None]) ** 2, axis=1)
    variance = np.divide(squares, freedom, out=np.full(squares.shape, np.nan), where=freedom > 0)
    weight = _prior_weight(variance, freedom, pooled)
    prior = pooled**2
    # A cell unlike its peers (two clocks, a neighbour's work) is not talked down by them: it speaks for itself.
    unlike = special.fdtrc(np.maximum(freedom, 1.0), weight, variance / np.maximum(prior, np.finfo(float).tiny))
    borrowed = np.where(unlike < _UNLIKE, 0.0, weight)
    moderated = (borrowed * prior + squares) / (borrowed + freedom)
    scatter = np.where(count > 0, np.sqrt(moderated), np.nan)
    error = np.sqrt(median_variance(np.maximum(count, 1))) * scatter
    return Precision(scatter, error, outliers.astype(np.int64), weight)


def median_variance(count: NDArray[np.int64]) -> Array:
    """Variance of the median of so many normal values of variance 1.

    The asymptotic pi / 2n with n shifted, which simulation shows to be right within 2 % from three values on; of
    one and of two values it is the mean's, 1 and 1/2.
    """
    shifted = np.pi / 2 / (count + np.where(count % 2, 0.48, 1.3))
    return np.where(count <= 2, 1.0 / np.maximum(count, 1), shifted)


def _peers(center: Array, tile: Rows) -> NDArray[np.int64]:
    """Group the cells of a tile by time, at least :data:`_PEERS` in a group; shape (n,)."""
    groups = np.zeros(center.size, dtype=np.int64)
    following = 0
    for number in np.unique(tile):
        rows = np.flatnonzero(tile == number)
        parts = min(10, max(1, rows.size // _PEERS))
        ranks = np.argsort(np.argsort(center[rows], kind="stable"), kind="stable")
        groups[rows] = following + ranks * parts // rows.size
        following += parts
    return groups


def _pooled_scale(relative: Array, count: NDArray[np.int64], peers: NDArray[np.int64]) -> Array:
    """Robust standard deviation of one repeat in every cell's group; shape (n,).

    The median over a group of the cells' sums of squares, each over the median of its own chi-squared law, so that
    a few disturbed cells do not count. Where most cells agree to the tick of the clock that median is 0,
    which is no scale: the mean takes its place.
    """
    squares = np.nansum((relative - _row_mean(relative, count)[:, None]) ** 2, axis=1)
    usable = count >= 2
    expected = stats.chi2.median(np.maximum(count - 1, 1))
    ratio = np.where(usable, squares / expected, np.nan)

    def of(rows: NDArray[np.bool_]) -> float:
        middle = float(np.median(ratio[rows]))
        return float(np.sqrt(middle if middle > 0 else squares[rows].sum() / (count[rows] - 1).sum()))

    scale = np.full(relative.shape[0], of(usable) if usable.any() else np.nan)
    for group in np.unique(peers[usable]):
        rows = peers == group
        scale[rows] = of(rows & usable)
    return scale


def _row_mean(values: Array, count: NDArray[np.int64]) -> Array:
    return np.asarray(np.nansum(values, axis=1) / np.maximum(count, 1))


def _prior_weight(variance: Array, freedom: Array, pooled: Array) -> float:
    """Find the prior's degrees of freedom d0 from how much the cells' variances differ.

    A variance with d degrees of freedom over its peers' follows F(d, d0) (Smyth, section 3). The variance of its
    logarithm is decided by a few disturbed cells, so the interquartile range is matched, with its exact value.
    """
    usable = (freedom >= 1) & (variance > 0) & (pooled > 0)
    logs = np.log(variance[usable] / pooled[usable] ** 2)
    kinds, kind, sizes = np.unique(freedom[usable], return_inverse=True, return_counts=True)
    share = np.where(sizes >= _FEWEST, sizes, 0)
    if not share.any():
        return _MOST_PRIOR
    found = [np.subtract(*np.percentile(logs[kind == i], [75, 25])) for i in range(kinds.size)]
    observed = float(np.average(found, weights=share))

    def expected(weight: float) -> float:
        upper, lower = special.fdtri(kinds, weight, 0.75), special.fdtri(kinds, weight, 0.25)
        return float(np.average(np.log(upper / lower), weights=share))

    low, high = _LEAST_PRIOR, _MOST_PRIOR
    if observed <= expected(high):
        return _MOST_PRIOR
    for _ in range(40):  # the range falls with the weight: bisect on its logarithm
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if expected(middle) > observed else (low, middle)
    return float(np.sqrt(low * high))
