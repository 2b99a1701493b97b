"""The residual's covariance: planted factors recovered, products of matrices against one dense matrix."""

import numpy as np
import pytest

from models.inference.covariance import ResidualCovariance, _restricted, estimate_covariance, restricted_dense
from models.inference.lattice import Lattice


def correlation(factor, size):
    return float(factor) ** np.abs(np.subtract.outer(np.arange(size), np.arange(size)))


def dense(factors, own, shape):
    matrix = np.ones((1, 1))
    for factor, size in zip(factors, shape, strict=True):
        matrix = np.kron(matrix, correlation(factor, size))
    return (1 - own) * matrix + own * np.eye(matrix.shape[0])


@pytest.fixture(scope="module")
def lattice(bench):
    return Lattice.of(bench.problem.M, bench.problem.N, bench.problem.K)


def test_planted_factors_are_recovered(bench, theta, lattice):
    found = []
    exact = bench.base @ theta
    for seed in range(8):
        noise = bench.field(np.random.default_rng(seed), 0.7)
        residual = 0.01 * noise + 0.005 * np.random.default_rng(seed + 99).standard_normal(noise.size)
        estimate = estimate_covariance(residual, bench.base / exact[:, None], lattice, bench.problem.flop)
        found.append([*estimate.neighbours, estimate.own, estimate.growth])
    np.testing.assert_allclose(np.mean(found, axis=0), [0.7, 0.7, 0.7, 0.2, 0.0], atol=0.05)


def test_independent_residuals_are_called_so(bench, theta, lattice):
    exact = bench.base @ theta
    own = []
    for seed in range(20):
        residual = 0.01 * bench.field(np.random.default_rng(seed), 0)
        own.append(estimate_covariance(residual, bench.base / exact[:, None], lattice, bench.problem.flop).own)
    assert np.mean(np.array(own) == 1.0) >= 0.9


def test_the_scale_follows_the_work(bench, theta, lattice):
    work = bench.problem.flop
    residual = 0.01 * bench.field(np.random.default_rng(0), 0.5) * (work / np.median(work)) ** -0.25
    found = estimate_covariance(residual, np.empty((work.size, 0)), lattice, work)
    assert found.growth == pytest.approx(-0.25, abs=0.05)
    small, large = work < np.quantile(work, 0.1), work > np.quantile(work, 0.9)
    assert found.scale[small].mean() / found.scale[large].mean() == pytest.approx(
        residual[small].std() / residual[large].std(), rel=0.25
    )


def test_the_likelihood_is_that_of_the_dense_matrix():
    rng = np.random.default_rng(0)
    shape = (5, 4, 3)
    basis = np.linalg.qr(rng.standard_normal((60, 3)))[0]
    y = rng.standard_normal(60)
    factors, own = [0.6, 0.3, 0.8], 0.2
    matrix = dense(factors, own, shape)
    inverse = np.linalg.inv(matrix)
    inner = basis.T @ inverse @ basis
    left = y @ inverse @ y - (basis.T @ inverse @ y) @ np.linalg.solve(inner, basis.T @ inverse @ y)
    expected = 57 * np.log(left) + np.linalg.slogdet(matrix)[1] + np.linalg.slogdet(inner)[1]
    data = np.column_stack([y, basis]).reshape(*shape, 4)
    assert _restricted(data, factors, own, 57) == pytest.approx(expected, rel=1e-10)


def test_draws_have_the_covariance():
    lattice = Lattice((3, 2, 2), np.arange(12))
    scale = np.linspace(1, 2, 12)
    covariance = ResidualCovariance((0.8, 0.5, 0.3), 0.25, scale, 0.0)
    drawn = covariance.draw(lattice, 200_000, np.random.default_rng(0))
    expected = dense((0.8, 0.5, 0.3), 0.25, (3, 2, 2)) * np.outer(scale, scale)
    np.testing.assert_allclose(np.cov(drawn), expected, atol=0.05)


def test_effective_size_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    place = np.sort(rng.choice(60, 40, replace=False))
    lattice = Lattice((5, 4, 3), place)
    covariance = ResidualCovariance((0.8, 0.5, 0.3), 0.25, np.ones(40), 0.0)
    matrix = dense((0.8, 0.5, 0.3), 0.25, (5, 4, 3))[np.ix_(place, place)]
    assert covariance.effective_size(lattice) == pytest.approx(40**2 / matrix.sum())
    assert ResidualCovariance((0, 0, 0), 1.0, np.ones(40), 0.0).effective_size(lattice) == pytest.approx(40)


def test_lattice_puts_neighbouring_sizes_together_and_averages():
    M = np.array([1, 2, 3, 4, 5, 6])
    ones = np.ones(6, dtype=np.int64)
    lattice = Lattice.of(M, ones, ones, largest=3)
    assert lattice.shape == (3, 1, 1)
    np.testing.assert_array_equal(lattice.place, [0, 0, 1, 1, 2, 2])
    np.testing.assert_allclose(lattice.spread_out(M[:, None] * 1.0)[:, 0], [1.5, 3.5, 5.5])
    gap = Lattice((4, 1, 1), np.array([0, 3]))
    np.testing.assert_array_equal(gap.held, [True, False, False, True])
    np.testing.assert_array_equal(gap.spread_out(np.array([[7.0], [8.0]]))[:, 0], [7, 0, 0, 8])


def test_scattered_independent_residuals_are_called_so():
    rng = np.random.default_rng(4)
    M, N, K = np.unique(rng.integers(1, 60, (700, 3)) * 64, axis=0).T
    scatter = Lattice.of(M, N, K)
    assert scatter.held.mean() < 0.1
    columns = np.column_stack([np.ones(M.size), M / M.mean()])
    found = estimate_covariance(0.01 * rng.standard_normal(M.size), columns, scatter, 1.0 * M * N * K)
    assert found.own == 1.0
    assert found.effective_size(scatter) == pytest.approx(M.size)


def test_what_scattered_neighbours_share_is_found():
    rng = np.random.default_rng(5)
    M, N, K = np.unique(rng.integers(1, 13, (900, 3)) * 64, axis=0).T
    scatter = Lattice.of(M, N, K)
    planted = ResidualCovariance((0.8, 0.8, 0.9), 0.1, np.full(M.size, 0.01), 0.0)
    residual = planted.draw(scatter, 1, rng)[:, 0]
    found = estimate_covariance(residual, np.ones((M.size, 1)), scatter, 1.0 * M * N * K)
    assert found.own < 0.4
    assert min(found.neighbours) > 0.5


def test_the_dense_likelihood_is_that_of_the_lattice_where_it_is_filled():
    rng = np.random.default_rng(6)
    shape = (4, 5, 3)
    data = rng.standard_normal((*shape, 3))
    ranks = np.stack(np.unravel_index(np.arange(60), shape), axis=1)
    for factors, own in (([0.5, 0.7, 0.2], 0.3), ([0.0, 0.0, 0.0], 1.0)):
        assert restricted_dense(data.reshape(60, 3), ranks, factors, own) == pytest.approx(
            _restricted(data, factors, own, 58)
        )
