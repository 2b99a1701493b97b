"""The restricted likelihood: products of matrices against one dense matrix, and against its definition."""

import numpy as np
import pytest

from models.inference.lattice import Lattice
from models.inference.restricted_likelihood import RestrictedLikelihood, neighbour_correlation

SHAPE = (5, 4, 3)


def planted():
    rng = np.random.default_rng(0)
    return rng.standard_normal(60), np.linalg.qr(rng.standard_normal((60, 3)))[0]


@pytest.mark.parametrize("smoothness", [1, 2])
@pytest.mark.parametrize(("factors", "own"), [([0.6, 0.3, 0.8], 0.2), ([0.0, 0.0, 0.0], 1.0)])
def test_the_likelihood_is_that_of_the_dense_matrix(factors, own, smoothness):
    y, basis = planted()
    matrix = np.ones((1, 1))
    for factor, size in zip(factors, SHAPE, strict=True):
        matrix = np.kron(matrix, neighbour_correlation(factor, size, smoothness))
    matrix = (1 - own) * matrix + own * np.eye(60)
    inverse = np.linalg.inv(matrix)
    inner = basis.T @ inverse @ basis
    left = y @ inverse @ y - (basis.T @ inverse @ y) @ np.linalg.solve(inner, basis.T @ inverse @ y)
    expected = 57 * np.log(left) + np.linalg.slogdet(matrix)[1] + np.linalg.slogdet(inner)[1]
    filled = RestrictedLikelihood.of(y, basis, Lattice(SHAPE, np.arange(60)))
    assert filled.free == 57
    assert filled(factors, own, smoothness) == pytest.approx((expected, left / 57), rel=1e-9)
    data = np.column_stack([y, basis])
    ranks = np.stack(np.unravel_index(np.arange(60), SHAPE), axis=1)
    scattered = RestrictedLikelihood(data, ranks, 57, 1)
    assert scattered(factors, own, smoothness) == pytest.approx((expected, left / 57), rel=1e-9)


def test_columns_count_by_the_space_they_span():
    y, basis = planted()
    lattice = Lattice(SHAPE, np.arange(60))
    twice = np.column_stack([7.0 * basis, basis[:, 0] + basis[:, 1], np.zeros(60)])
    first, second = (RestrictedLikelihood.of(y, columns, lattice) for columns in (basis, twice))
    assert second.free == first.free
    assert second([0.5, 0.5, 0.5], 0.3, 1) == pytest.approx(first([0.5, 0.5, 0.5], 0.3, 1), rel=1e-9)


def test_a_scatter_is_judged_by_its_samples_alone():
    y, _ = planted()
    place = np.arange(0, 60, 2)
    scatter = RestrictedLikelihood.of(y[place], np.empty((30, 0)), Lattice(SHAPE, place))
    assert scatter.ranks is not None
    matrix = np.ones((1, 1))
    for factor, size in zip((0.6, 0.3, 0.8), SHAPE, strict=True):
        matrix = np.kron(matrix, neighbour_correlation(factor, size, 1))
    part = (0.8 * matrix + 0.2 * np.eye(60))[np.ix_(place, place)]
    left = y[place] @ np.linalg.solve(part, y[place])
    expected = 30 * np.log(left) + np.linalg.slogdet(part)[1]
    assert scatter([0.6, 0.3, 0.8], 0.2, 1)[0] == pytest.approx(expected, rel=1e-9)
