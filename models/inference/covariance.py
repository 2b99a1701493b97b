"""Covariance of a residual on the lattice of sizes: what neighbours share, and what is each cell's own.

The residual is taken as a Gaussian field, with a share of *own* variance (noise, and lack of fit of a single cell)
and the rest shared with neighbours, its correlation falling with the ranks between them along each axis:

    Cov = scale^2 ((1 - own) R_M x R_N x R_K + own I),    R_ij = phi^(|i - j|^s),

with s = 1, a field as rough as a random walk, or s = 2, a field that has slopes; whichever is likelier. All are
estimated by restricted maximum likelihood (:mod:`models.inference.restricted_likelihood`), the scale with them: the
mean square of residuals is too small by what the fit has absorbed. The scale may follow a power of the work of a
cell, because small shapes are fitted less well. How well the rest is known follows from the curvature of the
likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models.inference.lattice import Lattice
from models.inference.restricted_likelihood import RestrictedLikelihood, neighbour_correlation
from models.matrix_root import matrix_root

Array = NDArray[np.float64]

_LARGEST = 0.995
"""Largest correlation of neighbours; beyond it a field is a constant."""

_LEAST_OWN = 1e-3

_SMOOTHNESS = (1, 2)
"""Powers of the distance that are tried."""

_FARTHEST = 12.0
"""Bound of the parameters of the search, logits of the shares and correlations."""

_STEP = 0.2
"""Of the differences by which the curvature is measured."""

_VAGUE = 1.0
"""Standard deviation of a logit of which the likelihood says nothing."""


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
    smoothness : int
        Power of the distance in the correlation: 1 or 2.
    errors : ndarray, shape (4, 4), or None
        Root of the covariance of the logits of ``own`` and ``neighbours``; ``None`` where they are not estimated.
    """

    neighbours: tuple[float, float, float]
    own: float
    scale: Array
    growth: float
    smoothness: int = 1
    errors: Array | None = None

    def draw(self, lattice: Lattice, draws: int, rng: np.random.Generator) -> Array:
        """Draw residuals, shape (n, draws)."""
        field = rng.standard_normal((*lattice.shape, draws))
        for axis, factor in enumerate(self.neighbours):
            root = matrix_root(neighbour_correlation(factor, lattice.shape[axis], self.smoothness))
            field = np.moveaxis(np.tensordot(root, field, axes=(1, axis)), 0, axis)
        shared = field.reshape(lattice.size, draws)[lattice.place] * np.sqrt(1.0 - self.own)
        alone = rng.standard_normal(shared.shape) * np.sqrt(self.own)
        return np.asarray((shared + alone) * self.scale[:, None])

    def another(self, rng: np.random.Generator) -> ResidualCovariance:
        """Draw a covariance that the residuals allow as well, within the errors of this one."""
        if self.errors is None:
            return self
        logits = _logits(self.neighbours, self.own) + self.errors @ rng.standard_normal(4)
        factors, own = _shares(logits)
        kept = [new if old > 0 else 0.0 for new, old in zip(factors, self.neighbours, strict=True)]
        return replace(self, neighbours=(kept[0], kept[1], kept[2]), own=own, errors=None)

    def effective_size(self, lattice: Lattice) -> float:
        """Number of independent cells whose mean is as uncertain as that of these correlated ones.

        n^2 over the sum of all correlations between pairs of samples: the sample size that an average over the
        landscape is worth (Thiebaux & Zwiers 1984, in three dimensions).
        """
        count = np.bincount(lattice.place, minlength=lattice.size).astype(np.float64).reshape(lattice.shape)
        n = float(count.sum())
        blurred = count
        for axis, factor in enumerate(self.neighbours):
            matrix = neighbour_correlation(factor, lattice.shape[axis], self.smoothness)
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
    likelihood = RestrictedLikelihood.of(scaled, columns / shape[:, None], lattice)
    used = np.array([True, *(count > 1 for count in lattice.shape)])
    best, found, smoothness = np.inf, np.full(4, -_FARTHEST), 1
    for power in _SMOOTHNESS:

        def criterion(logits: Array, power: int = power) -> float:
            full = np.full(4, -_FARTHEST)
            full[used] = logits
            factors, own = _shares(full)
            return likelihood([f if u else 0.0 for f, u in zip(factors, used[1:], strict=True)], own, power)[0]

        starts = np.array([[0.0, 0.5, 0.5, 0.5], [-2.0, 2.0, 2.0, 2.0]])[:, used]
        start = min(starts, key=criterion)
        search = minimize(
            criterion,
            start,
            method="Nelder-Mead",
            options={"xatol": 0.05, "fatol": 0.02, "maxfev": 180, "initial_simplex": _simplex(start)},
        )
        if search.fun < best:
            best, smoothness, judge = float(search.fun), power, criterion
            found[used] = search.x
    degrees = max(1, residual.size - columns.shape[1])
    level = float(scaled @ scaled) / degrees
    alone = likelihood([0.0, 0.0, 0.0], 1.0, 1)[0]
    if not alone - best >= np.log(max(likelihood.free, 2)):
        # As by the Bayesian criterion: what is shared has to show, or its form is arbitrary.
        return ResidualCovariance((0.0, 0.0, 0.0), 1.0, np.sqrt(level) * shape, growth)
    factors, own = _shares(found)
    factors = [f if u else 0.0 for f, u in zip(factors, used[1:], strict=True)]
    level = max(level, likelihood(factors, own, smoothness)[1])
    errors = np.zeros((4, 4))
    errors[np.ix_(used, used)] = _errors(judge, found[used])
    # From thinned ranks of K to all of them; the logit of a correlation near one is as uncertain as before.
    factors[2] **= 1.0 / likelihood.stride**smoothness
    return ResidualCovariance(
        (factors[0], factors[1], factors[2]), own, np.sqrt(level) * shape, growth, smoothness, errors
    )


