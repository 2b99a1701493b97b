"""Estimate of a period, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from attrib.periods.one_period import PeriodHypothesis
from attrib.periods.profile import Level, LineProfile

Array = NDArray[np.float64]

_PROFILE = 161
_REACH = 0.75
"""Of the resolution, one over the span: within it no other line of the spectrum is mistaken for the period."""
_MOST_LINES = 24
_NEAR = 2.0
"""Of the limits without any shift by edges, how far the profile is followed for some."""
_STRIDE = 0.25
"""Of the change of a period that moves the last edge by a sample: how densely shifts by edges are computed."""
_PHASES = 32
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
_LINES_DRAWN = 256
_SEED = 0
_LEAST_WIDENED, _LEAST_LEFT = 0.5, 0.25
"""Least factor by which noise widens, and least part of a band's noise that a harmonic leaves it."""
_ROUNDS = 2

Part = tuple[LineProfile, Level]


@dataclass(frozen=True)
class PeriodInterval:
    """An estimated period in elements, and the ends of its interval."""

    period: float
    lower: float
    upper: float


def period_interval(hypothesis: PeriodHypothesis, level: float = 0.95) -> PeriodInterval | None:
    """Profile the likelihood of a period around a tested one.

    The estimate has the most power in its harmonics, each weighted and in units of the noise in its band
    (:meth:`attrib.periods.profile.Level.weights`). The interval holds all periods under which the estimate would
    be neither among the lowest nor among the highest 2.5 % (inversion of tests). Two things move an estimate:

    - noise: the signed root of the log likelihood ratio is normal, as for any least squares in a frequency
      (Walker 1971), but wider where noise is strong or measured in few dimensions; a factor from lines drawn at the
      estimate, with its harmonics and the noise of their bands, allows for that (parametric bootstrap; Davison
      and Hinkley, Bootstrap Methods and Their Application, 1997, section 4.4).
    - the grid: which sample sees an edge first does not follow the period continuously. On a grid of 16, teeth
      every 64.1 elements are often the very same samples as teeth every 64, and the estimate is 64. For every
      period in question the shift is computed on teeth of the depth that was measured, without noise, at phases
      that fill a turn evenly, alike on all lines: where the edges lie between samples is not known.

    Where lines have different periods, all are scaled alike and the median is reported. At most 24 lines, evenly
    taken, are used.

    Returns
    -------
    PeriodInterval or None
        ``None`` where no line has a harmonic to look at.
    """
    typical = float(np.median(hypothesis.periods))
    reach = _REACH * typical / max(line.span for line in hypothesis.lines)
    # Even in frequency, and so nearly in the phase at the far end of the line.
    factors = 1.0 / (1.0 - np.linspace(-reach, reach, _PROFILE))
    profiles = _profiles(hypothesis, factors)
    if not profiles:
        return None
    powers = {number: profile.powers(profile.residual[None])[0] for number, profile in profiles.items()}
    # First with an edge's harmonics, then by noise and depth as they are where that led, and again.
    total = np.sum([(1.0 / np.square(profiles[n].numbers)) @ power for n, power in powers.items()], axis=0)
    parts: list[Part] = []
    place = 0
    for _ in range(_ROUNDS):
        place = int(np.argmax(total))
        levels = {n: Level.of(hypothesis, n, profile, float(factors[place])) for n, profile in profiles.items()}
        told = {number: level for number, level in levels.items() if level is not None}
        if not told:
            return None
        parts = [(profiles[number], level) for number, level in told.items()]
        total = np.sum([level.weights @ powers[n][: level.weights.size] for n, level in told.items()], axis=0)
    # Where no teeth stand out of the noise, nothing has a weight and every period is as likely.
    top = int(np.argmax(total)) if np.any(total > 0) else place
    root = np.sign(top - np.arange(factors.size)) * np.sqrt(total[top] - total)
    widened = _widened(parts, place, level)
    tail = 0.5 * (1.0 - level)
    upper, lower = (np.full(factors.size, sign * widened * float(ndtri(1.0 - tail))) for sign in (1.0, -1.0))
    near = np.flatnonzero(np.abs(root) <= _NEAR * upper[0])
    # An edge is seen up to a sample late: fitted through teeth in a row, that is at most 1.5 samples over all.
    step = float(np.median([line.step for line in hypothesis.lines]))
    across = step / typical * (factors.size - 1) / (2.0 * _REACH)
    beyond = int(1.5 * across) + 1
    window = slice(max(0, near.min() - 2 * beyond), min(factors.size, near.max() + 2 * beyond + 1))
    questioned = np.arange(max(0, near.min() - beyond), min(factors.size, near.max() + beyond + 1))
    nodes = questioned[:: max(1, int(_STRIDE * across))]
    below, above = _shifts(parts, nodes, window)
    upper[questioned] = np.interp(questioned, nodes, _quantile(above, widened, tail))
    lower[questioned] = -np.interp(questioned, nodes, _quantile(below, widened, tail))
    held = (root >= lower) & (root <= upper)
    held[top] = True
    inside = np.flatnonzero(held)
    # Half a grid step on each side, so that an interval below the resolution of the profile is none of length 0.
    edges = np.concatenate([[factors[0]], 0.5 * (factors[1:] + factors[:-1]), [factors[-1]]])
    ends = edges[inside.min()], edges[inside.max() + 1]
    return PeriodInterval(typical * float(factors[top]), typical * float(min(ends)), typical * float(max(ends)))


