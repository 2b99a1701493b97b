"""The restricted likelihood: against its definition on a dense matrix, and its slopes against small differences."""

import numpy as np
import pytest

from models.inference.lattice import Lattice
from models.inference.lattice_correlation import LatticeCorrelation
from models.inference.restricted_likelihood import RestrictedLikelihood

SHAPE = (5, 4, 3)
FULL = Lattice(SHAPE, np.arange(60))
PHI = (0.6, 0.3, 0.8)


def planted():
    rng = np.random.default_rng(0)
    return rng.standard_normal(60), np.linalg.qr(rng.standard_normal((60, 3)))[0]


def mixed(smoothness=1, phi=PHI):
    shares = np.random.default_rng(1).dirichlet(np.ones(8)).reshape(2, 2, 2)
    return LatticeCorrelation(phi, shares, smoothness)


def scattered(y, basis):
    ranks = np.stack(np.unravel_index(np.arange(60), SHAPE), axis=1)
    return RestrictedLikelihood(np.column_stack([y, basis]), ranks, 57, 1)


@pytest.mark.parametrize("smoothness", [1, 2])
@pytest.mark.parametrize("phi", [PHI, (0.0, 0.0, 0.0)])
def test_the_likelihood_is_that_of_the_dense_matrix(dense, phi, smoothness):
    y, basis = planted()
    correlation = mixed(smoothness, phi)
    matrix = dense(correlation, SHAPE)
    inverse = np.linalg.inv(matrix)
    inner = basis.T @ inverse @ basis
    left = y @ inverse @ y - (basis.T @ inverse @ y) @ np.linalg.solve(inner, basis.T @ inverse @ y)
    expected = 57 * np.log(left) + np.linalg.slogdet(matrix)[1] + np.linalg.slogdet(inner)[1]
    filled = RestrictedLikelihood.of(y, basis, FULL)
    assert filled.free == 57
    for likelihood in (filled, scattered(y, basis)):
        found = likelihood(correlation)
        assert (found.criterion, found.square) == pytest.approx((expected, left / 57), rel=1e-9)


@pytest.mark.parametrize("smoothness", [1, 2])
def test_slopes_are_those_of_small_differences(smoothness):
    y, basis = planted()
    correlation = mixed(smoothness)
    step = 1e-5
    for likelihood in (RestrictedLikelihood.of(y, basis, FULL), scattered(y, basis)):
        found = likelihood(correlation)
        for axis in range(3):
            ends = []
            for side in (step, -step):
                phi = np.array(PHI)
                phi[axis] += side
                ends.append(likelihood(mixed(smoothness, tuple(phi))).criterion)
            assert found.by_neighbours[axis] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)
        for place in np.ndindex(2, 2, 2):
            ends = []
            for side in (step, -step):
                shares = correlation.shares.copy()
                shares[place] += side
                ends.append(likelihood(LatticeCorrelation(PHI, shares, smoothness)).criterion)
            assert found.by_shares[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_columns_count_by_the_space_they_span():
    y, basis = planted()
    twice = np.column_stack([7.0 * basis, basis[:, 0] + basis[:, 1], np.zeros(60)])
    first, second = (RestrictedLikelihood.of(y, columns, FULL) for columns in (basis, twice))
    assert second.free == first.free
    one, other = first(mixed()), second(mixed())
    assert (other.criterion, other.square) == pytest.approx((one.criterion, one.square), rel=1e-9)


def test_a_scatter_is_judged_by_its_samples_alone(dense):
    y, _ = planted()
    place = np.arange(0, 60, 2)
    scatter = RestrictedLikelihood.of(y[place], np.empty((30, 0)), Lattice(SHAPE, place))
    assert scatter.ranks is not None
    part = dense(mixed(), SHAPE)[np.ix_(place, place)]
    left = y[place] @ np.linalg.solve(part, y[place])
    expected = 30 * np.log(left) + np.linalg.slogdet(part)[1]
    assert scatter(mixed()).criterion == pytest.approx(expected, rel=1e-9)
