"""Intervals hold the planted period about as often as they say, on the grid and beside it."""

import numpy as np
import pytest

from attrib.periods import Line, PeriodHypothesis, period_interval
from attrib.periods.interval import _quantile
from attrib.periods.profile import Level, LineProfile


def covered(draw_line, period, depth, correlation, draws=80):
    """Count the intervals that hold a planted period, and their median width."""
    inside, widths = 0, []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        line = draw_line(rng, 96, saw=(period, depth), correlation=correlation, first=1040 + 16 * (seed % 7))
        guess = period * (1 + rng.uniform(-0.2, 0.2) * period / line.span)
        interval = period_interval(PeriodHypothesis((line,), (guess,)))
        assert interval.lower <= interval.period <= interval.upper
        assert interval.lower < interval.upper
        inside += interval.lower <= period <= interval.upper
        widths.append(interval.upper - interval.lower)
    return inside, float(np.median(widths))


@pytest.mark.parametrize(("period", "widest"), [(64.0, 2.0), (70.3, 1.2), (150.0, 3.5)])
def test_coverage(draw_line, period, widest):
    inside, width = covered(draw_line, period, 0.02, 0.0)
    assert inside >= 69
    assert width <= widest


@pytest.mark.parametrize("period", [64.2, 129.0])
def test_edges_that_the_grid_hides_are_allowed_for(draw_line, period):
    """Most of these lines are those of a whole number of samples: the estimate is off by more than noise."""
    inside, _ = covered(draw_line, period, 0.02, 0.8, 40)
    assert inside >= 33


def test_teeth_that_nearly_drown_are_not_located_by_chance(draw_line):
    inside, _ = covered(draw_line, 140.0, 0.007, 0.0)
    assert inside >= 67


def test_a_line_without_teeth_has_the_whole_window(draw_line):
    """Nothing stands out at a period of which the line is made to have none: any is as likely."""
    line = draw_line(np.random.default_rng(3), 96)
    hypothesis = PeriodHypothesis((line,), (150.0,))
    basis = hypothesis.basis(0)
    harmonics = np.concatenate(basis.harmonics, axis=1)
    bare = line.log_throughput - harmonics @ (harmonics.T @ line.log_throughput)
    interval = period_interval(PeriodHypothesis((Line("N", line.tile, line.x, bare, line.at),), (150.0,)))
    assert interval.upper - interval.lower > 150.0**2 / line.span


def test_powers_are_those_of_a_joint_regression(draw_line):
    line = draw_line(np.random.default_rng(1), 96, saw=(203.0, 0.02))
    hypothesis = PeriodHypothesis((line,), (203.0,))
    profile = LineProfile.of(hypothesis, 0, np.array([0.99, 1.0]))
    at = Level.of(hypothesis, 0, profile, 1.0)
    np.testing.assert_allclose(profile.powers(profile.residual[None])[0, :, 1], at.explained, rtol=1e-8)
    assert at.depth == pytest.approx(0.02**2, rel=0.3)
    assert at.noise.mean() == pytest.approx(0.005**2, rel=0.6)


def test_a_harmonic_that_drowns_counts_less(draw_line):
    line = draw_line(np.random.default_rng(2), 96, saw=(203.0, 0.006))
    hypothesis = PeriodHypothesis((line,), (203.0,))
    at = Level.of(hypothesis, 0, LineProfile.of(hypothesis, 0, np.ones(1)), 1.0)
    share = at.weights * at.noise
    assert share[0] > 0.6
    assert share[3] < 0.5 * share[0]


def test_quantiles_without_shifts_are_normal():
    assert _quantile(np.zeros((2, 5)), 1.5, 0.025) == pytest.approx(np.full(2, 1.5 * 1.959964), rel=1e-5)
    far = _quantile(np.array([[0.0] * 9 + [10.0]]), 1.0, 0.05)
    assert far == pytest.approx(10.0, abs=0.01)


def test_more_lines_make_the_interval_narrower(draw_line):
    rng = np.random.default_rng(0)
    lines = tuple(draw_line(rng, saw=(64, 0.01)) for _ in range(6))
    one = period_interval(PeriodHypothesis(lines[:1], (64.0,)))
    six = period_interval(PeriodHypothesis(lines, (64.0,) * 6))
    assert six.upper - six.lower < 0.7 * (one.upper - one.lower)
    assert six.lower <= 64.0 <= six.upper
