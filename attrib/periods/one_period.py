"""The test of one period on one line, or pooled over many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrib.periods.harmonics import HarmonicBasis, harmonic_basis, own_harmonics
from attrib.periods.line import Line
from attrib.periods.permutation import Group, null_distribution, permutation_p_value

Array = NDArray[np.float64]

_LEAST_BLOCK = 2.0
_BLOCKS_A_PERIOD = 4.0
"""Blocks are short: noise that neighbours share is met by the bands, and long ones would keep a period's phase."""


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
        The statistic under block permutation.
    lines : int
        Lines that could tell.
    """

    null: str
    statistic: float
    p_value: float
    distribution: Array
    lines: int


def period_test(hypothesis: PeriodHypothesis, *, draws: int, rng: np.random.Generator) -> PeriodTest | None:
    """Test for a period: harmonic regression, against residuals in shuffled blocks.

    The trend and the conditions are regressed out first and the residuals of that regression are shuffled
    (Freedman and Lane 1983).

    Returns
    -------
    PeriodTest or None
        ``None`` where no line has a harmonic to test.
    """
    groups, lengths, observed = [], [], 0.0
    for number, line in enumerate(hypothesis.lines):
        basis = hypothesis.basis(number)
        if basis is None:
            continue
        residual = basis.residual(line.log_throughput)
        observed += float(basis.statistic(residual))
        groups.append(Group(basis.refilled(residual, rng)[None], basis.statistic))
        lengths.append(max(_LEAST_BLOCK, hypothesis.periods[number] / line.step / _BLOCKS_A_PERIOD))
    if not groups:
        return None
    null = null_distribution(groups, lengths, draws, rng)
    return PeriodTest(
        f"no period of {np.median(hypothesis.periods):g} elements beside the trend and what is conditioned on",
        observed,
        permutation_p_value(observed, null),
        null,
        len(groups),
    )
