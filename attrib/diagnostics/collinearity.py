"""Collinearity of a design: which coefficients the samples can hardly tell apart.

Condition indices and variance-decomposition proportions of Belsley, Kuh & Welsch (1980, chapter 3), on columns of
unit length, not centred; and variance inflation factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WEAK, LARGE = 0.5, 30.0
"""Coefficients are entangled where a condition index from 30 on holds half the variance of two of them or more."""


@dataclass(frozen=True)
class Collinearity:
    """Collinearity of the columns of one tile.

    Attributes
    ----------
    names : tuple of str, length p
        Coefficients.
    indices : ndarray, shape (p,)
        Condition indices, ascending.
    proportions : ndarray, shape (p, p)
        Share of each coefficient's variance (column) that each index (row) accounts for; columns sum to 1.
    inflation : ndarray, shape (p,)
        Variance inflation factors: by how much collinearity raises the variance of each coefficient.
    """

    names: tuple[str, ...]
    indices: Array
    proportions: Array
    inflation: Array

    @property
    def entangled(self) -> tuple[tuple[float, tuple[str, ...]], ...]:
        """Condition indices from 30 on with the coefficients that they entangle, the worst first."""
        found = []
        for index, row in zip(self.indices[::-1], self.proportions[::-1], strict=True):
            members = tuple(name for name, share in zip(self.names, row, strict=True) if share >= WEAK)
            if index >= LARGE and len(members) > 1:
                found.append((float(index), members))
        return tuple(found)


def collinearity(weighted: Array, names: tuple[str, ...]) -> Collinearity:
    """Decompose a weighted design.

    Parameters
    ----------
    weighted : ndarray, shape (n, p)
        Columns over the measured time, none of them zero.
    names : tuple of str, length p
    """
    scaled = weighted / np.linalg.norm(weighted, axis=0)
    # From the triangular factor the singular values are those of the whole design, without squaring them.
    values, vectors = np.linalg.svd(np.linalg.qr(scaled, mode="r"))[1:]
    values = np.maximum(values, values[0] * np.finfo(np.float64).eps)
    parts = (vectors.T / values) ** 2
    inflation = parts.sum(axis=1)
    return Collinearity(names, values[0] / values, (parts / inflation[:, None]).T, inflation)
