"""The residual's covariance: planted factors recovered, draws with the planted covariance."""

import numpy as np
import pytest

from models.inference.covariance import ResidualCovariance, estimate_covariance
from models.inference.lattice import Lattice
from models.inference.lattice_correlation import LatticeCorrelation


def one_field(phi, own, scale, smoothness=1):
    """Covariance of one field that neighbours share along all axes."""
    return ResidualCovariance(LatticeCorrelation.of_one_field(phi, own, smoothness), scale, 0.0)


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
        correlation = estimate.correlation
        found.append([*correlation.of_neighbours, correlation.own, estimate.growth])
    np.testing.assert_allclose(np.mean(found, axis=0), [0.56, 0.56, 0.56, 0.2, 0.0], atol=0.04)


@pytest.mark.parametrize("places", [(1, 0, 1), (0, 0, 1), (0, 1, 1)])
def test_what_is_shared_along_some_axes_alone_is_told(bench, lattice, places):
    """An N, an (M, N) or an M with a residual of its own, beside a field that all share."""
    shares = np.zeros((2, 2, 2))
    shares[1, 1, 1], shares[places], shares[0, 0, 0] = 0.4, 0.5, 0.1
    truth = ResidualCovariance(LatticeCorrelation((0.9, 0.9, 0.9), shares), np.full(lattice.size, 0.01), 0.0)
    found = []
    for seed in range(6):
        residual = truth.draw(lattice, 1, np.random.default_rng(seed))[:, 0]
        found.append(estimate_covariance(residual, np.ones((lattice.size, 1)), lattice, bench.problem.flop))
    assert np.mean([one.correlation.shares[places] for one in found]) == pytest.approx(0.5, abs=0.15)
    assert np.mean([one.correlation.of_neighbours for one in found], axis=0) == pytest.approx(
        truth.correlation.of_neighbours, abs=0.08
    )


def planted(bench, theta, lattice, seeds, smoothness=1):
    """Covariances found where the planted one is known, all columns of the base fitted."""
    exact = bench.base @ theta
    columns = bench.base / exact[:, None]
    truth = one_field((0.8, 0.8, 0.8), 0.1, np.full(exact.size, 0.01), smoothness)
    for seed in range(seeds):
        residual = truth.draw(lattice, 1, np.random.default_rng(seed))[:, 0]
        residual -= columns @ np.linalg.lstsq(columns, residual, rcond=None)[0]
        yield estimate_covariance(residual, columns, lattice, bench.problem.flop)


@pytest.mark.parametrize("smoothness", [1, 2])
def test_smoothness_and_scale_are_those_of_the_field_before_the_fit(bench, theta, lattice, smoothness):
    found = list(planted(bench, theta, lattice, 8, smoothness))
    assert np.mean([one.correlation.smoothness == smoothness for one in found]) >= 0.85
    assert np.median([np.sqrt(np.mean(one.scale**2)) for one in found]) == pytest.approx(0.01, rel=0.1)


def test_other_covariances_vary_as_estimates_do(bench, theta, lattice):
    found = list(planted(bench, theta, lattice, 30))
    estimates = np.array([one.correlation.of_neighbours[:2] for one in found])
    rng = np.random.default_rng(0)
    drawn = np.array([[one.another(rng).correlation.of_neighbours[:2] for _ in range(40)] for one in found])
    assert drawn.std(axis=1).mean() == pytest.approx(estimates.std(axis=0).mean(), rel=0.35)
    assert np.abs(drawn.mean(axis=(0, 1)) - estimates.mean(axis=0)).max() < 0.02


def test_what_is_not_estimated_does_not_vary(lattice):
    fixed = one_field((0.0, 0.0, 0.0), 1.0, np.ones(lattice.size))
    assert fixed.another(np.random.default_rng(0)) is fixed
    line = Lattice((1, 40, 1), np.arange(40))
    truth = one_field((0.0, 0.9, 0.0), 0.1, np.ones(40))
    residual = truth.draw(line, 1, np.random.default_rng(1))[:, 0]
    found = estimate_covariance(residual, np.ones((40, 1)), line, np.arange(1.0, 41.0))
    before, other = found.correlation.neighbours, found.another(np.random.default_rng(0)).correlation.neighbours
    assert other[0] == other[2] == 0.0 != other[1] != before[1]


def test_independent_residuals_are_called_so(bench, theta, lattice):
    exact = bench.base @ theta
    own = []
    for seed in range(20):
        residual = 0.01 * bench.field(np.random.default_rng(seed), 0)
        own.append(
            estimate_covariance(residual, bench.base / exact[:, None], lattice, bench.problem.flop).correlation.own
        )
    assert np.mean(np.array(own) == 1.0) >= 0.9


@pytest.mark.parametrize("own", [(1.0, 1.0, 1.0, 1.0), (0.2, 0.2, 1.0, 1.0)])
def test_the_scale_follows_the_work_at_each_k(bench, lattice, own):
    """Though launches of large K, which are more work, are told worse."""
    work, scale = bench.problem.flop, np.array(own)[lattice.ranks()[:, 2]]
    scale *= (work / bench.problem.K / np.median(work)) ** -0.25
    growth, relative = [], []
    small, large = work < np.quantile(work, 0.1), work > np.quantile(work, 0.9)
    for seed in range(6):
        residual = 0.01 * bench.field(np.random.default_rng(seed), 0.5) * scale
        found = estimate_covariance(residual, np.empty((work.size, 0)), lattice, work)
        growth.append(found.growth)
        relative.append(found.scale[small].mean() / found.scale[large].mean())
    assert np.mean(growth) == pytest.approx(-0.25, abs=0.03)
    assert np.mean(relative) == pytest.approx(scale[small].mean() / scale[large].mean(), rel=0.2)


def test_every_k_has_a_scale_of_its_own(bench, lattice):
    """Memory-bound launches are told five times as well as computing ones, whatever all of one K share."""
    rank = lattice.ranks()[:, 2]
    own = np.array([0.2, 0.2, 1.0, 1.0])
    assert lattice.shape[2] == own.size
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        residual = 0.01 * own[rank] * bench.field(rng, 0.3) + 0.01 * rng.standard_normal(own.size)[rank]
        scale = estimate_covariance(residual, np.empty((rank.size, 0)), lattice, np.ones(rank.size)).scale
        found.append([scale[rank == place][0] for place in range(own.size)])
    relative = np.array(found) / np.array(found)[:, -1:]
    np.testing.assert_allclose(relative.mean(axis=0), own, rtol=0.25)


def test_few_of_a_k_have_the_scale_of_all():
    M = np.arange(1, 61)
    lattice = Lattice.of(M, M, M)
    residual = 0.01 * np.random.default_rng(3).standard_normal(M.size)
    scale = estimate_covariance(residual, np.empty((M.size, 0)), lattice, np.ones(M.size)).scale
    assert scale.max() / scale.min() < 1.25


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
    assert found.correlation.own == 1.0
    assert found.correlation.effective_size(scatter) == pytest.approx(M.size)


def test_what_scattered_neighbours_share_is_found():
    rng = np.random.default_rng(5)
    M, N, K = np.unique(rng.integers(1, 13, (900, 3)) * 64, axis=0).T
    scatter = Lattice.of(M, N, K)
    planted = one_field((0.8, 0.8, 0.9), 0.1, np.full(M.size, 0.01))
    residual = planted.draw(scatter, 1, rng)[:, 0]
    found = estimate_covariance(residual, np.ones((M.size, 1)), scatter, 1.0 * M * N * K)
    assert found.correlation.own < 0.4
    assert min(found.correlation.neighbours) > 0.5