def _shares(logits: Array) -> tuple[list[float], float]:
    """Correlations of neighbours and own share of the variance, from the parameters of the search."""
    bounded = 1.0 / (1.0 + np.exp(-np.clip(logits, -_FARTHEST, _FARTHEST)))
    return (_LARGEST * bounded[1:]).tolist(), float(_LEAST_OWN + (1.0 - _LEAST_OWN) * bounded[0])


def _logits(neighbours: tuple[float, float, float], own: float) -> Array:
    """Parameters of the search, the inverse of :func:`_shares`."""
    bounded = np.array([(own - _LEAST_OWN) / (1.0 - _LEAST_OWN), *(np.array(neighbours) / _LARGEST)])
    edge = 1.0 / (1.0 + np.exp(_FARTHEST))
    bounded = np.clip(bounded, edge, 1.0 - edge)
    return np.asarray(np.log(bounded / (1.0 - bounded)))


def _errors(criterion: Callable[[Array], float], at: Array) -> Array:
    """Root of the covariance of the parameters at a minimum of minus twice a log-likelihood."""
    steps = _STEP * np.eye(at.size)
    here = criterion(at)
    curvature = np.empty((at.size, at.size))
    single = [(criterion(at + step), criterion(at - step)) for step in steps]
    for i, (up, down) in enumerate(single):
        curvature[i, i] = (up + down - 2.0 * here) / _STEP**2
        for j in range(i):
            both = criterion(at + steps[i] + steps[j]) + criterion(at - steps[i] - steps[j])
            mixed = both - up - down - sum(single[j]) + 2.0 * here
            curvature[i, j] = curvature[j, i] = mixed / (2.0 * _STEP**2)
    values, vectors = np.linalg.eigh(0.5 * np.where(np.isfinite(curvature), curvature, 0.0))
    return np.asarray(vectors / np.sqrt(np.maximum(values, 0.0) + _VAGUE**-2))


def _simplex(start: Array) -> Array:
    return np.vstack([start, start + np.eye(start.size) * 1.5])
