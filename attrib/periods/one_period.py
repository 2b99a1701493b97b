"""The test of one period on one line, or pooled over many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.periods.autocorrelation import common_autocorrelation, innovations, of_innovations
from attrib.periods.harmonics import HarmonicBasis, harmonic_basis, own_harmonics
from attrib.periods.line import Line
from attrib.periods.permutation import Group, null_distribution, permutation_p_value

Array = NDArray[np.float64]

_LEAST_BLOCK = 2.0
_BLOCKS_A_PERIOD = 4.0
"""Blocks are short: noise that neighbours share is met by the bands, and long ones would keep a period's phase."""
_BENT = 8.0
"""Samples of a period from which on the spectrum of noise bends within a band."""


@dataclass(frozen=True, eq=False)
class PeriodHypothesis:
    """A period and what it is tested against.

    Attributes
    ----------
    lines : tuple of Line
    periods : tuple of float
        Elements, one a line.
    growing : bool
        Whether its relative amplitude falls as 1/x (:func:`attrib.periods.harmonics.harmonic_basis`).
    smaller : tuple of tuple of float
        Smaller periods, one a line each: harmonics shared with them count for nothing.
    conditions : tuple of ndarray of shape (n, c), or None
        Columns to condition on, one a line.
    """

    lines: tuple[Line, ...]
    periods: tuple[float, ...]
    growing: bool = False
    smaller: tuple[tuple[float, ...], ...] = ()
    conditions: tuple[Array, ...] | None = None

    def harmonics(self, number: int) -> tuple[int, ...]:
        """Harmonics that are the period's own on one line."""
        line = self.lines[number]
        smaller = [item[number] for item in self.smaller]
        return own_harmonics(self.periods[number], line.step, line.span, smaller)

    def basis(self, number: int, factor: float = 1.0) -> HarmonicBasis | None:
        """Bases of one line, at the period times a factor."""
        return harmonic_basis(
            self.lines[number],
            self.periods[number] * factor,
            self.harmonics(number),
            growing=self.growing,
            conditions=None if self.conditions is None else self.conditions[number],
        )


@dataclass(frozen=True, eq=False)
class PeriodTest:
    """Answer to whether there is a period of one length.

    Attributes
    ----------
    null : str
        What is tested.
    statistic : float
        Log likelihood ratio over all harmonics and lines.
    p_value : float
        Share of the null at least as large.
    distribution : ndarray, shape (draws,)
        The statistic under the null with the larger p-value.
    lines : int
        Lines that could tell.
    """

    null: str
    statistic: float
    p_value: float
    distribution: Array
    lines: int


def period_test(hypothesis: PeriodHypothesis, *, draws: int, rng: np.random.Generator) -> PeriodTest | None:
    """Test for a period: harmonic regression, against shuffled residuals and, where it is long, innovations.

    The trend and the conditions are regressed out first and the residuals of that regression are shuffled
    (Freedman and Lane 1983). Bands meet noise that neighbours share, but around a period of many samples its
    spectrum bends within a band. There the innovations of the residuals are shuffled as well and put together again
    (:mod:`attrib.periods.autocorrelation`), and the larger p-value counts: either null alone is met by something
    else, by slow noise or by what other periods leave.

    Returns
    -------
    PeriodTest or None
        ``None`` where no line has a harmonic to test.
    """
    told = [
        _Told(line.log_throughput, basis, hypothesis.periods[number] / line.step)
        for number, line in enumerate(hypothesis.lines)
        if (basis := hypothesis.basis(number)) is not None
    ]
    if not told:
        return None
    observed = sum(float(each.basis.statistic(each.residual)) for each in told)
    nulls = [_null(told, 0.0, draws, rng)]
    if max(each.samples for each in told) > _BENT:
        phi = common_autocorrelation([(each.values * each.basis.weight, each.basis.nuisance) for each in told])
        nulls.append(_null(told, phi, draws, rng))
    p_values = [permutation_p_value(observed, null) for null in nulls]
    larger = int(np.argmax(p_values))
    return PeriodTest(
        f"no period of {np.median(hypothesis.periods):g} elements beside the trend and what is conditioned on",
        observed,
        p_values[larger],
        nulls[larger],
        len(told),
    )


@dataclass(frozen=True, eq=False)
class _Told:
    """One line that can tell, its basis and the samples of a period."""

    values: Array
    basis: HarmonicBasis
    samples: float

    @property
    def residual(self) -> Array:
        return self.basis.residual(self.values)


def _null(told: Sequence[_Told], phi: float, draws: int, rng: np.random.Generator) -> Array:
    """Statistics of lines whose innovations under an autoregression are shuffled in blocks, shape (draws,)."""
    groups = []
    for each in told:
        refilled = each.basis.refilled(each.residual, rng)
        statistic = each.basis.statistic if phi == 0.0 else of_innovations(each.basis.statistic, phi)
        groups.append(Group((refilled if phi == 0.0 else innovations(refilled, phi))[None], statistic))
    lengths = [max(_LEAST_BLOCK, each.samples / _BLOCKS_A_PERIOD) for each in told]
    return null_distribution(groups, lengths, draws, rng)
