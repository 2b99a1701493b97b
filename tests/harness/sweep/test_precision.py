"""The precision of medians: right on simulated repeats whose scatter is known."""

import numpy as np
import pytest
from scipy import stats

from harness.sweep.precision import median_variance, precision

CELLS, THRESHOLD = 4000, 5.0


def normal_repeats(rng, sigma, count, times=None):
    """Repeats of cells with the given relative scatter."""
    sigma = np.broadcast_to(sigma, CELLS)
    times = np.full(CELLS, 1e-4) if times is None else times
    return times[:, None] * (1 + sigma[:, None] * rng.standard_normal((CELLS, count)))


def one_tile(repeats):
    return np.zeros(len(repeats), dtype=np.int64)


@pytest.mark.parametrize("count", range(2, 9))
def test_scatter_is_nearly_unbiased_by_tile(count):
    rng = np.random.default_rng(count)
    tile = rng.integers(0, 2, CELLS)
    sigma = np.array([0.004, 0.03])[tile]
    found = precision(normal_repeats(rng, sigma, count), tile, THRESHOLD)
    for index in (0, 1):
        assert np.mean(found.scatter[tile == index]) == pytest.approx(sigma[tile == index][0], rel=0.05)


def test_scatter_follows_the_time_within_a_tile():
    rng = np.random.default_rng(0)
    times = np.exp(rng.uniform(np.log(1e-5), np.log(1e-2), CELLS))
    sigma = np.where(times < 3e-4, 0.05, 0.005)
    found = precision(normal_repeats(rng, sigma, 4, times), np.zeros(CELLS, dtype=int), THRESHOLD)
    for where in (times < 1e-4, times > 1e-3):
        assert np.median(found.scatter[where]) == pytest.approx(sigma[where][0], rel=0.06)


@pytest.mark.parametrize("count", [3, 4, 6])
def test_the_standard_error_covers(count):
    rng = np.random.default_rng(10 + count)
    repeats = normal_repeats(rng, 0.02, count)
    found = precision(repeats, one_tile(repeats), THRESHOLD)
    off = np.abs(np.median(repeats, axis=1) / 1e-4 - 1)
    covered = np.mean(off <= 1.96 * found.error)
    # Somewhat more than 95 %: where the median of three is far off, so are two of them, and their scatter is large.
    assert 0.94 < covered < 0.98


@pytest.mark.parametrize("weight", [2.0, 4.0, 10.0])
@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_the_prior_weight_of_unlike_variances_is_found(weight, count):
    rng = np.random.default_rng(int(weight) + count)
    sigma = 0.01 * np.sqrt(weight / rng.chisquare(weight, CELLS))
    repeats = normal_repeats(rng, sigma, count)
    found = precision(repeats, one_tile(repeats), THRESHOLD)
    within = 3 if count == 2 else 2  # two repeats say little of how variances differ
    assert weight / within < found.prior_weight < within * weight


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_the_prior_weight_of_equal_variances_is_large(count):
    repeats = normal_repeats(np.random.default_rng(count), 0.01, count)
    assert precision(repeats, one_tile(repeats), THRESHOLD).prior_weight > 25


def test_noisy_cells_are_told_from_quiet_ones():
    """A tenth of the cells is eight times as noisy: their error must say so, or they are stopped too early."""
    rng = np.random.default_rng(5)
    sigma = np.where(np.arange(CELLS) % 10 == 0, 0.08, 0.01)
    repeats = normal_repeats(rng, sigma, 6)
    found = precision(repeats, one_tile(repeats), 50.0)
    assert np.median(found.error[sigma == 0.08]) > 4 * np.median(found.error[sigma == 0.01])


def test_mixed_counts_of_repeats():
    rng = np.random.default_rng(6)
    repeats = normal_repeats(rng, 0.01, 8)
    count = rng.integers(2, 9, CELLS)
    repeats[np.arange(8)[None, :] >= count[:, None]] = np.nan
    found = precision(repeats, one_tile(repeats), THRESHOLD)
    for number in (2, 4, 8):
        rows = count == number
        assert np.mean(found.scatter[rows]) == pytest.approx(0.01, rel=0.05)
        assert np.mean(found.error[rows]) == pytest.approx(
            0.01 * np.sqrt(float(median_variance(np.array([number]))[0])), rel=0.05
        )


