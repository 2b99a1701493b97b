"""Correlation on a lattice: draws have it, and averages are worth what it says."""

import numpy as np
import pytest

from models.inference.lattice import Lattice
from models.inference.lattice_correlation import LatticeCorrelation

PHI = (0.8, 0.5, 0.3)


def mixed(smoothness=1):
    return LatticeCorrelation(PHI, np.random.default_rng(2).dirichlet(np.ones(8)).reshape(2, 2, 2), smoothness)


@pytest.mark.parametrize("smoothness", [1, 2])
def test_draws_have_the_correlation(dense, smoothness):
    drawn = mixed(smoothness).draw(Lattice((3, 2, 2), np.arange(12)), 200_000, np.random.default_rng(0))
    np.testing.assert_allclose(np.cov(drawn), dense(mixed(smoothness), (3, 2, 2)), atol=0.02)


def test_samples_of_one_place_have_their_own_share_each():
    lattice = Lattice((2, 1, 1), np.array([0, 0, 1]))
    drawn = LatticeCorrelation.of_one_field((0.5, 0.0, 0.0), 0.25).draw(lattice, 200_000, np.random.default_rng(0))
    expected = [[1, 0.75, 0.375], [0.75, 1, 0.375], [0.375, 0.375, 1]]
    np.testing.assert_allclose(np.cov(drawn), expected, atol=0.02)


def test_neighbours_share_what_is_shared_along_their_axis(dense):
    matrix = dense(mixed(), (2, 2, 2))
    assert mixed().of_neighbours == pytest.approx((matrix[0, 4], matrix[0, 2], matrix[0, 1]))


def test_effective_size_is_that_of_all_pairs(dense):
    place = np.sort(np.random.default_rng(0).choice(60, 40, replace=False))
    lattice = Lattice((5, 4, 3), place)
    matrix = dense(mixed(), (5, 4, 3))[np.ix_(place, place)]
    assert mixed().effective_size(lattice) == pytest.approx(40**2 / matrix.sum())
    assert LatticeCorrelation.of_one_field((0.0, 0.0, 0.0), 1.0).effective_size(lattice) == pytest.approx(40)
