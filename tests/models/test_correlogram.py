"""Correlograms: falling ones are found exactly, chance is not taken for one."""

import numpy as np
import pytest

from models.cells import Cells
from models.correlogram import Falloff, NeighbourPairs, axis_products

SIZES = np.arange(128, 2049, 128)
MESH = [axis.ravel() for axis in np.meshgrid(SIZES, SIZES, (64, 256, 1024, 4096), indexing="ij")]
CELLS = Cells.of(*MESH)
COUNT = CELLS.sum(np.ones((MESH[0].size, 1)))


@pytest.mark.parametrize("smoothness", [1, 2])
@pytest.mark.parametrize(("metric", "length"), [(0, 0.3), (0, 1.5), (1, 250.0)])
def test_a_falling_correlation_is_found(metric, length, smoothness):
    pairs = NeighbourPairs.of(CELLS, COUNT)
    number = axis_products(COUNT)
    planted = Falloff(metric, length, smoothness)
    sums = [0.8 * planted.correlation(CELLS.distances(axis)) * number[axis] for axis in range(3)]
    reach, falls = pairs.correlogram(sums)
    for axis in (0, 1):
        assert reach[axis] == pytest.approx(0.8, abs=1e-3)
        assert falls[axis].metric == metric
        assert falls[axis].smoothness == smoothness
        assert falls[axis].length == pytest.approx(length, rel=0.01)


def test_independent_residuals_seldom_show_a_correlation():
    pairs = NeighbourPairs.of(CELLS, COUNT)
    found = []
    for seed in range(60):
        values = np.random.default_rng(seed).standard_normal((MESH[0].size, 1))
        found.append(~np.isnan(pairs.correlogram(axis_products(CELLS.sum(values)))[0]))
    assert 0.0 < np.mean(found) < 0.12


def test_pairs_differ_along_one_axis():
    lonely = Cells((np.array([64.0, 128.0]),) * 3, np.array([0, 7]))
    assert NeighbourPairs.of(lonely, lonely.sum(np.ones((2, 1)))) is None
    beside = Cells((np.array([64.0, 128.0]),) * 3, np.array([0, 4, 4]))
    pairs = NeighbourPairs.of(beside, beside.sum(np.ones((3, 1))))
    assert [number.tolist() for number in pairs.number] == [[2.0], [], []]


def test_products_are_sums_over_the_other_axes():
    values = np.random.default_rng(2).standard_normal((2, 3, 4, 1))
    cube = values[..., 0]
    for found, path in zip(axis_products(values), ("ijk,ljk->il", "jik,jlk->il", "jki,jkl->il"), strict=True):
        np.testing.assert_allclose(found, np.einsum(path, cube, cube))
