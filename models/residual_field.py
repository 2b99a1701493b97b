"""The lack of fit of a landscape as a random field: how far its residuals hang together, and what that costs.

Neighbouring shapes share their lack of fit, so that n residuals say less than n independent ones would, and a
coefficient is less certain than the sums of squares suggest. The relative residuals u of a tile are described by

    Cov(u_i, u_j) = a_i a_j (q0 r_M r_N r_K + q_M r_M d_N d_K + q_N d_M r_N d_K + q_K d_M d_N r_K + q d_M d_N d_K),

r_x = exp(-(|distance along x| / length_x)^s_x) with s_x = 1 or 2, and d_x = 1 for equal sizes, else 0. So there is
a field that neighbours share in every direction, lack of fit that is shared along one axis alone (that of an (M, N)
at all K, say), and a nugget. Distances are in octaves or in elements, whichever suits an axis. The logarithm of the
amplitudes a is quadratic in the octaves, for small shapes, or those of a few waves, are often told less well.

What is fitted is the correlogram along each axis: mean products of residuals whose shapes differ along it alone.
Residuals are flatter than the field that they come from, for the fit has absorbed a part of it; the expected loss
is worked out from the design and given back. The covariance of the scores X'u then follows without a loop over
pairs, because each correlation is a product over the axes. It is the covariance of spatial econometrics
(Conley 1999) with a fitted correlation in place of a kernel of chosen width, fitted as geostatistics does (Cressie
1993, sections 2.4 and 2.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.cells import Cells, unfold
from models.correlogram import Falloff, NeighbourPairs, axis_products
from models.matrix_root import matrix_root

Array = NDArray[np.float64]

_ROUNDS = 4
"""Correlogram fits, each corrected for what the fit before says was absorbed; few are needed to settle."""

_EXACT = 1e-9
"""Relative residuals of this size are rounding: an exact fit has no lack of fit to describe."""

_ALIKE = 0.15
"""Reaches that differ by less are one and the same but for their errors."""

_SCORING = 8
"""Scoring steps of the amplitudes."""

_UNLIKE = 9.0
"""Largest logarithm of the variance of a residual over the mean variance: a factor of 90 in size."""

_CODES = np.array([4096.0, 64.0, 1.0])
"""Make one number of three octaves, each below 64."""


@dataclass(frozen=True)
class ResidualField:
    """A fitted field of relative residuals.

    Attributes
    ----------
    cells : Cells
    amplitude : ndarray, shape (n,)
        Relative standard deviation of each sample.
    reach : tuple of float
        Correlation of neighbours along M, N and K in the limit of no distance; NaN where they show none.
    falls : tuple of Falloff
        How the correlation falls along M, N and K.
    freedom : float
        Independent residuals that would tell the scale as well as these do (Satterthwaite's approximation).
    """

    cells: Cells
    amplitude: Array
    reach: tuple[float, ...]
    falls: tuple[Falloff, ...]
    freedom: float

    @classmethod
    def fit(cls, cells: Cells, scaled: Array, residual: Array) -> ResidualField | None:
        """Fit the field to the residuals of a weighted least-squares fit.

        Parameters
        ----------
        cells : Cells
        scaled : ndarray, shape (n, p)
            Design over time, of the columns that the fit was free to move.
        residual : ndarray, shape (n,)
            Relative residuals 1 - x'theta / t.

        Returns
        -------
        ResidualField or None
            ``None`` where no two shapes differ along one axis alone, or the residuals are those of rounding.
        """
        amplitude = _amplitudes(cells, residual)
        count = cells.sum(np.ones((residual.size, 1)))
        pairs = NeighbourPairs.of(cells, count)
        if amplitude is None or pairs is None:
            return None
        unit = residual / amplitude
        products = axis_products(cells.sum(unit[:, None]))
        total = float(unit @ unit)
        # In units of the amplitudes the residuals are u - Y W'u, with the inverse Gram matrix in Y.
        norm = np.linalg.norm(scaled, axis=0)
        columns = scaled[:, norm > 0] / norm[norm > 0]
        inverse = np.linalg.pinv(columns.T @ columns, rcond=1e-10, hermitian=True)
        Y, W = columns / amplitude[:, None] @ inverse, columns * amplitude[:, None]
        inner, crossed, weight = W.T @ W, W.T @ Y, Y.T @ Y
        cells_of_y, cells_of_w = cells.sum(Y), cells.sum(W)
        lost = [np.zeros_like(product) for product in products]
        lost_in_all = 0.0
        for _ in range(_ROUNDS):
            variance = (total + max(0.0, lost_in_all)) / residual.size
            means = [(product + gap) / variance for product, gap in zip(products, lost, strict=True)]
            reach, falls = pairs.correlogram(means)
            field = cls(cells, amplitude, reach, falls, np.inf)
            parts = list(zip(field.shares(), _parts(field.correlations()), strict=True))
            spread = np.zeros_like(cells_of_w)
            for q, part in parts:
                if q > 0:
                    spread += variance * q * _apply(part, cells_of_w)
            common = np.tensordot(cells_of_w, spread, axes=([0, 1, 2], [0, 1, 2]))
            between = np.tensordot(spread, cells_of_y, axes=([0, 1, 2], [0, 1, 2]))
            own = variance * field.nugget_share
            lost_in_all = 2.0 * np.trace(between) - np.sum(weight * common)
            lost_in_all += own * (2.0 * np.trace(crossed) - np.sum(weight * inner))
            lost = _absorbed(cells_of_y, spread + own * cells_of_w, common + own * inner)
        variance = (total + max(0.0, lost_in_all)) / residual.size
        squares = 0.0
        for p, first in parts:
            for q, second in parts:
                both = [a * b for a, b in zip(first, second, strict=True)]
                squares += p * q * float(np.vdot(count, _apply(both, count))) if p * q > 0 else 0.0
        # Trace of the squared correlation matrix of the samples, the nugget on its diagonal alone.
        trace = squares + residual.size * (1.0 - (1.0 - field.nugget_share) ** 2)
        return cls(cells, amplitude * np.sqrt(variance), reach, falls, residual.size**2 / trace)

    def shares(self) -> tuple[float, ...]:
        """Shares of the variance: what all directions have in common, then what one axis alone does.

        Of the axes along which there is correlation, those whose reach is about the least have it in common.
        """
        least = min((q for q in self.reach if not np.isnan(q)), default=0.0)
        near = [q for q in self.reach if q <= least + _ALIKE]
        common = float(np.mean(near)) if near else 0.0
        alone = [q - common if q > least + _ALIKE else 0.0 for q in self.reach]
        room = (1.0 - common) / max(sum(alone), 1.0 - common, 1e-300)
        return (common, *(room * one for one in alone))

    @property
    def nugget_share(self) -> float:
        """Share of the variance that no two shapes have in common."""
        return max(0.0, 1.0 - sum(self.shares()))

    def correlations(self) -> list[Array]:
        """Correlation of neighbours along each axis."""
        return [fall.correlation(self.cells.distances(axis)) for axis, fall in enumerate(self.falls)]

    def loadings(self, scaled: Array) -> list[Array | None]:
        """Scores as multiples of independent unit variables, for each structured part; shape (cells, p) each.

        The inner products of a part with itself add up to the covariance of the scores X'u without the nugget.
        Those between tiles, times the correlation of the tiles, do so for their scores. A part of no share is
        ``None``.
        """
        sums = self.cells.sum(scaled * self.amplitude[:, None])
        roots = [matrix_root(one).T for one in self.correlations()]
        return [
            np.sqrt(q) * _apply(part, sums).reshape(-1, scaled.shape[1]) if q > 0 else None
            for q, part in zip(self.shares(), _parts(roots), strict=True)
        ]

    def nugget(self, scaled: Array) -> Array:
        """Covariance of the scores from what no two shapes share, shape (p, p)."""
        own = scaled * (self.amplitude * np.sqrt(self.nugget_share))[:, None]
        return np.asarray(own.T @ own)


def _amplitudes(cells: Cells, residual: Array) -> Array | None:
    """Standard deviation of each residual, its logarithm quadratic in the octaves; ``None`` for an exact fit.

    The squares are regressed by gamma quasi-likelihood with a logarithmic link (McCullagh & Nelder 1989,
    chapter 8), whose scoring steps have the same matrix throughout. Neighbours say much the same, so that few
    shapes stand behind the powers: they are shrunk towards none as James & Stein (1961) do, by their covariance
    between octaves.
    """
    square = residual**2
    mean = float(square.mean())
    if mean <= _EXACT**2:
        return None
    places = np.unravel_index(cells.place, cells.shape)
    octaves = np.stack([np.log2(sizes)[place] for sizes, place in zip(cells.sizes, places, strict=True)], axis=1)
    clusters = np.unique(np.floor(octaves) @ _CODES, return_inverse=True)[1]
    octaves = octaves - octaves.mean(axis=0)
    squares = [octaves[:, a] * octaves[:, b] for a in range(3) for b in range(a, 3)]
    design = np.column_stack([octaves, *squares])
    design = design - design.mean(axis=0)
    step = np.linalg.pinv(design)
    powers, logarithm, left = np.zeros(design.shape[1]), np.zeros(residual.size), square / mean - 1.0
    for _ in range(_SCORING):
        powers = powers + np.clip(step @ left, -1.0, 1.0)
        logarithm = np.clip(design @ powers, -_UNLIKE, _UNLIKE)
        ratio = square * np.exp(-logarithm)
        left = ratio / ratio.mean() - 1.0
    moves = np.stack([np.bincount(clusters, row * left) for row in step])
    wald = float(powers @ np.linalg.pinv(moves @ moves.T, rcond=1e-10, hermitian=True) @ powers)
    rank = np.linalg.matrix_rank(design)
    logarithm *= max(0.0, 1.0 - (rank - 2) / max(wald, 1e-300)) if rank > 2 else 1.0
    return np.asarray(np.sqrt(mean) * np.exp(0.5 * logarithm))


def _absorbed(Y: Array, spread: Array, common: Array) -> list[Array]:
    """Expected products of the field less those of its residuals, along each axis."""
    second = Y @ common
    found = []
    for axis in range(3):
        flat = unfold(Y, axis)
        once = flat @ unfold(spread, axis).T
        found.append(once + once.T - unfold(second, axis) @ flat.T)
    return found


def _parts(matrices: Sequence[Array]) -> list[list[Array]]:
    """What is shared in every direction, then along one axis alone: matrices by axis."""
    alone = [
        [matrix if place == axis else np.eye(len(matrix)) for place, matrix in enumerate(matrices)]
        for axis in range(len(matrices))
    ]
    return [list(matrices), *alone]


def _apply(matrices: Sequence[Array], values: Array) -> Array:
    """Apply one matrix along each of the first axes."""
    for axis, matrix in enumerate(matrices):
        values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values
