"""Local ruggedness: how far throughput departs from what its neighbours along an axis foretell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.errors import NotApplicableError

Array = NDArray[np.float64]

AXES = {"M": -3, "N": -2, "K": -1}
REACH = 2
"""Neighbours on each side: a cubic through four points follows the rise of a smooth landscape."""

DEFINITION = "departure of log throughput from the cubic through its four neighbours along an axis"


def misfit(log_rate: Array, sizes: NDArray[np.int64], axis: str) -> Array:
    """Departure of every cell from the cubic, in log size, through two neighbours on each side.

    A mean of steps (paper, section 2.3) counts the rise of a smooth landscape too, which is the larger the smaller
    the shapes. The cubic takes the rise away: what is left of a smooth landscape is nearly nothing.

    Parameters
    ----------
    log_rate : ndarray, shape (..., M, N, K)
        Logarithm of throughput; NaN where not measured.
    sizes : ndarray of int64
        Sizes along the axis, elements.
    axis : {"M", "N", "K"}

    Returns
    -------
    ndarray, shape of ``log_rate``
        NaN for the two outermost cells at either end.

    Raises
    ------
    NotApplicableError
        If the axis has fewer than five sizes.
    """
    place = AXES[axis]
    if sizes.size < 2 * REACH + 1:
        raise NotApplicableError(f"{axis} has {sizes.size} sizes, and five are needed: measure more of them")
    x = np.log(sizes.astype(np.float64))
    window = np.arange(sizes.size - 2 * REACH)
    offsets = (0, 1, 3, 4)
    lines = np.moveaxis(log_rate, place, 0)
    inner = lines[REACH:-REACH].copy()
    tail = (-1,) + (1,) * (lines.ndim - 1)
    for offset in offsets:
        weight = np.ones(window.size)
        for other in offsets:
            if other != offset:
                weight *= (x[window + REACH] - x[window + other]) / (x[window + offset] - x[window + other])
        inner -= weight.reshape(tail) * lines[window + offset]
    out = np.full(lines.shape, np.nan)
    out[REACH:-REACH] = inner
    return np.asarray(np.moveaxis(out, 0, place))