def test_an_outlier_is_counted_and_moves_little():
    rng = np.random.default_rng(7)
    repeats = normal_repeats(rng, 0.01, 5, np.geomspace(1e-5, 1e-2, CELLS))
    before = precision(repeats, one_tile(repeats), THRESHOLD)
    spoiled = repeats.copy()
    spoiled[17, 2] *= 10
    after = precision(spoiled, one_tile(spoiled), THRESHOLD)
    assert after.outliers[17] == before.outliers[17] + 1
    rest = np.arange(CELLS) != 17
    np.testing.assert_array_equal(after.outliers[rest], before.outliers[rest])
    np.testing.assert_allclose(after.scatter[rest], before.scatter[rest], rtol=0.02)
    assert before.error[17] < after.error[17] < 5 * before.error[17]
    assert spoiled[17, 2] == 10 * repeats[17, 2]


def test_few_outliers_on_normal_noise():
    repeats = normal_repeats(np.random.default_rng(8), 0.01, 4)
    assert precision(repeats, one_tile(repeats), THRESHOLD).outliers.sum() <= 5


def test_single_and_missing_repeats():
    repeats = np.full((4, 3), np.nan)
    repeats[0] = [1.0, 1.01, 0.99]
    repeats[1, 0] = 2.0
    repeats[2, :2] = [3.0, 3.06]
    found = precision(repeats, np.zeros(4, dtype=np.int64), THRESHOLD)
    assert np.isfinite(found.scatter[:3]).all()
    assert found.error[1] > found.error[2] > 0
    assert np.isnan([found.scatter[3], found.error[3]]).all()
    assert found.outliers.tolist() == [0, 0, 0, 0]


def test_single_repeats_alone_tell_nothing():
    found = precision(np.array([[1.0], [2.0], [np.nan]]), np.zeros(3, dtype=np.int64), THRESHOLD)
    assert np.isnan(found.error).all()
    assert found.outliers.tolist() == [0, 0, 0]


def test_repeats_without_scatter():
    found = precision(np.full((50, 4), 3e-6), np.zeros(50, dtype=np.int64), THRESHOLD)
    assert (found.error == 0).all()
    assert (found.outliers == 0).all()


def test_a_coarse_clock_makes_no_outliers():
    """Most cells agree to the tick, some are a tick off: that is the clock, not a disturbance."""
    rng = np.random.default_rng(9)
    repeats = 50e-6 + 0.5e-6 * (rng.random((CELLS, 4)) < 0.12)
    found = precision(repeats, one_tile(repeats), THRESHOLD)
    assert found.outliers.sum() == 0
    assert (found.error > 0).all()


def test_stopping_reaches_the_target_and_leaves_the_time_alone():
    """Cells are measured until their error is within the target: those that stop are that well known."""
    rng = np.random.default_rng(11)
    target, least, most = 0.01, 3, 16
    sigma = 0.012 * np.sqrt(6 / rng.chisquare(6, CELLS))
    everything = normal_repeats(rng, sigma, most, np.ones(CELLS))
    repeats = np.where(np.arange(most) < least, everything, np.nan)
    count = np.full(CELLS, least)
    while True:
        found = precision(repeats[:, : count.max()], one_tile(repeats), THRESHOLD)
        rows = np.flatnonzero((found.error > target) & (count < most))
        if rows.size == 0:
            break
        repeats[rows, count[rows]] = everything[rows, count[rows]]
        count[rows] += 1
    assert least == count.min()
    assert count.max() == most
    deviation = np.nanmedian(repeats, axis=1) - 1
    stopped = count < most
    assert stopped.mean() > 0.8
    assert np.sqrt(np.mean(deviation[stopped] ** 2)) < target
    assert abs(deviation.mean()) < 3 * deviation.std() / np.sqrt(CELLS)
    early = deviation[count == least]
    assert abs(early.mean()) < 3 * early.std() / np.sqrt(early.size)
    assert stats.spearmanr(count, sigma).statistic > 0.3


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 8, 9, 30])
def test_variance_of_a_median(count):
    medians = np.median(np.random.default_rng(count).standard_normal((40_000, count)), axis=1)
    assert median_variance(np.array([count])) == pytest.approx(medians.var(), rel=0.04)