def _profiles(hypothesis: PeriodHypothesis, factors: Array) -> dict[int, LineProfile]:
    """Profiles of the lines that have one, by the number of the line."""
    count = len(hypothesis.lines)
    numbers = np.unique(np.linspace(0, count - 1, min(count, _MOST_LINES)).round().astype(int))
    profiles = {int(number): LineProfile.of(hypothesis, int(number), factors) for number in numbers}
    return {number: profile for number, profile in profiles.items() if profile is not None}


def _widened(parts: Sequence[Part], place: int, level: float) -> float:
    """How much wider than normal the root of the likelihood ratio is for lines drawn at the estimate.

    The harmonics are those of an edge of the measured depth, at any phase: as fitted, they hold the chance that
    made the likelihood largest.
    """
    rng = np.random.default_rng(_SEED)
    powers, sums = [], []
    for profile, at in parts:
        dimensions, widths = at.sizes
        spread = np.sqrt(at.noise)
        turned = rng.standard_normal((_LINES_DRAWN, dimensions.sum()))
        size = np.sqrt(at.depth * at.unit / _by_harmonic(turned, dimensions))
        drawn = turned * np.repeat(size, dimensions, axis=1)
        drawn += rng.standard_normal(turned.shape) * np.repeat(spread, dimensions)
        beside = rng.standard_normal((_LINES_DRAWN, widths.sum())) * np.repeat(spread, widths)
        rows = drawn @ np.concatenate(at.harmonics, axis=1).T + beside @ np.concatenate(at.bands, axis=1).T
        powers.append(profile.powers(rows)[:, : widths.size])
        sums.append((_by_harmonic(drawn, dimensions), _by_harmonic(beside, widths)))
    # Noise and depth too are taken where the likelihood is largest: what a harmonic gains there, its band loses.
    gains = [np.zeros(around.shape) for _, around in sums]
    for turn in range(_ROUNDS):
        found = np.zeros((_LINES_DRAWN, parts[0][0].periods.size))
        for (_, at), power, (explained, around), gain in zip(parts, powers, sums, gains, strict=True):
            less = np.maximum(around - gain, _LEAST_LEFT * around)
            weights, _, _ = at.weighed(np.maximum(explained + gain, 0.0), less)
            found += np.einsum("mhf,mh->mf", power, weights)
        if turn + 1 < _ROUNDS:
            best = found.argmax(axis=1)[:, None, None]
            gains = [np.take_along_axis(power, best, axis=2)[..., 0] - power[..., place] for power in powers]
    ratio = np.sqrt(found.max(axis=1) - found[:, place])
    # Chance may not make it narrow to nothing, as where the likelihood is flat.
    return max(_LEAST_WIDENED, float(np.quantile(ratio, level) / ndtri(0.5 * (1.0 + level))))


def _by_harmonic(coefficients: Array, dimensions: NDArray[np.int64]) -> Array:
    """Sums of squares of coefficients (m, d), harmonic by harmonic: shape (m, h)."""
    starts = np.concatenate([[0], np.cumsum(dimensions)[:-1]])
    return np.asarray(np.add.reduceat(np.square(coefficients), starts, axis=1))


def _shifts(parts: Sequence[Part], nodes: NDArray[np.int64], window: slice) -> tuple[Array, Array]:
    """Root of the likelihood ratio of teeth without noise, to shorter and to longer periods: (nodes, phases) each.

    Where both sides have a maximum, noise may prefer either. Maxima are looked for in a window of the factors.
    """
    phases = np.mod((np.arange(_PHASES) + 0.5) * _GOLDEN, 1.0)
    found: Array | float = 0.0
    for profile, at in parts:
        rows = profile.teeth(np.repeat(profile.periods[nodes], _PHASES), np.tile(phases, nodes.size))
        scale = at.depth * at.weights
        found = found + np.einsum("mhf,h->mf", profile.powers(rows, window)[:, : scale.size], scale)
    seen = np.asarray(found).reshape(nodes.size, _PHASES, -1)
    here = (nodes - window.start)[:, None, None]
    own = np.take_along_axis(seen, here, axis=2)[..., 0]
    to_here = np.take_along_axis(np.maximum.accumulate(seen, axis=2), here, axis=2)[..., 0]
    from_here = np.take_along_axis(np.maximum.accumulate(seen[..., ::-1], axis=2)[..., ::-1], here, axis=2)[..., 0]
    return np.sqrt(to_here - own), np.sqrt(from_here - own)


def _quantile(shifts: Array, widened: float, tail: float) -> Array:
    """What normal draws of a spread around shifts (nodes, phases), each as likely, exceed so often: (nodes,)."""
    low, high = np.zeros(shifts.shape[0]), shifts.max(axis=1) + 8.0 * widened
    for _ in range(40):
        middle = 0.5 * (low + high)
        beyond = ndtr((shifts - middle[:, None]) / widened).mean(axis=1) > tail
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.asarray(high)
