"""Estimate of a period, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from attrib.periods.harmonics import HarmonicBasis, waves
from attrib.periods.one_period import PeriodHypothesis

Array = NDArray[np.float64]

_PROFILE = 161
_REACH = 0.75
"""Of the resolution, one over the span: within it no other line of the spectrum is mistaken for the period."""
_MOST_LINES = 24
_DEPENDENT = 1e-8


@dataclass(frozen=True)
class PeriodInterval:
    """An estimated period in elements, and the ends of its interval."""

    period: float
    lower: float
    upper: float


def period_interval(hypothesis: PeriodHypothesis, level: float = 0.95) -> PeriodInterval | None:
    """Profile the likelihood of a period around a tested one.

    The estimate has the most power in its harmonics, each in units of the noise in its band; the interval holds
    all periods whose power is lower by no more than an F quantile with one degree of freedom (least squares in a
    frequency, Walker 1971). Where lines have different periods, all are scaled alike and the median is reported.
    At most 24 lines, evenly taken, are used.

    Returns
    -------
    PeriodInterval or None
        ``None`` where no line has a harmonic to look at.
    """
    typical = float(np.median(hypothesis.periods))
    reach = _REACH * typical / max(line.span for line in hypothesis.lines)
    # Even in frequency, and so nearly in the phase at the far end of the line.
    factors = 1.0 / (1.0 - np.linspace(-reach, reach, _PROFILE))
    count = len(hypothesis.lines)
    numbers = np.unique(np.linspace(0, count - 1, min(count, _MOST_LINES)).round().astype(int))
    profiles = {int(n): _powers(hypothesis, int(n), factors) for n in numbers}
    profiles = {number: powers for number, powers in profiles.items() if powers.shape[1]}
    if not profiles:
        return None
    first = int(np.argmax(np.sum([powers.sum(axis=1) for powers in profiles.values()], axis=0)))
    total, degrees = np.zeros(factors.size), 0.0
    for number, powers in profiles.items():
        basis = hypothesis.basis(number, float(factors[first]))
        if basis is None:
            continue
        _, around = basis.powers(basis.residual(hypothesis.lines[number].log_throughput))
        widths = np.array([band.shape[1] for band in basis.bands], dtype=np.float64)
        used = min(powers.shape[1], widths.size)
        noise = np.maximum(around / widths, _floor(hypothesis, number, basis))[:used]
        total += (powers[:, :used] / noise).sum(axis=1)
        degrees += float(widths.sum())
    if degrees == 0:
        return None
    top = int(np.argmax(total))
    inside = np.flatnonzero(total[top] - total <= f_distribution.ppf(level, 1, degrees))
    # Half a grid step on each side, so that an interval below the resolution of the profile is none of length 0.
    edges = np.concatenate([[factors[0]], 0.5 * (factors[1:] + factors[:-1]), [factors[-1]]])
    ends = edges[inside.min()], edges[inside.max() + 1]
    return PeriodInterval(typical * float(factors[top]), typical * float(min(ends)), typical * float(max(ends)))


def _floor(hypothesis: PeriodHypothesis, number: int, basis: HarmonicBasis) -> float:
    """Mean square of all that a line's trend and harmonics leave.

    Teeth have edges, which a coarse grid does not resolve: their high harmonics come back as any frequency, and
    shift an estimate as noise of their size would.
    """
    residual = basis.residual(hypothesis.lines[number].log_throughput)
    explained, _ = basis.powers(residual)
    taken = basis.nuisance.shape[1] + sum(columns.shape[1] for columns in basis.harmonics)
    left = float(np.square(residual).sum() - explained.sum())
    return float(max(left / max(1, residual.size - taken), 1e-300))


def _powers(hypothesis: PeriodHypothesis, number: int, factors: Array) -> Array:
    """Power in every harmonic at periods scaled by factors, shape (factors, harmonics)."""
    line, period = hypothesis.lines[number], hypothesis.periods[number]
    centre = hypothesis.basis(number)
    if centre is None:
        return np.empty((factors.size, 0))
    residual = centre.residual(line.log_throughput)
    x = line.x.astype(np.float64)
    own = list(hypothesis.harmonics(number))[: len(centre.harmonics)]
    frequencies = 1.0 / (period * factors)
    return np.stack([_explained(residual, waves(x, k * frequencies), centre.nuisance) for k in own], axis=1)


def _explained(residual: Array, columns: Array, nuisance: Array) -> Array:
    """Sum of squares that each pair of cosine and sine explains beside the nuisance, shape (frequencies,)."""
    left = columns - nuisance @ (nuisance.T @ columns)
    cosine, sine = np.split(left, 2, axis=1)
    a, b = residual @ cosine, residual @ sine
    aa, bb, ab = np.square(cosine).sum(axis=0), np.square(sine).sum(axis=0), (cosine * sine).sum(axis=0)
    determinant = aa * bb - ab**2
    both = np.divide(
        bb * a**2 - 2.0 * ab * a * b + aa * b**2,
        determinant,
        out=np.zeros_like(a),
        where=determinant > _DEPENDENT * (aa + bb) ** 2,
    )
    # At the Nyquist frequency there is one column, not two.
    one = np.where(aa >= bb, a**2 / np.maximum(aa, 1e-300), b**2 / np.maximum(bb, 1e-300))
    return np.asarray(np.maximum(both, np.where(np.maximum(aa, bb) > 1e-6 * residual.size, one, 0.0)))
