"""Restricted likelihood of a residual's covariance on a lattice of sizes.

Restricted maximum likelihood (Patterson & Thompson 1971) counts the fitted columns: a plain likelihood of residuals
would miss the smooth part that the fit has absorbed. Products of small matrices, one an axis, make it cheap where
the lattice is filled. Where places are empty it is the likelihood of the samples alone, as many as their dense
covariance allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from models.inference.lattice import Lattice

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_MOST_PLACES = 5000
"""Of the likelihood: a longer lattice is thinned along K."""

_FILLED = 0.999
"""Share of its places that a lattice must hold for products of small matrices to stand for its covariance."""

_MOST_DENSE = 600
"""Of the dense likelihood; beyond it, samples are taken evenly from the landscape."""


@dataclass(frozen=True)
class RestrictedLikelihood:
    """Data of the likelihood, ready to be evaluated.

    Attributes
    ----------
    data : ndarray, shape (M, N, K, 1 + q) or (n, 1 + q)
        Residual, then an orthonormal basis of the columns that were fitted.
    ranks : ndarray of int64, shape (n, 3), or None
        Where samples lie; ``None`` on a filled lattice.
    free : int
        Dimensions that the columns leave.
    stride : int
        Ranks of K from one place of the data to the next.
    """

    data: Array
    ranks: Indices | None
    free: int
    stride: int

    @classmethod
    def of(cls, residual: Array, columns: Array, lattice: Lattice) -> RestrictedLikelihood:
        """Lay out a residual, shape (n,), and the columns that were fitted, shape (n, p)."""
        table = lattice.spread_out(np.column_stack([residual, columns]))
        if lattice.held.mean() >= _FILLED:
            stride = max(1, -(-lattice.size // _MOST_PLACES)) if lattice.shape[2] > 1 else 1
            cube = table.reshape(*lattice.shape, -1)[:, :, ::stride]
            basis = _independent(cube.reshape(-1, cube.shape[-1])[:, 1:])
            data = np.concatenate([cube[..., :1], basis.reshape(*cube.shape[:3], -1)], axis=3)
            return cls(data, None, basis.shape[0] - basis.shape[1], stride)
        places = np.flatnonzero(lattice.held)
        places = places[:: -(-places.size // _MOST_DENSE)]
        ranks = np.stack(np.unravel_index(places, lattice.shape), axis=1).astype(np.int64)
        basis = _independent(table[places, 1:])
        return cls(np.column_stack([table[places, 0], basis]), ranks, basis.shape[0] - basis.shape[1], 1)

    def __call__(self, factors: Sequence[float], own: float, smoothness: int) -> tuple[float, float]:
        """Return minus twice the logarithm of the likelihood, the scale profiled out, and the square of the scale.

        Parameters
        ----------
        factors : sequence of float
            Correlation of neighbours along each axis.
        own : float
            Share of the variance that is shared with none.
        smoothness : int
            Power of the distance, in ranks, in the correlation.
        """
        gram, logarithm = (self._filled if self.ranks is None else self._dense)(factors, own, smoothness)
        inner, cross = gram[1:, 1:], gram[1:, 0]
        sign, determinant, squares = 1.0, 0.0, float(gram[0, 0])
        if inner.size:
            sign, determinant = (float(value) for value in np.linalg.slogdet(inner))
            squares -= float(cross @ np.linalg.lstsq(inner, cross, rcond=None)[0])
        if squares <= 0 or sign <= 0:
            return np.inf, 0.0
        return self.free * float(np.log(squares)) + logarithm + determinant, squares / max(1, self.free)

    def _filled(self, factors: Sequence[float], own: float, smoothness: int) -> tuple[Array, float]:
        rotated, roots = self.data, np.ones(())
        for axis, factor in enumerate(factors):
            values, vectors = np.linalg.eigh(neighbour_correlation(factor, self.data.shape[axis], smoothness))
            rotated = np.moveaxis(np.tensordot(vectors.T, rotated, axes=(1, axis)), 0, axis)
            roots = np.multiply.outer(roots, np.maximum(values, 0.0))
        variance = ((1.0 - own) * roots + own).reshape(-1)
        flat = rotated.reshape(variance.size, -1)
        return flat.T @ (flat / variance[:, None]), float(np.log(variance).sum())

    def _dense(self, factors: Sequence[float], own: float, smoothness: int) -> tuple[Array, float]:
        assert self.ranks is not None
        covariance = np.full((self.ranks.shape[0], self.ranks.shape[0]), 1.0 - own)
        for axis, factor in enumerate(factors):
            apart = np.abs(np.subtract.outer(self.ranks[:, axis], self.ranks[:, axis]))
            covariance *= float(factor) ** (apart**smoothness)
        covariance[np.diag_indices_from(covariance)] += own
        root = np.linalg.cholesky(covariance)
        white = linalg.solve_triangular(root, self.data, lower=True)
        return white.T @ white, 2.0 * float(np.log(np.diag(root)).sum())


def neighbour_correlation(factor: float, size: int, smoothness: int) -> Array:
    """Correlation factor^(|i - j|^smoothness) of places along an axis, shape (size, size)."""
    ranks = np.arange(size)
    return np.asarray(float(factor) ** (np.abs(ranks[:, None] - ranks) ** smoothness))


def _independent(columns: Array) -> Array:
    """Orthonormal basis of the columns."""
    if columns.shape[1] == 0:
        return columns
    length = np.sqrt((columns**2).sum(axis=0))
    left, values, _ = np.linalg.svd(columns[:, length > 0] / length[length > 0], full_matrices=False)
    return np.asarray(left[:, values > 1e-7 * values[0]]) if values.size else columns[:, :0]
