"""Replay: what a plan takes when other timings decide than those it was made on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrib.stages import RUN, UNAVAILABLE, Decisions
from harness.compiled import njit

Array = NDArray[np.float64]


def replay(decisions: Decisions, time: Array) -> Array:
    """Time of every planned shape by the given timings.

    A choice among noisy times is partly a choice of lucky ones: only timings that it has not seen tell what it
    gains.

    Parameters
    ----------
    decisions : Decisions
        Made on one set of timings.
    time : ndarray, shape (tile, M, N, K)
        Another set, seconds; NaN where not measured.

    Returns
    -------
    ndarray, shape (M, N, K)
        Seconds; NaN where not available.
    """
    out = np.full(decisions.tile.shape, np.nan)
    _replay_in_order(
        decisions.action.ravel(),
        decisions.tile.ravel(),
        decisions.target.ravel(),
        decisions.part.ravel(),
        np.ascontiguousarray(time).reshape(time.shape[0], -1),
        np.array([out.strides[axis] // out.itemsize for axis in range(3)]),
        np.array(out.shape),
        out.reshape(-1),
    )
    return out


@njit
def _replay_in_order(
    action: NDArray[np.int8],
    tile: NDArray[np.int16],
    target: NDArray[np.int32],
    part: NDArray[np.int32],
    time: Array,
    stride: NDArray[np.int64],
    shape: NDArray[np.int64],
    out: Array,
) -> None:
    """Fill ``out``; both parts of a split are smaller along its axis and therefore come before it."""
    for cell in range(out.size):
        kind = action[cell]
        if kind == UNAVAILABLE:
            continue
        if kind == RUN:
            out[cell] = time[tile[cell], target[cell]]
            continue
        step = stride[kind - 1]
        index = (cell // step) % shape[kind - 1]
        first = part[cell]
        second = index - first - 1
        out[cell] = out[cell - (index - first) * step] + out[cell - (index - second) * step]
