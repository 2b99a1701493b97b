"""Intervals hold the planted period about as often as they say."""

import numpy as np
import pytest

from attrib.periods import PeriodHypothesis, period_interval


@pytest.mark.parametrize("period", [64.0, 70.3])
def test_coverage(draw_line, period):
    inside = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        line = draw_line(rng, 96, saw=(period, 0.02))
        guess = period * (1 + rng.uniform(-0.2, 0.2) * period / line.span)
        interval = period_interval(PeriodHypothesis((line,), (guess,)))
        assert interval.lower < interval.period < interval.upper
        inside += interval.lower <= period <= interval.upper
    assert 0.86 <= inside / 80 <= 1.0


def test_more_lines_make_the_interval_narrower(draw_line):
    rng = np.random.default_rng(0)
    lines = tuple(draw_line(rng, saw=(64, 0.01)) for _ in range(6))
    one = period_interval(PeriodHypothesis(lines[:1], (64.0,)))
    six = period_interval(PeriodHypothesis(lines, (64.0,) * 6))
    assert six.upper - six.lower < 0.7 * (one.upper - one.lower)
    assert six.lower <= 64.0 <= six.upper
