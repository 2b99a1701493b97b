"""Covariance of a residual on the lattice of sizes: what neighbours share, and what is each cell's own.

The residual is taken as a Gaussian field whose correlation is that of :mod:`models.inference.lattice_correlation`:
one field that neighbours share along all axes, or, where residuals show it, a mixture of what they share along
some. All of it is estimated by restricted maximum likelihood (:mod:`models.inference.restricted_likelihood`), the
scale with it: the mean square of residuals is too small by what the fit has absorbed. The scale has a level of its
own at each K: launches wait for memory at small ones, which is told better than how waves fill, and compute at
large ones. With one scale for all, mechanisms that act where memory is waited for were judged by what computing
launches miss. Among cells of one K it may follow a power of their work, because small shapes are fitted less well.
How well the rest is known follows from the curvature of the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models.inference.correlation_logits import FARTHEST, Logits
from models.inference.lattice import Lattice
from models.inference.lattice_correlation import LatticeCorrelation
from models.inference.restricted_likelihood import RestrictedLikelihood

Array = NDArray[np.float64]

_SMOOTHNESS = (1, 2)
"""Powers of the distance that are tried."""

_STEP = 0.2
"""Of the differences by which the curvature is measured."""

_SETTLED = 1e-6
"""Relative change of the criterion, some thousands, at which a search has arrived."""

_SLIGHT = 0.01
"""A share of the variance below this is as good as none."""

_VAGUE = 1.0
"""Standard deviation of a logit of which the likelihood says nothing."""

_WORTH = 30.0
"""Residuals that the scale of all is worth beside those of one K."""
_LEAST_RELATIVE = 1e-4
"""Variance at one K relative to that of all: no less is believed."""

_STARTS = ((0.0, 0.5, -4.0), (0.0, 0.5, 0.0), (-2.0, 2.0, -4.0), (-2.0, 2.0, 0.0))
"""Logits of the own share, of the correlations and of the shares of some axes, from the best of which to search."""


@dataclass(frozen=True)
class ResidualCovariance:
    """Covariance of a relative residual on its lattice.

    Attributes
    ----------
    correlation : LatticeCorrelation
    scale : ndarray, shape (n,)
        Standard deviation of each sample's residual.
    growth : float
        Power of the work at one K that the scale follows, beside levels of each K.
    estimate : Estimate or None
        Where it was found; ``None`` where nothing is shared, or nothing was estimated.
    """

    correlation: LatticeCorrelation
    scale: Array
    growth: float
    estimate: Estimate | None = None

    def draw(self, lattice: Lattice, draws: int, rng: np.random.Generator) -> Array:
        """Draw residuals, shape (n, draws)."""
        return self.correlation.draw(lattice, draws, rng) * self.scale[:, None]

    def another(self, rng: np.random.Generator) -> ResidualCovariance:
        """Draw a covariance that the residuals allow as well, within the errors of this one."""
        if self.estimate is None:
            return self
        return replace(self, correlation=self.estimate.another(rng), estimate=None)


@dataclass(frozen=True)
class Estimate:
    """Where the likelihood is greatest, and how far from there it says nothing.

    Attributes
    ----------
    logits : Logits
    found : ndarray, shape (p,)
    errors : ndarray, shape (p, p)
        Root of the covariance of ``found``.
    smoothness, stride : int
    """

    logits: Logits
    found: Array
    errors: Array
    smoothness: int
    stride: int

    @property
    def correlation(self) -> LatticeCorrelation:
        """The likeliest one."""
        return self.logits.correlation(self.found, self.smoothness, self.stride)

    def another(self, rng: np.random.Generator) -> LatticeCorrelation:
        """Draw one within the errors."""
        other = self.found + self.errors @ rng.standard_normal(self.found.size)
        return self.logits.correlation(other, self.smoothness, self.stride)


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
    rank = lattice.ranks()[:, 2]
    size = np.log(np.maximum(np.abs(residual), 1e-3 * np.sqrt(np.mean(residual**2)) + 1e-300))
    # Within each K: what grows with K is its levels' to tell, and is not the same as what grows with M and N.
    centred = _less_means(np.log(work), rank)
    spread = float(centred @ centred)
    growth = float(np.clip(centred @ _less_means(size, rank) / spread, -1.0, 1.0)) if spread > 1e-9 else 0.0
    shape = np.exp(growth * centred)
    shape *= _levels(residual / shape, rank)
    scaled = residual / shape
    likelihood = RestrictedLikelihood.of(scaled, columns / shape[:, None], lattice)
    level = float(scaled @ scaled) / max(1, residual.size - columns.shape[1])
    nothing = LatticeCorrelation.of_one_field((0.0, 0.0, 0.0), 1.0)
    alone = likelihood(nothing).criterion
    used = (lattice.shape[0] > 1, lattice.shape[1] > 1, lattice.shape[2] > 1)
    if not np.isfinite(alone) or not any(used):
        return ResidualCovariance(nothing, np.sqrt(level) * shape, growth)
    # By the Bayesian criterion: what is shared has to show, and so has its form, or it is arbitrary.
    price = float(np.log(max(likelihood.free, 2)))
    best, estimate = _likeliest(likelihood, Logits(used, mixture=False))
    mixed, other = _likeliest(likelihood, Logits(used))
    used_sets = sum(other.correlation.shares[places] > _SLIGHT for places in other.logits.some)
    if best - mixed >= price * max(1, used_sets):
        best, estimate = mixed, other
    if not alone - best >= price:
        return ResidualCovariance(nothing, np.sqrt(level) * shape, growth)
    thinned = replace(estimate, stride=1).correlation
    level = max(level, likelihood(thinned).square)
    return ResidualCovariance(estimate.correlation, np.sqrt(level) * shape, growth, estimate)


def _levels(residual: Array, rank: NDArray[np.int64]) -> Array:
    """Scale of the residuals of each rank relative to that of all, shape (n,); of few residuals drawn to 1.

    What those of one rank share is no matter of their scale: they are compared by what they differ.
    """
    count = np.bincount(rank)
    squares = np.bincount(rank, _less_means(residual, rank) ** 2)
    free = np.maximum(count - 1, 0)
    if not squares.sum() > 0.0:
        return np.ones(residual.size)
    relative = squares / np.maximum(free, 1) * free.sum() / squares.sum()
    drawn = free / (free + _WORTH) * np.log(np.maximum(relative, _LEAST_RELATIVE))
    return np.asarray(np.exp(0.5 * drawn)[rank])


def _less_means(values: Array, rank: NDArray[np.int64]) -> Array:
    """Values less the mean of those of their rank, shape (n,)."""
    means = np.bincount(rank, values) / np.maximum(np.bincount(rank), 1)
    return np.asarray(values - means[rank])


def _likeliest(likelihood: RestrictedLikelihood, logits: Logits) -> tuple[float, Estimate]:
    """Find the likeliest correlation, of whichever smoothness; its criterion comes first."""
    return min((_search(likelihood, logits, power) for power in _SMOOTHNESS), key=lambda found: found[0])


def _search(likelihood: RestrictedLikelihood, logits: Logits, smoothness: int) -> tuple[float, Estimate]:
    """Find the likeliest correlation of one smoothness; its criterion comes first."""

    def judge(at: Array) -> tuple[float, Array]:
        found = likelihood(logits.correlation(at, smoothness))
        return found.criterion, logits.slope(at, found.by_shares, found.by_neighbours)

    start = min((logits.start(*one) for one in _STARTS), key=lambda at: judge(at)[0])
    bounds = [(-FARTHEST, FARTHEST)] * start.size
    search = minimize(judge, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"ftol": _SETTLED})
    steps = _STEP * np.eye(start.size)
    curvature = np.stack([judge(search.x + step)[1] - judge(search.x - step)[1] for step in steps]) / (2.0 * _STEP)
    symmetric = 0.5 * np.where(np.isfinite(curvature), curvature, 0.0)
    values, vectors = np.linalg.eigh(symmetric + symmetric.T)
    # Of minus twice a log-likelihood: half of the curvature is the information.
    errors = vectors / np.sqrt(np.maximum(0.5 * values, 0.0) + _VAGUE**-2)
    return float(search.fun), Estimate(logits, search.x, errors, smoothness, likelihood.stride)
