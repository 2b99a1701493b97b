"""Harmonic regression of a line at one period, each harmonic against the noise in its own band.

At frequency f = 1/P the harmonics k f are compared with the frequencies between k f - f/2 and k f + f/2. Only the
noise level within a band has to be even, so that correlated noise, whose level falls with the frequency, does
not look like a period. What is slower than 2 P is trend. For a period of a whole number of samples, all its
harmonics together are the means of the phase-folded line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.periods.line import Line

Array = NDArray[np.float64]

MOST_HARMONICS = 4
_BAND = 4
"""Neighbouring frequencies on each side of a harmonic, at most."""
_RANK, _TREND_RANK = 3e-4, 1e-10


@dataclass(frozen=True, eq=False)
class HarmonicBasis:
    """Orthonormal bases of one line at one period.

    Attributes
    ----------
    nuisance : ndarray, shape (n, p)
        Trend and whatever else is conditioned on.
    harmonics, bands : tuple of ndarray, each of shape (n, d)
        Columns of every harmonic, and of the frequencies around it.
    weight : ndarray, shape (n,)
        The line was multiplied by this.
    """

    nuisance: Array
    harmonics: tuple[Array, ...]
    bands: tuple[Array, ...]
    weight: Array

    def residual(self, y: Array) -> Array:
        """Weighted line less its trend, shape (..., n)."""
        weighted = y * self.weight
        left = weighted - (weighted @ self.nuisance) @ self.nuisance.T
        # What is left of a line without any noise is rounding, which may well have a period.
        size, whole = (np.linalg.norm(part, axis=-1, keepdims=True) for part in (left, weighted))
        return np.asarray(np.where(size > 1e-11 * whole, left, 0.0))

    def refilled(self, residual: Array, rng: np.random.Generator) -> Array:
        """Residuals with noise of their own size in the dimensions that the trend took up.

        Shuffling mixes all frequencies: without this, the gap that the trend leaves would spread over the others.
        """
        taken = self.nuisance.shape[1]
        size = np.sqrt(np.square(residual).sum(axis=-1) / max(1, residual.shape[-1] - taken))
        noise = rng.standard_normal((*residual.shape[:-1], taken)) * size[..., None]
        return np.asarray(residual + noise @ self.nuisance.T)

    def powers(self, residual: Array) -> tuple[Array, Array]:
        """Sums of squares explained by every harmonic and found in its band, each of shape (..., h)."""
        explained = [np.square(residual @ q).sum(axis=-1) for q in self.harmonics]
        around = [np.square(residual @ q).sum(axis=-1) for q in self.bands]
        return np.stack(explained, axis=-1), np.stack(around, axis=-1)

    def statistic(self, residual: Array) -> Array:
        """Log likelihood ratio of harmonics on, against off, for a noise level of its own in every band."""
        explained, around = self.powers(residual)
        return np.asarray((self.degrees / 2.0 * np.log1p(explained / np.maximum(around, 1e-300))).sum(axis=-1))

    @property
    def degrees(self) -> Array:
        """Dimensions of every band with its harmonic, shape (h,)."""
        return np.array([h.shape[1] + b.shape[1] for h, b in zip(self.harmonics, self.bands, strict=True)])


def harmonic_basis(
    line: Line,
    period: float,
    numbers: Sequence[int],
    *,
    growing: bool = False,
    conditions: Array | None = None,
) -> HarmonicBasis | None:
    """Build the bases of one line at one period.

    Parameters
    ----------
    line : Line
    period : float
        Elements.
    numbers : sequence of int
        Harmonics to use.
    growing : bool
        Multiply the line by its size first: an excess of a whole unit of work, such as a partly filled tile, has a
        relative cost that falls as 1/x.
    conditions : ndarray, shape (n, c), optional
        Columns to condition on.

    Returns
    -------
    HarmonicBasis or None
        ``None`` where no harmonic is left beside its trend and a band to compare it with.
    """
    x = line.x.astype(np.float64)
    weight = x / x.mean() if growing else np.ones_like(x)
    nuisance = np.concatenate(
        [
            weight[:, None] * np.stack([np.ones_like(x), np.log(x), x / x[-1]], axis=1),
            slow(line, 2.0 * period),
            weight[:, None] * (np.empty((x.size, 0)) if conditions is None else conditions),
        ],
        axis=1,
    )
    taken = orthonormal(nuisance, np.empty((x.size, 0)))
    base = taken
    harmonics, bands = [], []
    highest = 0.5 / line.step * (1.0 + 1e-9)
    possible = [k for k in numbers if k / period <= highest]
    for k in possible:
        columns = orthonormal(waves(x, np.array([k / period])), taken)
        harmonics.append(columns)
        taken = np.concatenate([taken, columns], axis=1)
    side = np.arange(1, min(_BAND, max(1, int(0.5 * line.span / period))) + 1) / line.span
    for k in possible:
        around = np.concatenate([k / period - side, k / period + side])
        around = around[(around > 0.25 / period) & (around <= highest)]
        columns = orthonormal(waves(x, around), taken)
        bands.append(columns)
        taken = np.concatenate([taken, columns], axis=1)
    kept = [(h, b) for h, b in zip(harmonics, bands, strict=True) if h.shape[1] and b.shape[1] >= 2]
    if not kept:
        return None
    return HarmonicBasis(base, tuple(h for h, _ in kept), tuple(b for _, b in kept), weight)


def own_harmonics(period: float, step: float, span: float, smaller: Sequence[float]) -> tuple[int, ...]:
    """Harmonics of a period that no smaller period shares: what a smaller one would leave dark.

    Parameters
    ----------
    period, step, span : float
        Elements.
    smaller : sequence of float
        Other periods, elements; larger ones are passed over.
    """
    own = []
    for k in range(1, MOST_HARMONICS + 1):
        if k / period > 0.5 / step * (1.0 + 1e-9):
            break
        multiples = [max(1, round(other * k / period)) / other for other in smaller if other < period * (1 - 1e-6)]
        if all(abs(k / period - multiple) > 0.5 / span for multiple in multiples):
            own.append(k)
    return tuple(own)


def slow(line: Line, wavelength: float) -> Array:
    """Cosines of half waves over the line that are longer than a wavelength (elements), shape (n, c)."""
    count = max(0, int(np.ceil(2.0 * line.span / wavelength - 1e-9)) - 1)
    count = min(count, line.x.size // 2)
    phase = (line.x - line.x[0] + 0.5 * line.step) / line.span
    return np.asarray(np.cos(np.pi * phase[:, None] * np.arange(1, count + 1)))


def waves(x: Array, frequencies: Array) -> Array:
    """Cosines and sines of given frequencies (1/elements), shape (n, 2 f)."""
    angle = 2.0 * np.pi * x[:, None] * frequencies
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)


def orthonormal(columns: Array, against: Array) -> Array:
    """Orthonormal basis of what columns add to an orthonormal basis; dependent ones are dropped."""
    if columns.shape[1] == 0:
        return columns
    size = np.linalg.norm(columns, axis=0)
    # A sine at the Nyquist frequency is rounding, not a column.
    seen = size > 1e-6 * max(1e-300, float(size.max()))
    left = columns[:, seen] / size[seen]
    for _ in range(2):
        left = left - against @ (against.T @ left)
    basis, values, _ = np.linalg.svd(left, full_matrices=False)
    # A trend goes whole, whatever of it is nearly dependent; of a wave, what a trend all but holds is no evidence.
    least = _RANK if against.shape[1] else _TREND_RANK
    return np.asarray(basis[:, values > least * max(1.0, float(values[0]))])
