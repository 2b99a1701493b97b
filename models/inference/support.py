"""Where a column is not zero: whether it is told by one size of an axis alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.problem import Problem


def one_size(problem: Problem, columns: NDArray[np.float64]) -> tuple[str, ...]:
    """Name the only size at which a column costs anything, where others were measured.

    Whatever else is special about that size cannot be told from the column: a pipeline that only the smallest K
    does not fill, say, from traffic that only the smallest K does not hide.

    Parameters
    ----------
    problem : Problem
    columns : ndarray, shape (n, p)

    Returns
    -------
    tuple of str, length p
        "K = 64", say; empty for columns of several sizes on every axis, and for those of none.
    """
    acts = columns != 0.0
    found = [""] * columns.shape[1]
    for axis, sizes in (("M", problem.M), ("N", problem.N), ("K", problem.K)):
        order = np.argsort(sizes, kind="stable")
        distinct, first = np.unique(sizes[order], return_index=True)
        if distinct.size < 2:
            continue
        at = np.logical_or.reduceat(acts[order], first, axis=0)
        for j in np.flatnonzero(at.sum(axis=0) == 1):
            found[j] = f"{axis} = {distinct[np.argmax(at[:, j])]}"
    return tuple(found)
