"""Blind search: the strongest period that no candidate has taken, against the largest of all under the null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.periods.harmonics import orthonormal, slow, waves
from attrib.periods.line import Line
from attrib.periods.permutation import Group, null_distribution, permutation_p_value

Array = NDArray[np.float64]

LEAST_SAMPLES, LEAST_PERIODS = 3.0, 4.0
_EDGE = 2
"""Lowest frequencies that only serve as neighbours: those without any below would look strong in falling noise."""
_NEIGHBOURS = 4
_BLOCK = 2.0
_MOST_FREQUENCIES = 256


@dataclass(frozen=True, eq=False)
class PeriodScan:
    """The strongest single frequency of a band.

    Attributes
    ----------
    null : str
    period : float
        Elements.
    statistic : float
        Its log likelihood ratio over all lines.
    p_value : float
        Share of the null whose largest statistic, over all frequencies, is at least as large.
    distribution : ndarray, shape (draws,)
    periods, statistics : ndarray, shape (f,)
        The whole spectrum.
    """

    null: str
    period: float
    statistic: float
    p_value: float
    distribution: Array
    periods: Array
    statistics: Array


def scan_periods(
    lines: Sequence[Line],
    conditions: Sequence[Array] | None,
    *,
    draws: int,
    rng: np.random.Generator,
) -> PeriodScan | None:
    """Look for any period from three samples up to a sixth of the line.

    The spectrum is that of least squares (Lomb 1976, Scargle 1982) at the line's own frequencies, after trend and
    conditions; every frequency is compared with four neighbours on each side.

    Returns
    -------
    PeriodScan or None
        ``None`` where the lines are too short, or leave no frequency free.
    """
    frequencies = _frequencies(lines)
    if frequencies.size < _EDGE + 3:
        return None
    groups, observed = [], np.zeros(frequencies.size - _EDGE)
    for number, line in enumerate(lines):
        x = line.x.astype(np.float64)
        given = np.empty((x.size, 0)) if conditions is None else conditions[number]
        trend = np.stack([np.ones_like(x), np.log(x), x / x[-1]], axis=1)
        # What is slower than the longest period looked for is trend.
        columns = np.concatenate([trend, slow(line, 1.5 / frequencies[0]), given], axis=1)
        nuisance = orthonormal(columns, np.empty((x.size, 0)))
        if x.size - nuisance.shape[1] < 2 * _NEIGHBOURS:
            continue
        bases = [orthonormal(waves(x, f[None]), nuisance) for f in frequencies]
        spectrum = _Spectrum(bases)
        residual = line.log_throughput - nuisance @ (nuisance.T @ line.log_throughput)
        observed += spectrum(residual)
        size = np.sqrt(np.square(residual).sum() / (x.size - nuisance.shape[1]))
        filled = residual + nuisance @ (rng.standard_normal(nuisance.shape[1]) * size)
        groups.append(Group(filled[None], spectrum))
    if not groups:
        return None
    null = null_distribution(groups, [_BLOCK] * len(groups), draws, rng).max(axis=1)
    frequencies = frequencies[_EDGE:]
    top = int(np.argmax(observed))
    return PeriodScan(
        "no further period: every frequency is as strong as its neighbours",
        float(1.0 / frequencies[top]),
        float(observed[top]),
        permutation_p_value(float(observed[top]), null),
        null,
        1.0 / frequencies,
        observed,
    )


def _frequencies(lines: Sequence[Line]) -> Array:
    """Multiples of one over the longest span, in the band that most lines resolve."""
    span = max(line.span for line in lines)
    step = float(np.median([line.spacing for line in lines]))
    last = int(span / (LEAST_SAMPLES * step) + 1e-9)
    numbers = np.arange(int(LEAST_PERIODS), last + 1)
    stride = max(1, -(-numbers.size // _MOST_FREQUENCIES))
    return np.asarray(numbers[::stride] / span, dtype=np.float64)


class _Spectrum:
    """Log likelihood ratio of every frequency against its neighbours."""

    def __init__(self, bases: Sequence[Array]) -> None:
        self._columns = np.concatenate(bases, axis=1)
        self._sizes = np.array([basis.shape[1] for basis in bases])
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        count = len(bases)
        near = np.abs(np.arange(count)[:, None] - np.arange(count))
        self._window = ((near > 0) & (near <= _NEIGHBOURS)).astype(np.float64)
        self._around = self._window @ self._sizes

    def __call__(self, residual: Array) -> Array:
        power = np.square(residual @ self._columns)
        total = np.zeros((*power.shape[:-1], self._sizes.size))
        filled = self._sizes > 0
        total[..., filled] = np.add.reduceat(power, self._starts[filled], axis=-1)
        around = np.maximum(total @ self._window, 1e-300)
        # An even share for each dimension: a frequency half taken by a condition weighs half.
        ratio = 0.5 * (self._sizes + self._around) * np.log1p(total / around)
        return np.asarray(ratio[..., _EDGE:])
