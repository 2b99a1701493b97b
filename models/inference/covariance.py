"""Covariance of a residual on the lattice of sizes: what neighbours share, and what is each cell's own.

The residual is taken as a Gaussian field, with a share of *own* variance (noise, and lack of fit of a single cell)
and the rest shared with neighbours, its correlation falling by a constant factor from rank to rank along each axis:

    Cov = scale^2 ((1 - own) R_M x R_N x R_K + own I),    R_ij = phi^|i - j|

The factors are estimated by restricted maximum likelihood (Patterson & Thompson 1971), which counts the fitted
columns: a plain likelihood of residuals would miss the smooth part that the fit has absorbed. The scale may follow
a power of the work of a cell, because small shapes are fitted less well. Products of small matrices, one an axis,
make all of this cheap where the lattice is filled. Where places are empty the likelihood is that of the samples
alone, with their dense covariance, of as many as that allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.optimize import minimize

from models.inference.lattice import Lattice

Array = NDArray[np.float64]

_MOST_PLACES = 5000
"""Of the likelihood: a longer lattice is thinned along K."""

_FILLED = 0.999
"""Share of its places that a lattice must hold for products of small matrices to stand for its covariance."""

_MOST_DENSE = 600
"""Of the dense likelihood; beyond it, samples are taken evenly from the landscape."""

_LARGEST = 0.995
"""Largest correlation of neighbours; beyond it a field is a constant."""

_LEAST_OWN = 1e-3


@dataclass(frozen=True)
class ResidualCovariance:
    """Covariance of a relative residual on its lattice.

    Attributes
    ----------
    neighbours : tuple of float
        Correlation of the shared part between neighbouring sizes along M, N and K.
    own : float
        Share of the variance that a cell shares with no other.
    scale : ndarray, shape (n,)
        Standard deviation of each sample's residual.
    growth : float
        Power of the work that the scale follows.
    """

    neighbours: tuple[float, float, float]
    own: float
    scale: Array
    growth: float

    def draw(self, lattice: Lattice, draws: int, rng: np.random.Generator) -> Array:
        """Draw residuals, shape (n, draws)."""
        field = rng.standard_normal((*lattice.shape, draws))
        for axis, factor in enumerate(self.neighbours):
            root = np.linalg.cholesky(_correlation(factor, lattice.shape[axis]))
            field = np.moveaxis(np.tensordot(root, field, axes=(1, axis)), 0, axis)
        shared = field.reshape(lattice.size, draws)[lattice.place] * np.sqrt(1.0 - self.own)
        alone = rng.standard_normal(shared.shape) * np.sqrt(self.own)
        return np.asarray((shared + alone) * self.scale[:, None])

    def effective_size(self, lattice: Lattice) -> float:
        """Number of independent cells whose mean is as uncertain as that of these correlated ones.

        n^2 over the sum of all correlations between pairs of samples: the sample size that an average over the
        landscape is worth (Thiebaux & Zwiers 1984, in three dimensions).
        """
        count = np.bincount(lattice.place, minlength=lattice.size).astype(np.float64).reshape(lattice.shape)
        n = float(count.sum())
        blurred = count
        for axis, factor in enumerate(self.neighbours):
            matrix = _correlation(factor, lattice.shape[axis])
            blurred = np.moveaxis(np.tensordot(matrix, blurred, axes=(1, axis)), 0, axis)
        pairs = (1.0 - self.own) * float((count * blurred).sum()) + self.own * n
        return n * n / pairs


def estimate_covariance(residual: Array, columns: Array, lattice: Lattice, work: Array) -> ResidualCovariance:
    """Estimate the covariance of the residual of a weighted fit.

    Parameters
    ----------
    residual : ndarray, shape (n,)
        Relative residuals.
    columns : ndarray, shape (n, p)
        Columns that were fitted, weighted like the residual.
    lattice : Lattice
    work : ndarray, shape (n,)
        What the scale may follow, the floating-point operations of a cell, say.
    """
    logarithm = np.log(work)
    size = np.log(np.maximum(np.abs(residual), 1e-3 * np.sqrt(np.mean(residual**2)) + 1e-300))
    centred = logarithm - logarithm.mean()
    spread = float(centred @ centred)
    growth = float(np.clip(centred @ size / spread, -1.0, 1.0)) if spread > 0 else 0.0
    shape = np.exp(growth * centred)
    scaled = residual / shape
    table = lattice.spread_out(np.column_stack([scaled, columns / shape[:, None]]))
    dims = lattice.shape
    stride = 1
    if lattice.held.mean() >= _FILLED:
        stride = max(1, -(-lattice.size // _MOST_PLACES)) if dims[2] > 1 else 1
        cube = table.reshape(*dims, -1)[:, :, ::stride]
        basis = _independent(cube.reshape(-1, cube.shape[-1])[:, 1:])
        data = np.concatenate([cube[..., :1], basis.reshape(*cube.shape[:3], -1)], axis=3)
        free = int(np.prod(data.shape[:3])) - basis.shape[1]

        def restricted(factors: list[float], own: float) -> float:
            return _restricted(data, factors, own, free)
    else:
        places = np.flatnonzero(lattice.held)
        places = places[:: -(-places.size // _MOST_DENSE)]
        ranks = np.stack(np.unravel_index(places, dims), axis=1)
        sampled = np.column_stack([table[places, 0], _independent(table[places, 1:])])
        free = places.size - (sampled.shape[1] - 1)

        def restricted(factors: list[float], own: float) -> float:
            return restricted_dense(sampled, ranks, factors, own)

    used = [axis for axis in range(3) if dims[axis] > 1]

    def unpack(x: Array) -> tuple[list[float], float]:
        factors = [0.0, 0.0, 0.0]
        for axis, value in zip(used, x[1:], strict=True):
            factors[axis] = _LARGEST / (1.0 + float(np.exp(-value)))
        return factors, _LEAST_OWN + (1.0 - _LEAST_OWN) / (1.0 + float(np.exp(-x[0])))

    def criterion(x: Array) -> float:
        x = np.clip(x, -12.0, 12.0)
        factors, own = unpack(x)
        return restricted(factors, own)

    starts = (np.array([0.0] + [0.5] * len(used)), np.array([-2.0] + [2.0] * len(used)))
    start = min(starts, key=criterion)
    found = minimize(
        criterion,
        start,
        method="Nelder-Mead",
        options={"xatol": 0.05, "fatol": 0.02, "maxfev": 180, "initial_simplex": _simplex(start)},
    )
    factors, own = unpack(np.clip(found.x, -12.0, 12.0))
    alone = restricted([0.0, 0.0, 0.0], 1.0)
    if alone - found.fun < np.log(max(free, 2)):
        # As by the Bayesian criterion: what is shared has to show, or its form is arbitrary.
        factors, own = [0.0, 0.0, 0.0], 1.0
    if stride > 1:
        factors[2] = factors[2] ** (1.0 / stride)
    degrees = max(1, residual.size - columns.shape[1])
    level = np.sqrt(float(scaled @ scaled) / degrees)
    return ResidualCovariance((factors[0], factors[1], factors[2]), own, level * shape, growth)


def _correlation(factor: float, size: int) -> Array:
    ranks = np.arange(size)
    return np.asarray(float(factor) ** np.abs(ranks[:, None] - ranks))


def _simplex(start: Array) -> Array:
    return np.vstack([start, start + np.eye(start.size) * 1.5])


def _independent(columns: Array) -> Array:
    """Orthonormal basis of the columns."""
    if columns.shape[1] == 0:
        return columns
    length = np.sqrt((columns**2).sum(axis=0))
    left, values, _ = np.linalg.svd(columns[:, length > 0] / length[length > 0], full_matrices=False)
    return np.asarray(left[:, values > 1e-7 * values[0]]) if values.size else columns[:, :0]


def restricted_dense(data: Array, ranks: NDArray[np.int64], factors: Sequence[float], own: float) -> float:
    """Minus twice the restricted log-likelihood of samples anywhere on a lattice, the scale profiled out.

    Parameters
    ----------
    data : ndarray, shape (n, 1 + q)
        Residual, then the columns that were fitted.
    ranks : ndarray of int64, shape (n, 3)
    factors : sequence of float
        Correlation of neighbours along each axis.
    own : float
    """
    covariance = np.full((ranks.shape[0], ranks.shape[0]), 1.0 - own)
    for axis, factor in enumerate(factors):
        covariance *= float(factor) ** np.abs(np.subtract.outer(ranks[:, axis], ranks[:, axis]))
    covariance[np.diag_indices_from(covariance)] += own
    root = np.linalg.cholesky(covariance)
    white = linalg.solve_triangular(root, data, lower=True)
    gram = white.T @ white
    inner, cross = gram[1:, 1:], gram[1:, 0]
    sign, logarithm = np.linalg.slogdet(inner) if inner.size else (1.0, 0.0)
    left = float(gram[0, 0] - cross @ np.linalg.lstsq(inner, cross, rcond=None)[0]) if inner.size else gram[0, 0]
    if left <= 0 or sign <= 0:
        return np.inf
    free = data.shape[0] - inner.shape[0]
    return float(free * np.log(left) + 2.0 * np.log(np.diag(root)).sum() + logarithm)


def _restricted(data: Array, factors: list[float], own: float, free: int) -> float:
    """Minus twice the restricted log-likelihood, the scale profiled out."""
    rotated, roots = data, np.ones(())
    for axis, factor in enumerate(factors):
        values, vectors = np.linalg.eigh(_correlation(factor, data.shape[axis]))
        rotated = np.moveaxis(np.tensordot(vectors.T, rotated, axes=(1, axis)), 0, axis)
        roots = np.multiply.outer(roots, np.maximum(values, 0.0))
    variance = ((1.0 - own) * roots + own).reshape(-1)
    flat = rotated.reshape(variance.size, -1)
    weighted = flat / variance[:, None]
    gram = flat.T @ weighted
    inner, cross = gram[1:, 1:], gram[1:, 0]
    sign, logarithm = np.linalg.slogdet(inner) if inner.size else (1.0, 0.0)
    left = float(gram[0, 0] - cross @ np.linalg.lstsq(inner, cross, rcond=None)[0]) if inner.size else gram[0, 0]
    if left <= 0 or sign <= 0:
        return np.inf
    return float(free * np.log(left) + np.log(variance).sum() + logarithm)
