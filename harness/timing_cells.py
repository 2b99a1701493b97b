"""Rows of timings gathered into cells: rows of the same shape and tile are repeats of one cell."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.cube import STATUS

_MOST_PADDING: Final = 8
# Of the rows of one cell the first of these decides: a wrong result taints it, one good timing is enough.
_PRECEDENCE: Final = ("wrong_result", "ok", "failed", "unsupported", "not_measured")


def number_cells(shapes: NDArray[np.int64], tile: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the distinct (M, N, K, tile) by first appearance; return also the first row of each."""
    cells = number_groups(pd.DataFrame(np.column_stack([shapes, tile])))
    first: NDArray[np.int64] = np.unique(cells, return_index=True)[1].astype(np.int64)
    return cells, first


def number_groups(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Number the distinct rows of a frame by first appearance; return the number of each row."""
    numbers = frame.groupby(list(frame.columns), sort=False).ngroup()
    return np.asarray(numbers, dtype=np.int64)


def summarize_cells(
    time: NDArray[np.float64],
    status: NDArray[np.int8],
    cells: NDArray[np.int64],
    count: int,
    order: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """Return time and status of each cell and, where rows repeat a cell, spread and repeats.

    Parameters
    ----------
    time, status : numpy.ndarray, shape (rows,)
        Seconds, and numbers of :data:`harness.cube.STATUS`.
    cells : numpy.ndarray of int64, shape (rows,)
        Number of the cell of each row.
    count : int
        Number of cells.
    order : numpy.ndarray or None, shape (rows,)
        Pass that each row belongs to; the order of the rows where None.
    """
    if count == time.size:
        return {"time": time, "status": status}
    rank = np.array([_PRECEDENCE.index(name) for name in STATUS])
    best = np.full(count, len(_PRECEDENCE))
    np.minimum.at(best, cells, rank[status])
    settled = np.array([STATUS[name] for name in _PRECEDENCE], dtype=np.int8)[best]
    kept = np.where(status == settled[cells], time, np.nan)
    center = _medians(kept, cells, count)
    spread = 1.4826 * _medians(np.abs(kept - center[cells]), cells, count)
    spread[np.bincount(cells[np.isfinite(kept)], minlength=count) < 2] = np.nan
    summary: dict[str, Any] = {"time": center, "status": settled, "spread": spread}
    position, width = _positions(cells, order)
    # One cell that was repeated far more often than the others must not blow up all of them.
    if count * width <= max(_MOST_PADDING * time.size, 10_000_000):
        summary["repeats"] = np.full((count, width), np.nan)
        summary["repeats"][cells, position] = kept
    return summary


def _medians(values: NDArray[np.float64], cells: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Median of the values of each cell that are not NaN; NaN where there are none."""
    known = np.isfinite(values)
    values, cells = values[known], cells[known]
    ordered = values[np.lexsort((values, cells))]
    sizes = np.bincount(cells, minlength=count)
    start = np.cumsum(sizes) - sizes
    some = sizes > 0
    lower = ordered[(start + (sizes - 1) // 2)[some]]
    upper = ordered[(start + sizes // 2)[some]]
    medians = np.full(count, np.nan)
    medians[some] = lower + 0.5 * (upper - lower)
    return medians


def _positions(cells: NDArray[np.int64], order: NDArray[np.float64] | None) -> tuple[NDArray[np.int64], int]:
    """Place of each row among the repeats of its cell, and the largest number of repeats."""
    sizes = np.bincount(cells)
    width = int(sizes.max())
    if order is not None:
        passes, place = np.unique(order, return_inverse=True)
        if passes.size == width and np.unique(cells * width + place).size == cells.size:
            return place.astype(np.int64), width
    rows = np.lexsort((cells,) if order is None else (order, cells))
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    position = np.empty(cells.size, dtype=np.int64)
    position[rows] = np.arange(cells.size) - start
    return position, width
