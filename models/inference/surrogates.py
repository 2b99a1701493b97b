"""Surrogate landscapes at the level of sums: what a fit makes of lack of fit that no mechanism explains.

A surrogate is the fitted base model plus a residual drawn with the covariance of the real one. Everything that is
done to the measured landscape (folds of blocks, non-negative solves, held-out losses) is done to each surrogate, so
that shared training folds, correlated neighbours and costs at their bound need no formula of their own. Only sums
over folds are kept: Gram matrices do not change between surrogates, moments do. Beside that residual stands a small
one that no fit shows (:mod:`models.inference.model_form`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.inference.covariance import ResidualCovariance, estimate_covariance
from models.inference.lattice import Lattice
from models.inference.model_form import model_form
from models.inference.support import SizeGrams, one_size
from models.problem import Problem
from models.solve import solve_batch, solve_nonnegative

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_CHUNK = 16
"""Surrogates of one covariance, in memory at a time."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out losses of two nested models, of the landscape and of its surrogates.

    Attributes
    ----------
    gain : float
        Relative fall of the held-out squared error, 1 - larger / smaller model.
    standard_error : float
        Of the gain: over folds, with the correction of Nadeau & Bengio (2003) for shared training folds.
    null : ndarray, shape (draws,)
        The same gain on surrogates without the addition.
    drop : float
        In-sample counterpart: log of the ratio of squared errors.
    null_drop : ndarray, shape (draws,)
    theta : ndarray, shape (p,)
        Coefficients of the larger model; 0 for columns that are not in it.
    squares : tuple of float
        In-sample squared errors of the smaller and of the larger model.
    active_base, active : int
        Their coefficients that are not at the bound.
    """

    gain: float
    standard_error: float
    null: Array
    drop: float
    null_drop: Array
    theta: Array
    squares: tuple[float, float]
    active_base: int
    active: int


@dataclass(frozen=True)
class Surrogates:
    """Sums over folds of one tile, measured and surrogate.

    Attributes
    ----------
    grams : ndarray, shape (F, p, p)
        Of all columns that any test uses, over the fitted time. The measured time, which the estimation divides
        by, would bring the residual into the columns.
    moments : ndarray, shape (F, p)
    squares : ndarray, shape (F,)
    noise_moments : ndarray, shape (D, F, p)
        Of drawn residuals.
    noise_squares : ndarray, shape (D, F)
    covariance : ResidualCovariance
    effective_size : float
    residual : ndarray, shape (n,)
        Measured over fitted time of the largest model, less one: what the covariance was estimated from.
    means : ndarray, shape (p,)
        Mean of each column over the fitted time.
    one_size : tuple of str, length p
        The only size at which each column costs anything (:func:`models.inference.support.one_size`).
    by_size : SizeGrams
        Of the same columns.
    partial : ndarray of bool, shape (p,)
        Columns that cost something in some launches and nothing in others.
    """

    grams: Array
    moments: Array
    squares: Array
    noise_moments: Array
    noise_squares: Array
    covariance: ResidualCovariance
    effective_size: float
    residual: Array
    means: Array
    one_size: tuple[str, ...]
    by_size: SizeGrams
    partial: NDArray[np.bool_]

    @classmethod
    def draw(
        cls,
        problem: Problem,
        columns: Array,
        time: Array,
        fold: Indices,
        draws: int,
        rng: np.random.Generator,
        covering: Indices | None = None,
    ) -> Surrogates:
        """Estimate the covariance of the residual and draw surrogates.

        Parameters
        ----------
        problem : Problem
            Shapes of the samples.
        columns : ndarray, shape (n, p)
            Design columns of every model to be compared, in seconds per coefficient.
        time : ndarray, shape (n,)
            Seconds.
        fold : ndarray of int64, shape (n,)
            Fold of each sample; whole blocks of (M, N).
        draws : int
        rng : numpy.random.Generator
        covering : ndarray of int64, optional
            Columns of the largest model, whose residual the covariance is that of: a real mechanism must not pass
            for lack of fit. All columns when ``None``.
        """
        lattice = Lattice.of(problem.M, problem.N, problem.K)
        chosen = np.arange(columns.shape[1]) if covering is None else covering
        fitted, active = _fitted(columns, time, chosen)
        weighted, response = columns / fitted[:, None], time / fitted
        residual = response - 1.0
        covariance = estimate_covariance(residual, weighted[:, active], lattice, problem.flop)
        folds = int(fold.max()) + 1
        order = np.argsort(fold, kind="stable")
        edges = np.searchsorted(fold[order], np.arange(folds + 1))
        parts = [order[first:last] for first, last in pairwise(edges)]
        grams = np.stack([weighted[rows].T @ weighted[rows] for rows in parts])
        moments = np.stack([response[rows] @ weighted[rows] for rows in parts])
        squares = np.array([response[rows] @ response[rows] for rows in parts])
        noise_moments = np.empty((draws, folds, columns.shape[1]))
        noise_squares = np.empty((draws, folds))
        for first in range(0, draws, _CHUNK):
            last = min(first + _CHUNK, draws)
            # The covariance is an estimate itself; with one alone, surrogates would be too much alike.
            noise = covariance.another(rng).draw(lattice, last - first, rng)
            noise += model_form(lattice, last - first, rng)
            for number, rows in enumerate(parts):
                part = noise[rows]
                noise_moments[first:last, number] = part.T @ weighted[rows]
                noise_squares[first:last, number] = (part**2).sum(axis=0)
        return cls(
            grams,
            moments,
            squares,
            noise_moments,
            noise_squares,
            covariance,
            covariance.correlation.effective_size(lattice),
            residual,
            weighted.mean(axis=0),
            one_size(problem, columns),
            SizeGrams.of(problem, weighted, lattice),
            (columns != 0).any(axis=0) & (columns == 0).any(axis=0),
        )

    def compare(self, base: Indices, larger: Indices) -> HeldOut:
        """Compare two nested models by their columns.

        Parameters
        ----------
        base, larger : ndarray of int64
            Columns of the smaller and of the larger model, which holds all of the smaller one's.
        """
        theta, with_addition = self._solve(base), self._solve(larger)
        true = self.sure_costs(base)
        fitted = self.grams @ true
        moments = fitted + self.noise_moments
        squares = fitted @ true + 2.0 * self.noise_moments @ true + self.noise_squares
        small = self._losses(base, self.moments[None], self.squares[None])
        large = self._losses(larger, self.moments[None], self.squares[None])
        null_small = self._losses(base, moments, squares)
        null_large = self._losses(larger, moments, squares)
        difference = (small[0] - large[0])[0]
        folds = difference.size
        spread = float(difference.var(ddof=1)) * (1.0 / folds + 1.0 / (folds - 1)) if folds > 1 else np.nan
        total = float(small[0].sum())
        return HeldOut(
            float(difference.sum()) / total,
            folds * float(np.sqrt(spread)) / total,
            1.0 - null_large[0].sum(axis=1) / null_small[0].sum(axis=1),
            float(np.log(small[1][0] / large[1][0])),
            np.log(null_small[1] / null_large[1]),
            with_addition,
            (float(small[1][0]), float(large[1][0])),
            int((theta > 0).sum()),
            int((with_addition > 0).sum()),
        )

    def _solve(self, columns: Indices) -> Array:
        theta = np.zeros(self.grams.shape[1])
        inside = self.grams[:, columns[:, None], columns].sum(axis=0)
        theta[columns] = solve_nonnegative(inside, self.moments[:, columns].sum(axis=0))
        return theta

    def sure_costs(self, columns: Indices) -> Array:
        """Fit the columns that surely cost something, the others being left out; shape (p,).

        What costs nothing is estimated as something half of the time, and surrogates in which it does cost that
        have not the boundary of the truth (Andrews 2000, Econometrica 68): what other columns take up of chance
        there was taken up here already. So the least sure column is left out, and again, until each costs more
        than sqrt(2 log log n) of its standard errors, the bound for chance (law of the iterated logarithm) that
        Andrews proposes.
        """
        sure = np.sqrt(2.0 * np.log(np.log(max(self.residual.size, 16))))
        whole, noise = self.grams.sum(axis=0), self.noise_moments.sum(axis=1)
        while True:
            theta = self._solve(columns)
            columns = columns[theta[columns] > 0.0]
            if columns.size < 2:
                return theta
            scale = np.sqrt(np.diag(whole)[columns])
            inner = whole[np.ix_(columns, columns)] / scale[:, None] / scale
            errors = np.linalg.solve(inner, (noise[:, columns] / scale).T).std(axis=1)
            ratios = theta[columns] * scale / np.maximum(errors, 1e-300)
            least = int(np.argmin(ratios))
            if ratios[least] >= sure:
                return theta
            columns = np.delete(columns, least)

    def _losses(self, columns: Indices, moments: Array, squares: Array) -> tuple[Array, Array]:
        """Held-out squared error of each fold, shape (D, F), and the in-sample one of all, shape (D,)."""
        grams = self.grams[:, columns[:, None], columns]
        own = moments[:, :, columns]
        every, all_moments = grams.sum(axis=0), own.sum(axis=1, keepdims=True)
        theta = solve_batch(every - grams, all_moments - own)
        curved = np.einsum("dfi,fij,dfj->df", theta, grams, theta, optimize=True)
        held_out = squares - 2.0 * (theta * own).sum(axis=2) + curved
        whole = solve_batch(every[None], all_moments)[:, 0]
        inside = squares.sum(axis=1) - 2.0 * (whole * all_moments[:, 0]).sum(axis=1)
        inside += np.einsum("di,ij,dj->d", whole, every, whole, optimize=True)
        return np.maximum(held_out, 1e-300), np.maximum(inside, 1e-300)


def _fitted(columns: Array, time: Array, chosen: Indices) -> tuple[Array, Indices]:
    """Fitted times of the model with the chosen columns, and those of them that cost something."""
    weighted = columns[:, chosen] / time[:, None]
    theta = solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))
    fitted = columns[:, chosen] @ theta
    # A cell that the model says nothing of is weighted by its own time.
    return np.asarray(np.where(fitted > 0, fitted, time)), chosen[theta > 0]
