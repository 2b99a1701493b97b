"""Non-negative least squares from Gram matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]

_RANK = 1e-12
"""Eigenvalues of the scaled Gram matrix below this share of the largest carry no information."""


def solve_nonnegative(gram: Array, moment: Array) -> Array:
    """Minimise theta' G theta - 2 h' theta over theta >= 0.

    Columns are scaled to unit length first; the square root of the Gram matrix then stands in for the samples
    in scipy's active-set solver. Columns that are zero get 0.

    Parameters
    ----------
    gram : ndarray, shape (p, p)
    moment : ndarray, shape (p,)

    Returns
    -------
    ndarray, shape (p,)
    """
    scale = np.sqrt(np.diag(gram))
    used = np.flatnonzero(scale > 0)
    theta = np.zeros(moment.size)
    if used.size == 0:
        return theta
    inverse = 1.0 / scale[used]
    values, vectors = np.linalg.eigh(gram[np.ix_(used, used)] * inverse[:, None] * inverse)
    kept = values > _RANK * values[-1]
    root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    target = (vectors[:, kept].T @ (moment[used] * inverse)) / np.sqrt(values[kept])
    theta[used] = nnls(root, target)[0] * inverse
    return theta
