"""Blocks of neighbours and their folds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.blocks import Blocks, block_labels, fold_labels


def test_a_square_grid_has_64_equal_blocks():
    M, N, _ = (axis.ravel() for axis in np.meshgrid(range(128, 4097, 128), range(128, 4097, 128), (1, 2, 3)))
    labels = block_labels(M, N)
    np.testing.assert_array_equal(np.bincount(labels), np.full(64, 16 * 3))
    corner = (M <= 512) & (N <= 512)
    assert np.unique(labels[corner]).size == 1
    assert np.unique(labels).size == 64


def test_few_values_are_blocks_of_their_own():
    labels = block_labels(np.array([1, 1, 5, 5]), np.array([2, 3, 2, 3]))
    np.testing.assert_array_equal(labels, [0, 1, 2, 3])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=80))
def test_blocks_are_dense_labels_of_rectangles(shapes):
    M, N = np.array(shapes).T
    labels = block_labels(M, N)
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
    order = np.random.default_rng(0).permutation(M.size)
    np.testing.assert_array_equal(block_labels(M[order], N[order]), labels[order])
    boxes = [
        (M[labels == b].min(), M[labels == b].max(), N[labels == b].min(), N[labels == b].max())
        for b in range(labels.max() + 1)
    ]
    for b, (low_m, high_m, low_n, high_n) in enumerate(boxes):
        inside = np.clip(M, low_m, high_m) == M
        inside &= np.clip(N, low_n, high_n) == N
        assert (labels[inside] == b).all()


def test_folds_take_whole_blocks_evenly():
    blocks = np.repeat(np.arange(67), 5)
    folds = fold_labels(blocks, 8, np.random.default_rng(0))
    by_block = folds.reshape(67, 5)
    assert (by_block == by_block[:, :1]).all()
    counts = np.bincount(by_block[:, 0], minlength=8)
    assert counts.max() - counts.min() <= 1
    again = fold_labels(blocks, 8, np.random.default_rng(0))
    np.testing.assert_array_equal(folds, again)


def test_other_shapes_fall_into_the_blocks_of_the_grid():
    axis = np.arange(128, 4097, 128)
    M, N = (mesh.ravel() for mesh in np.meshgrid(axis, axis))
    blocks = Blocks.of(M, N)
    on_grid = blocks.labels(M, N)
    assert np.unique(on_grid).size == 64
    # A shape between two grid values belongs with the lower one; beyond the ends it joins the outermost block.
    np.testing.assert_array_equal(blocks.labels(M + 127, N + 1), on_grid)
    np.testing.assert_array_equal(blocks.labels(np.array([16, 9000]), np.array([16, 9000])), [0, 63])
