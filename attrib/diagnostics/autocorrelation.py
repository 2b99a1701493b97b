"""Spatial autocorrelation of residuals: what neighbouring sizes have in common that the model misses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from models.inference.lattice import Lattice

Array = NDArray[np.float64]

LAGS = 8
_FEWEST_PAIRS = 20


@dataclass(frozen=True)
class Autocorrelation:
    """Autocorrelation of the residual of one tile.

    Attributes
    ----------
    moran : float or None
        Moran's I of the residual, median over K, between neighbours on (M, N): about 0 where they share nothing, 1
        where they are equal; ``None`` where too few cells have neighbours.
    p_value : float or None
        One-sided, of no autocorrelation, by the normal approximation (Cliff & Ord 1981). What the fit has absorbed
        is not counted, so that it errs to the side of no autocorrelation.
    by_lag : mapping of str to ndarray, shape (8,)
        Correlation of the residual between sizes so many ranks apart along M, N and K; NaN where there are too few
        pairs.
    """

    moran: float | None
    p_value: float | None
    by_lag: dict[str, Array]


def autocorrelation(
    residual: Array, M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64]
) -> Autocorrelation:
    """Measure autocorrelation on the lattice of sizes.

    Parameters
    ----------
    residual : ndarray, shape (n,)
    M, N, K : ndarray of int64, shape (n,)
    """
    lattice = Lattice.of(M, N, K)
    held = lattice.held.reshape(lattice.shape)
    table = np.where(held, lattice.spread_out(residual[:, None]).reshape(lattice.shape), np.nan)
    by_lag = {}
    for axis, name in enumerate("MNK"):
        moved = np.moveaxis(table, axis, 0)
        by_lag[name] = np.array([_correlation(moved[:-lag], moved[lag:]) for lag in range(1, LAGS + 1)])
    seen = held.any(axis=2)
    plane = np.full(seen.shape, np.nan)
    plane[seen] = np.nanmedian(table[seen], axis=1)
    return Autocorrelation(*_moran(plane), by_lag)


def _correlation(first: Array, second: Array) -> float:
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < _FEWEST_PAIRS:
        return float("nan")
    x, y = first[both], second[both]
    spread = float(np.sqrt(x.var() * y.var()))
    return float(np.mean((x - x.mean()) * (y - y.mean())) / spread) if spread > 0 else float("nan")


def _moran(plane: Array) -> tuple[float | None, float | None]:
    """Moran's I with rook neighbours, and the p-value of a positive one."""
    known = np.isfinite(plane)
    count = int(known.sum())
    across, down = known[:, 1:] & known[:, :-1], known[1:] & known[:-1]
    pairs = int(across.sum() + down.sum())
    if pairs < _FEWEST_PAIRS:
        return None, None
    z = np.where(known, plane - plane[known].mean(), 0.0)
    square = float((z**2).sum())
    if square <= 0:
        return None, None
    product = float((z[:, 1:] * z[:, :-1]).sum() + (z[1:] * z[:-1]).sum())
    weight = 2.0 * pairs
    moran = count / weight * 2.0 * product / square
    degree = np.zeros(plane.shape)
    degree[:, 1:] += across
    degree[:, :-1] += across
    degree[1:] += down
    degree[:-1] += down
    # Of symmetric weights of one: S1 = 2 S0, S2 = 4 sum of squared degrees.
    first, second = 2.0 * weight, 4.0 * float((degree**2).sum())
    mean = -1.0 / (count - 1)
    variance = (count**2 * first - count * second + 3.0 * weight**2) / ((count**2 - 1) * weight**2) - mean**2
    return moran, float(stats.norm.sf((moran - mean) / np.sqrt(variance)))
