"""Profile of a line over its period: power of its harmonics, weighted by how far they stand out of their bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from attrib.periods.harmonics import waves
from attrib.periods.one_period import PeriodHypothesis

Array = NDArray[np.float64]

_DEPENDENT = 1e-8
"""Of a sine, the power that must be left of it beside its cosine: at the Nyquist frequency there is one column."""
_PHASES = 8
_TURNS = 6
_LEAST = 1e-20
"""Noise of a line without any, as a part of its mean square: it has an estimate too."""


@dataclass(frozen=True, eq=False)
class LineProfile:
    """One line and all it takes to profile its period over a grid of factors.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Sizes, elements.
    periods : ndarray, shape (f,)
        The tested period times every factor, elements.
    residual : ndarray, shape (n,)
        Weighted line less its trend.
    nuisance : ndarray, shape (n, p)
        That trend, orthonormal.
    numbers : tuple of int
        Harmonics used, h of them.
    columns : ndarray, shape (n, 2, h, f)
        Orthonormal pairs of every harmonic at every factor.
    """

    x: Array
    periods: Array
    residual: Array
    nuisance: Array
    numbers: tuple[int, ...]
    columns: Array

    @classmethod
    def of(cls, hypothesis: PeriodHypothesis, number: int, factors: Array) -> LineProfile | None:
        """Prepare a line of a hypothesis; ``None`` where it has no harmonic to look at."""
        basis = hypothesis.basis(number)
        if basis is None:
            return None
        line = hypothesis.lines[number]
        x = line.x.astype(np.float64)
        own = hypothesis.harmonics(number)[: len(basis.harmonics)]
        periods = hypothesis.periods[number] * factors
        columns = waves(x, np.concatenate([k / periods for k in own]))
        columns -= basis.nuisance @ (basis.nuisance.T @ columns)
        joint = _joint(columns.reshape(x.size, 2, len(own), -1))
        return cls(x, periods, basis.residual(line.log_throughput), basis.nuisance, own, joint)

    def powers(self, rows: Array, window: slice = slice(None)) -> Array:
        """Sums of squares that harmonics explain of rows of shape (m, n), at the factors of a window: (m, h, f)."""
        columns = self.columns[..., window]
        found = np.square(rows @ columns.reshape(self.x.size, -1))
        return np.asarray(found.reshape(rows.shape[0], *columns.shape[1:]).sum(axis=1))

    def teeth(self, periods: Array, phases: Array) -> Array:
        """Sawteeth one deep, less their trend, of periods (elements) and phases (turns) of shape (m,): (m, n)."""
        rows = np.mod(self.x / periods[:, None] + phases[:, None], 1.0) - 0.5
        return np.asarray(rows - (rows @ self.nuisance) @ self.nuisance.T)


def _joint(columns: Array) -> Array:
    """Make cosines and sines (n, 2, h, f) orthonormal at every factor, lower harmonics first.

    By itself, a high harmonic would take up what a few teeth leak into it from the strong first one. What depends
    on columns before it becomes nought.
    """
    size = columns.shape[0]
    done: list[Array] = []
    for k in range(columns.shape[2]):
        cosine, sine = (_beside(columns[:, part, k], done) for part in (0, 1))
        flip = np.square(sine).sum(axis=0) > np.square(cosine).sum(axis=0)
        # What the trend holds is no wave.
        first = _unit(np.where(flip, sine, cosine), np.full(flip.size, 1e-6 * size))
        second = np.where(flip, cosine, sine)
        least = _DEPENDENT * np.square(second).sum(axis=0) + _DEPENDENT * size
        done += [first, _unit(_beside(second, [first]), least)]
    return np.stack([np.stack(done[part::2], axis=1) for part in (0, 1)], axis=1)


def _beside(column: Array, others: list[Array]) -> Array:
    for other in others:
        column = column - other * (other * column).sum(axis=0)
    return column


def _unit(column: Array, least: Array) -> Array:
    """Columns (n, f) of length one, or nought where the square of their length is no more than the least."""
    length = np.square(column).sum(axis=0)
    seen = length > least
    return np.asarray(column * np.where(seen, 1.0 / np.sqrt(np.where(seen, length, 1.0)), 0.0))


@dataclass(frozen=True, eq=False)
class Level:
    """Noise of one line around each of its harmonics, and what teeth would add.

    Attributes
    ----------
    harmonics, bands : tuple of ndarray, each of shape (n, d)
        Orthonormal columns of every harmonic at the period where the level was taken, and of its band.
    explained, around : ndarray, shape (h,)
        Sums of squares of the line in every harmonic and in its band.
    unit : ndarray, shape (h,)
        What each harmonic would explain of a sawtooth one deep, mean over the phase.
    least : float
        Least variance of the noise.
    """

    harmonics: tuple[Array, ...]
    bands: tuple[Array, ...]
    explained: Array
    around: Array
    unit: Array
    least: float

    @classmethod
    def of(cls, hypothesis: PeriodHypothesis, number: int, profile: LineProfile, factor: float) -> Level | None:
        """Take it at the hypothesis' period times a factor; ``None`` where no band is left there."""
        basis = hypothesis.basis(number, factor)
        if basis is None:
            return None
        used = min(len(profile.numbers), len(basis.harmonics))
        residual = basis.residual(hypothesis.lines[number].log_throughput)
        explained, around = basis.powers(residual)
        phases = np.arange(_PHASES) / _PHASES
        teeth = profile.teeth(np.full(_PHASES, hypothesis.periods[number] * factor), phases)
        unit, _ = basis.powers(teeth)
        least = _LEAST * float(np.square(residual).mean()) + float(np.finfo(np.float64).tiny) ** 0.5
        return cls(
            basis.harmonics[:used],
            basis.bands[:used],
            explained[:used],
            around[:used],
            unit.mean(axis=0)[:used],
            least,
        )

    @property
    def weights(self) -> Array:
        """What the powers of the line's harmonics are multiplied by, shape (h,)."""
        return self._own[0]

    @property
    def depth(self) -> float:
        """Squared depth of the line's teeth."""
        return self._own[1]

    @property
    def noise(self) -> Array:
        """Variance of a dimension in every band of the line, shape (h,)."""
        return self._own[2]

    @cached_property
    def _own(self) -> tuple[Array, float, Array]:
        weights, depth, noise = self.weighed(self.explained[None], self.around[None])
        return weights[0], float(depth[0]), noise[0]

    @property
    def sizes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Dimensions of every harmonic and of its band, shape (h,) each."""
        harmonics, bands = ([columns.shape[1] for columns in part] for part in (self.harmonics, self.bands))
        return np.array(harmonics), np.array(bands)

    def weighed(self, explained: Array, around: Array) -> tuple[Array, Array, Array]:
        """What powers of harmonics are multiplied by, the squared depth of the teeth, and the noise.

        An edge has harmonics of amplitude 1/k. Where the amplitude is drawn from a normal distribution, power adds
        w / noise times itself to twice the log likelihood, w = t / (1 + t), with t the expected power over the
        noise (marginal likelihood of a Gaussian linear model; Rasmussen and Williams, Gaussian Processes, 2006,
        section 2.7). A harmonic that drowns in noise so counts little: its chance maxima locate nothing. By the
        same token most of what it explains is noise. Noise and depth are found by turns, the noise by the step of
        expectation and maximization (Dempster, Laird and Rubin 1977).

        Parameters
        ----------
        explained, around : ndarray, shape (m, h)
            Sums of squares in harmonics and bands, of m lines.

        Returns
        -------
        weights : ndarray, shape (m, h)
            w / noise.
        depth : ndarray, shape (m,)
            Squared.
        noise : ndarray, shape (m, h)
            Variance of a dimension in every band.
        """
        dimensions, widths = self.sizes
        noise = np.maximum(around / widths, self.least)
        share, depth = np.ones_like(noise), np.zeros(noise.shape[0])
        for _ in range(_TURNS):
            over = (explained / noise - dimensions).sum(axis=1)
            depth = np.maximum(0.0, over / (self.unit / noise).sum(axis=1))
            expected = depth[:, None] * self.unit / (dimensions * noise)
            share = expected / (1.0 + expected)
            left = around + (1.0 - share) ** 2 * explained + dimensions * share * noise
            noise = np.maximum(left / (dimensions + widths), self.least)
        return share / noise, depth, noise
