"""Drift: the test holds its size on a steady device and finds a planted change."""

import numpy as np
import pytest
from fake_backend import make_table
from scipy import stats

from harness.sweep.sentinels import choose_sentinels, drift, sentinel_names

NAMES = tuple("abcdefgh")


def timings(rng, level, noise=0.01, count=240):
    """Timings of eight sentinels in turn under a level of the device, a function of the time from 0 to 1."""
    when = np.sort(rng.uniform(0, 1, count))
    rows = np.arange(count) % 8
    base = np.geomspace(1e-5, 1e-2, 8)
    return rows, base[rows] * level(when) * (1 + noise * rng.standard_normal(count)), 1.7e9 + 600 * when


def steady(when):
    return np.ones_like(when)


def test_p_values_of_a_steady_device_are_uniform():
    rng = np.random.default_rng(0)
    found = [drift(*timings(rng, steady), NAMES) for _ in range(300)]
    assert stats.kstest([one.p_value for one in found], "uniform").pvalue > 0.01
    trends = np.array([one.trend for one in found])
    assert abs(trends.mean()) < 3 * trends.std() / np.sqrt(trends.size)


def test_a_trend_of_two_percent_is_found():
    rng = np.random.default_rng(1)
    found = [drift(*timings(rng, lambda when: 1 + 0.02 * when), NAMES) for _ in range(40)]
    assert np.mean([one.p_value < 0.01 for one in found]) > 0.95
    assert np.median([one.trend for one in found]) == pytest.approx(0.02, rel=0.15)


def test_nothing_beyond_the_noise_of_a_steady_device():
    rng = np.random.default_rng(2)
    found = [drift(*timings(rng, steady), NAMES) for _ in range(100)]
    assert np.median([one.noise for one in found]) == pytest.approx(0.01, rel=0.25)
    assert np.mean([one.beyond_noise for one in found]) < 0.25 * 0.01


def test_a_change_of_level_is_recovered():
    rng = np.random.default_rng(3)
    found = [drift(*timings(rng, lambda when: np.where(when > 0.5, 1.04, 1.0)), NAMES) for _ in range(20)]
    assert np.mean([one.beyond_noise for one in found]) == pytest.approx(0.02, rel=0.2)
    assert np.median([one.range for one in found]) > 0.035


def test_waves_without_a_trend_are_seen():
    rng = np.random.default_rng(4)
    found = drift(*timings(rng, lambda when: 1 + 0.03 * np.sin(20 * when), count=2000), NAMES)
    assert found.beyond_noise == pytest.approx(0.03 / np.sqrt(2), rel=0.2)
    assert len(found.ratio) == 60


def test_few_or_bad_timings_tell_nothing():
    rows, seconds, finished = timings(np.random.default_rng(5), steady, count=11)
    assert drift(rows, seconds, finished, NAMES).trend is None
    seconds = np.full(40, np.nan)
    found = drift(np.zeros(40, dtype=int), seconds, np.arange(40.0), NAMES)
    assert (found.trend, found.p_value, found.beyond_noise) == (None, None, None)
    empty = drift(np.empty(0, int), np.empty(0), np.empty(0), ())
    assert empty.to_dict()["ratio"] == ()


def test_timings_at_one_moment_have_no_trend():
    rows, seconds, finished = timings(np.random.default_rng(6), steady, count=40)
    found = drift(rows, seconds, np.full_like(finished, 1.7e9), NAMES)
    assert found.trend == 0.0
    assert found.p_value is None


def test_sentinels_are_spread_over_the_times():
    rough = np.random.default_rng(7).permutation(np.geomspace(1e-6, 1e-2, 100))
    chosen = choose_sentinels(rough, np.zeros(100, dtype=np.int64), 4)
    ranks = np.argsort(np.argsort(rough))[chosen]
    assert ranks.tolist() == [12, 37, 62, 87]


def test_every_backend_has_sentinels():
    rough = np.linspace(1e-6, 1e-3, 30)
    owner = np.repeat([0, 1, -1], 10)
    rough[3] = np.nan
    chosen = choose_sentinels(rough, owner, 5)
    assert np.bincount(owner[chosen], minlength=2).tolist() == [3, 2]
    assert 3 not in chosen


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (3, 3), (50, 10)])
def test_no_more_sentinels_than_cells(count, expected):
    chosen = choose_sentinels(np.linspace(1e-6, 1e-3, 10), np.zeros(10, dtype=np.int64), count)
    assert len(set(chosen.tolist())) == chosen.size == expected


def test_no_cell_ran():
    assert choose_sentinels(np.full(4, np.nan), np.zeros(4, dtype=np.int64), 3).size == 0


def test_names():
    assert sentinel_names(make_table(), np.array([1])) == ["64x64x32 8x64x256"]
