"""Robust fits: odd cells named, coefficients kept, clean data left alone."""

import numpy as np
import pytest

from models.inference.robust import robust_fit
from models.solve import solve_nonnegative


def plain(columns, time):
    weighted = columns / time[:, None]
    return solve_nonnegative(weighted.T @ weighted, weighted.sum(axis=0))


@pytest.mark.parametrize("norm", ["Huber", "Tukey"])
def test_odd_cells_are_named_and_hardly_move_the_coefficients(bench, theta, norm):
    rng = np.random.default_rng(0)
    time = bench.base @ theta * np.exp(0.005 * rng.standard_normal(bench.problem.size))
    odd = rng.choice(time.size, 40, replace=False)
    time[odd] *= 1.3
    start = plain(bench.base, time)
    half = np.full(5, 0.02) * theta
    found = robust_fit(bench.base, time, start, half, norm)
    assert found.converged
    assert set(found.outliers.tolist()) == set(odd.tolist())
    assert np.all(np.diff(np.abs(found.residual[found.outliers])) <= 0)
    fitted, disturbed = bench.base @ found.theta, bench.base @ start
    exact = bench.base @ theta
    assert np.mean(np.abs(fitted / exact - 1)) < 0.4 * np.mean(np.abs(disturbed / exact - 1))
    np.testing.assert_allclose(found.moved, (found.theta - start) / half)
    assert found.scale == pytest.approx(0.005, rel=0.15)
    assert found.weight[odd].max() < 0.4


def test_clean_data_are_fitted_as_before(bench, theta):
    time = bench.base @ theta * np.exp(0.005 * bench.field(np.random.default_rng(1), 0.5))
    start = plain(bench.base, time)
    found = robust_fit(bench.base, time, start, np.zeros(5))
    np.testing.assert_allclose(bench.base @ found.theta, bench.base @ start, rtol=0.003)
    assert np.isnan(found.moved).all()


def test_a_perfect_fit_has_no_outliers(bench, theta):
    time = bench.base @ theta
    found = robust_fit(bench.base, time, theta, theta)
    assert found.outliers.size == 0
    assert found.converged
