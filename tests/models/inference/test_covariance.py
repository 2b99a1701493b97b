"""The residual's covariance: planted factors recovered, draws with the planted covariance."""

import numpy as np
import pytest

from models.inference.covariance import ResidualCovariance, estimate_covariance
from models.inference.lattice import Lattice


def dense(factors, own, shape, smoothness=1):
    matrix = np.ones((1, 1))
    for factor, size in zip(factors, shape, strict=True):
        apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        matrix = np.kron(matrix, float(factor) ** (apart**smoothness))
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


def planted(bench, theta, lattice, seeds, smoothness=1):
    """Covariances found where the planted one is known, all columns of the base fitted."""
    exact = bench.base @ theta
    columns = bench.base / exact[:, None]
    truth = ResidualCovariance((0.8, 0.8, 0.8), 0.1, np.full(exact.size, 0.01), 0.0, smoothness)
    for seed in range(seeds):
        residual = truth.draw(lattice, 1, np.random.default_rng(seed))[:, 0]
        residual -= columns @ np.linalg.lstsq(columns, residual, rcond=None)[0]
        yield estimate_covariance(residual, columns, lattice, bench.problem.flop)


@pytest.mark.parametrize("smoothness", [1, 2])
def test_smoothness_and_scale_are_those_of_the_field_before_the_fit(bench, theta, lattice, smoothness):
    found = list(planted(bench, theta, lattice, 8, smoothness))
    assert np.mean([one.smoothness == smoothness for one in found]) >= 0.85
    assert np.median([np.sqrt(np.mean(one.scale**2)) for one in found]) == pytest.approx(0.01, rel=0.1)


def test_other_covariances_vary_as_estimates_do(bench, theta, lattice):
    found = list(planted(bench, theta, lattice, 30))
    estimates = np.array([one.neighbours[:2] for one in found])
    rng = np.random.default_rng(0)
    drawn = np.array([[one.another(rng).neighbours[:2] for _ in range(40)] for one in found])
    assert drawn.std(axis=1).mean() == pytest.approx(estimates.std(axis=0).mean(), rel=0.35)
    assert np.abs(drawn.mean(axis=(0, 1)) - estimates.mean(axis=0)).max() < 0.02


def test_what_is_not_estimated_does_not_vary(lattice):
    fixed = ResidualCovariance((0.0, 0.0, 0.0), 1.0, np.ones(lattice.size), 0.0)
    assert fixed.another(np.random.default_rng(0)) is fixed
    line = Lattice((1, 40, 1), np.arange(40))
    truth = ResidualCovariance((0.0, 0.9, 0.0), 0.1, np.ones(40), 0.0)
    residual = truth.draw(line, 1, np.random.default_rng(1))[:, 0]
    found = estimate_covariance(residual, np.ones((40, 1)), line, np.arange(1.0, 41.0))
    other = found.another(np.random.default_rng(0))
    assert other.neighbours[0] == other.neighbours[2] == 0.0 != other.neighbours[1] != found.neighbours[1]


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


@pytest.mark.parametrize("smoothness", [1, 2])
def test_draws_have_the_covariance(smoothness):
    lattice = Lattice((3, 2, 2), np.arange(12))
    scale = np.linspace(1, 2, 12)
    covariance = ResidualCovariance((0.8, 0.5, 0.3), 0.25, scale, 0.0, smoothness)
    drawn = covariance.draw(lattice, 200_000, np.random.default_rng(0))
    expected = dense((0.8, 0.5, 0.3), 0.25, (3, 2, 2), smoothness) * np.outer(scale, scale)
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
