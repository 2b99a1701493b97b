"""Cells: samples on a grid, summed and told apart."""

import numpy as np

from models.cells import Cells, unfold


def test_few_sizes_are_cells_of_their_own():
    M, N, K = (axis.ravel() for axis in np.meshgrid((64, 128), (32, 96, 160), (8, 16), indexing="ij"))
    order = np.random.default_rng(0).permutation(M.size)
    cells = Cells.of(M[order], N[order], K[order])
    assert cells.shape == (2, 3, 2)
    values = np.random.default_rng(1).standard_normal((M.size, 2))
    np.testing.assert_array_equal(cells.sum(values[order]), values.reshape(2, 3, 2, 2))
    some = cells.take(np.array([3, 3, 5]))
    total = some.sum(np.ones((3, 1)))
    np.testing.assert_array_equal(np.sort(total[total > 0]), [1, 2])


def test_distances_are_octaves_and_elements():
    sizes = np.array([64, 256])
    octaves, elements = Cells.of(sizes, sizes, sizes).distances(1)
    np.testing.assert_allclose(octaves, [[0, 2], [2, 0]])
    np.testing.assert_allclose(elements, [[0, 192], [192, 0]])


def test_unfolding_keeps_one_axis():
    values = np.arange(24.0).reshape(2, 3, 4, 1)
    for axis in range(3):
        flat = unfold(values, axis)
        np.testing.assert_array_equal(flat[1], np.take(values, 1, axis).ravel())


def test_cells_gather_many_sizes_by_octaves():
    sizes = np.arange(16, 4097, 16)
    cells = Cells.of(sizes, np.full_like(sizes, 64), np.full_like(sizes, 64))
    assert cells.shape[1:] == (1, 1)
    assert cells.shape[0] <= 48
    lying = cells.sizes[0][np.unravel_index(cells.place, cells.shape)[0]]
    assert np.abs(np.log2(lying / sizes)).max() <= 0.5 * np.log2(256) / 48 + 1e-9
    total = cells.sum(np.ones((sizes.size, 1)))
    assert total.sum() == sizes.size
    np.testing.assert_array_equal(total.ravel(), np.bincount(cells.place, minlength=total.size))
