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


def test_each_load_path_is_covered_by_itself():
    rng = np.random.default_rng(5)
    predicted = np.full(3000, 1e-5)
    path = np.arange(3000) % 3
    measured = predicted * np.exp(rng.normal(0, np.array([0.01, 0.05, 0.3])[path]))
    intervals = ConformalIntervals.calibrate(predicted, measured, path)
    low, high = intervals.interval(predicted, 0.9, path)
    inside = (measured >= low) & (measured <= high)
    for kind in range(3):
        assert inside[path == kind].mean() == pytest.approx(0.9, abs=0.02)
    width = np.log(high / low)
    assert (width[path == 1] > 3 * width[0]).all()
    assert (width[path == 2] > 15 * width[0]).all()


def test_a_path_with_few_samples_takes_the_quantiles_of_all():
    rng = np.random.default_rng(6)
    predicted, measured = draw(rng, 1000)
    plain = ConformalIntervals.calibrate(predicted, measured)
    path = np.zeros(1000, dtype=np.int64)
    path[:5] = 2
    few = ConformalIntervals.calibrate(predicted, measured, path)
    whole = np.sort(np.log(measured / predicted))
    row = LEVELS.index(0.9)
    assert few.upper[row, 2] == pytest.approx(whole[int(np.ceil(1001 * 0.95)) - 1])
    np.testing.assert_allclose(few.upper[row, 0], plain.upper[row, 0], rtol=0.05)
