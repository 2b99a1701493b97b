"""Conformal intervals: coverage on exchangeable data, regimes, round trip."""

import itertools
import json

import numpy as np
import pytest

from harness.errors import InputError
from models.conformal import LEVELS, REGIMES, ConformalIntervals, coverage


def draw(rng, n):
    """Times over three decades whose error is larger, and skewed, where they are short."""
    predicted = 10 ** rng.uniform(-6, -3, n)
    sigma = 0.05 * (1e-4 / predicted) ** 0.25
    return predicted, predicted * np.exp(sigma * (rng.exponential(1, n) - 1))


@pytest.mark.parametrize("level", LEVELS)
def test_coverage_is_nominal_on_exchangeable_data(level):
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        intervals = ConformalIntervals.calibrate(*draw(rng, 1200))
        predicted, measured = draw(rng, 500)
        low, high = intervals.interval(predicted, level)
        shares.append(np.mean((measured >= low) & (measured <= high)))
    assert np.mean(shares) >= level - 0.003
    assert np.mean(shares) <= level + 0.015


def test_each_regime_is_covered():
    rng = np.random.default_rng(1)
    intervals = ConformalIntervals.calibrate(*draw(rng, 20_000))
    predicted, measured = draw(rng, 20_000)
    low, high = intervals.interval(predicted, 0.9)
    inside = (measured >= low) & (measured <= high)
    regime = np.searchsorted(intervals.edges, predicted)
    for number in range(REGIMES):
        assert inside[regime == number].mean() == pytest.approx(0.9, abs=0.02)
    width = high / low
    assert width[regime == 0].mean() > width[regime == REGIMES - 1].mean()


def test_higher_levels_are_wider():
    rng = np.random.default_rng(2)
    intervals = ConformalIntervals.calibrate(*draw(rng, 500))
    predicted = np.geomspace(1e-6, 1e-3, 50)
    bounds = [intervals.interval(predicted, level) for level in LEVELS]
    for (low, high), (lower, higher) in itertools.pairwise(bounds):
        assert (lower <= low).all()
        assert (higher >= high).all()


def test_few_samples_give_the_whole_range():
    ratio = np.array([0.9, 1.0, 1.2, 1.1])
    intervals = ConformalIntervals.calibrate(np.ones(4), ratio)
    low, high = intervals.interval(np.array([1.0]), 0.99)
    assert (low[0], high[0]) == (pytest.approx(0.9), pytest.approx(1.2))


def test_round_trip():
    intervals = ConformalIntervals.calibrate(*draw(np.random.default_rng(3), 300))
    again = ConformalIntervals.from_dict(json.loads(json.dumps(intervals.to_dict())))
    predicted = np.geomspace(1e-7, 1e-2, 40)
    for left, right in zip(intervals.interval(predicted), again.interval(predicted), strict=True):
        np.testing.assert_array_equal(left, right)


def test_other_levels_are_refused():
    intervals = ConformalIntervals.calibrate(*draw(np.random.default_rng(3), 300))
    with pytest.raises(InputError, match=r"0\.5, 0\.8, 0\.9, 0\.95, 0\.99"):
        intervals.interval(np.ones(2), 0.85)


def test_split_coverage():
    rng = np.random.default_rng(4)
    predicted, measured = draw(rng, 8000)
    assert coverage(predicted, measured, rng.random(8000) < 0.5) == pytest.approx(0.9, abs=0.02)


def test_a_slow_path_is_a_regime_of_its_own():
    rng = np.random.default_rng(5)
    predicted = np.full(2000, 1e-5)
    slow = np.arange(2000) % 2 == 0
    measured = predicted * np.exp(rng.normal(0, np.where(slow, 0.3, 0.01)))
    intervals = ConformalIntervals.calibrate(predicted, measured, slow)
    low, high = intervals.interval(predicted, 0.9, slow)
    inside = (measured >= low) & (measured <= high)
    for half in (slow, ~slow):
        assert inside[half].mean() == pytest.approx(0.9, abs=0.02)
    assert (np.log(high / low)[slow] > 20 * np.log(high / low)[~slow]).all()
