"""Restricted likelihood of a residual's correlation on a lattice of sizes, and how it changes with its parameters.

Restricted maximum likelihood (Patterson & Thompson 1971) counts the fitted columns: a plain likelihood of residuals
would miss the smooth part that the fit has absorbed. Products of small matrices, one an axis, make it cheap where
the lattice is filled. Where places are empty it is the likelihood of the samples alone, as many as their dense
covariance allows.

With V the correlation, X the columns, Q = V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1 and the scale profiled out, minus
twice its logarithm changes by the sum of G o dV, G = Q - free Q y y' Q / (y' Q y).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from models.inference.lattice import Lattice
from models.inference.lattice_correlation import LatticeCorrelation

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_MOST_PLACES = 5000
"""Of the likelihood: a longer lattice is thinned along K."""

_FILLED = 0.999
"""Share of its places that a lattice must hold for products of small matrices to stand for its covariance."""

_MOST_DENSE = 400
"""Of the dense likelihood; beyond it, samples are taken evenly from the landscape."""


@dataclass(frozen=True)
class Judgement:
    """What the likelihood says of one correlation.

    Attributes
    ----------
    criterion : float
        Minus twice the logarithm of the likelihood, the scale profiled out.
    square : float
        Square of the scale.
    by_shares : ndarray, shape (2, 2, 2)
        Change of the criterion with each share.
    by_neighbours : ndarray, shape (3,)
        Change of the criterion with phi of each axis.
    """

    criterion: float
    square: float
    by_shares: Array
    by_neighbours: Array


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

    def __call__(self, correlation: LatticeCorrelation) -> Judgement:
        """Judge a correlation; its own share has to be above zero."""
        return (self._filled if self.ranks is None else self._dense)(correlation)

    def _filled(self, correlation: LatticeCorrelation) -> Judgement:
        shape = self.data.shape[:3]
        roots, vectors = correlation.eigen(shape)
        rotated = self.data
        for axis, basis in enumerate(vectors):
            rotated = np.moveaxis(np.tensordot(basis.T, rotated, axes=(1, axis)), 0, axis)
        variance = correlation.spectrum(roots)
        flat = rotated.reshape(variance.size, -1)
        white = flat / variance.reshape(-1, 1)
        criterion, square, removed = self._profiled(flat.T @ white, white)
        # In the basis of the eigenvectors, G is diagonal but for what the columns and the residual take out of it.
        outer = removed.reshape(*shape, -1)
        by_shares = np.einsum("ijk,ai,bj,ck->abc", 1.0 / variance - (outer**2).sum(axis=3), *roots, optimize=True)
        by_neighbours = np.zeros(3)
        for axis, basis in enumerate(vectors):
            ranks = np.arange(shape[axis])
            slope = basis.T @ correlation.along(axis, np.subtract.outer(ranks, ranks))[1] @ basis
            first, second = (roots[other] for other in range(3) if other != axis)
            weight = np.einsum("bc,bj,ck->jk", np.take(correlation.shares, 1, axis), first, second)
            inside = np.moveaxis(outer, axis, 0)
            plain = np.diag(slope) @ np.einsum("ijk,jk->i", 1.0 / np.moveaxis(variance, axis, 0), weight)
            turned = np.tensordot(slope, inside, axes=(1, 0))
            taken = float(((inside * turned).sum(axis=(0, 3)) * weight).sum())
            by_neighbours[axis] = float(plain) - taken
        return Judgement(criterion + float(np.log(variance).sum()), square, by_shares, by_neighbours)

    def _dense(self, correlation: LatticeCorrelation) -> Judgement:
        assert self.ranks is not None
        # Of each axis: equal sizes, what neighbours share, and its change with phi.
        kinds: list[tuple[Array, Array, Array]] = []
        for axis, ranks in enumerate(self.ranks.T):
            pair, sizes = np.ix_(ranks, ranks), np.arange(int(ranks.max()) + 1)
            shared, slope = correlation.along(axis, np.subtract.outer(sizes, sizes))
            kinds.append((np.eye(sizes.size)[pair], shared[pair], slope[pair]))
        matrix = np.zeros_like(kinds[0][0])
        for m, n in np.ndindex(2, 2):
            own, shared = correlation.shares[m, n]
            matrix += kinds[0][m] * kinds[1][n] * (own * kinds[2][0] + shared * kinds[2][1])
        root = linalg.cho_factor(matrix, lower=True)
        white = linalg.cho_solve(root, self.data)
        criterion, square, removed = self._profiled(self.data.T @ white, white)
        whole = linalg.cho_solve(root, np.eye(matrix.shape[0])) - removed @ removed.T
        sums = np.zeros((3, 3, 3))
        for m in range(3):
            of_m = whole * kinds[0][m]
            for n in range(3 if m < 2 else 2):
                of_both = of_m * kinds[1][n]
                for k in range(3 if max(m, n) < 2 else 2):
                    sums[m, n, k] = np.vdot(of_both, kinds[2][k])
        by_neighbours = [
            float((np.take(sums, 2, axis)[:2, :2] * np.take(correlation.shares, 1, axis)).sum())
            for axis in range(3)
        ]
        logarithm = 2.0 * float(np.log(np.diag(root[0])).sum())
        return Judgement(criterion + logarithm, square, sums[:2, :2, :2], np.array(by_neighbours))

    def _profiled(self, gram: Array, white: Array) -> tuple[float, float, Array]:
        """Criterion without log |V|, square of the scale, and U of G = V^-1 - U U'.

        From ``gram``, data' V^-1 data, and ``white``, V^-1 data.
        """
        inner, cross = gram[1:, 1:], gram[1:, 0]
        values, vectors = np.linalg.eigh(inner)
        half = vectors / np.sqrt(np.maximum(values, 1e-300))
        columns = white[:, 1:] @ half
        left = white[:, 0] - columns @ (half.T @ cross)
        squares = float(gram[0, 0] - (half.T @ cross) @ (half.T @ cross))
        if squares <= 0:
            return np.inf, 0.0, np.column_stack([left, columns])
        removed = np.column_stack([left * np.sqrt(self.free / squares), columns])
        criterion = self.free * float(np.log(squares)) + float(np.log(np.maximum(values, 1e-300)).sum())
        return criterion, squares / max(1, self.free), removed


def _independent(columns: Array) -> Array:
    """Orthonormal basis of the columns."""
    if columns.shape[1] == 0:
        return columns
    length = np.sqrt((columns**2).sum(axis=0))
    left, values, _ = np.linalg.svd(columns[:, length > 0] / length[length > 0], full_matrices=False)
    return np.asarray(left[:, values > 1e-7 * values[0]]) if values.size else columns[:, :0]
