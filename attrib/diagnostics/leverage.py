"""Leverage: which cells a fit leans on.

The hat values of the weighted design say how much of its own time each cell decides. They add up to the number of
coefficients that are not at their bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Leverage:
    """Hat values of one tile.

    Attributes
    ----------
    values : ndarray, shape (n,)
        In [0, 1].
    largest : ndarray of int64
        The ten cells with the largest, in that order.
    by_edge : mapping of str to (float, float)
        For the smallest and the largest size of each axis, as ``"smallest M"``: their share of all leverage, and
        their share of the cells.
    half : float
        Share of the cells that together hold half of the leverage.
    """

    values: Array
    largest: NDArray[np.int64]
    by_edge: dict[str, tuple[float, float]]
    half: float


def leverage(weighted: Array, M: NDArray[np.int64], N: NDArray[np.int64], K: NDArray[np.int64]) -> Leverage:
    """Compute the leverage of every cell.

    Parameters
    ----------
    weighted : ndarray, shape (n, p)
        Columns over the measured time, of the coefficients that are not at their bound.
    M, N, K : ndarray of int64, shape (n,)
    """
    norm = np.linalg.norm(weighted, axis=0)
    left, sizes, _ = np.linalg.svd(weighted[:, norm > 0] / norm[norm > 0], full_matrices=False)
    values = np.asarray((left[:, sizes > 1e-10 * sizes.max(initial=0.0)] ** 2).sum(axis=1))
    order = np.argsort(-values, kind="stable")
    total = max(float(values.sum()), 1e-300)
    by_edge = {}
    for name, axis in zip("MNK", (M, N, K), strict=True):
        for end, size in (("smallest", axis.min()), ("largest", axis.max())):
            inside = axis == size
            by_edge[f"{end} {name}"] = float(values[inside].sum()) / total, float(inside.mean())
    enough = int(np.searchsorted(np.cumsum(values[order]), 0.5 * total)) + 1
    return Leverage(values, order[:10].astype(np.int64), by_edge, min(1.0, enough / values.size))
