"""A root of a covariance, with which numbers that share it are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def matrix_root(matrix: Array) -> Array:
    """Return R with R R' the matrix, shape (n, n).

    By eigenvalues, those below zero taken for rounding: covariances of smooth fields are singular but for it, and a
    Cholesky factor of them is not to be had.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
        Symmetric and, but for rounding, positive semidefinite.
    """
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
