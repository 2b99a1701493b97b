"""Sums over blocks against the samples they stand for."""

import numpy as np
import pytest

from models.gram import BlockGram


@pytest.fixture
def case():
    rng = np.random.default_rng(1)
    design, time = rng.uniform(0, 2, (60, 4)), rng.uniform(1, 3, 60)
    blocks = rng.integers(0, 7, 60)
    blocks[blocks == 4] = 5  # a block without samples
    return design, time, blocks, BlockGram.of(design, time, blocks, 8)


def test_loss_of_each_block(case):
    design, time, blocks, sums = case
    theta = np.array([0.3, 0.1, 0.0, 0.7])
    slow = [
        sum((1 - x @ theta / t) ** 2 for x, t in zip(design[blocks == b], time[blocks == b], strict=True))
        for b in range(8)
    ]
    np.testing.assert_allclose(sums.loss(theta), slow, atol=1e-12)
    np.testing.assert_array_equal(sums.count, np.bincount(blocks, minlength=8))


def test_weights_are_repeats_of_blocks(case):
    design, time, blocks, sums = case
    weight = np.array([2.0, 0, 1, 3, 5, 1, 0, 9])
    rows = np.repeat(np.arange(60), weight[blocks].astype(int))
    scaled = design[rows] / time[rows, None]
    gram, moment, count = sums.total(weight)
    np.testing.assert_allclose(gram, scaled.T @ scaled)
    np.testing.assert_allclose(moment, scaled.sum(axis=0))
    assert count == rows.size


def test_no_weights_are_weights_of_one(case):
    *_, sums = case
    for left, right in zip(sums.total(), sums.total(np.ones(8)), strict=True):
        np.testing.assert_allclose(left, right)


def test_columns_can_be_taken(case):
    design, time, blocks, sums = case
    some = BlockGram.of(design[:, [2, 0]], time, blocks, 8)
    taken = sums.take(np.array([2, 0]))
    np.testing.assert_allclose(taken.gram, some.gram)
    np.testing.assert_allclose(taken.moment, some.moment)


def test_order_of_samples_is_irrelevant(case):
    design, time, blocks, sums = case
    order = np.random.default_rng(2).permutation(60)
    np.testing.assert_allclose(BlockGram.of(design[order], time[order], blocks[order], 8).gram, sums.gram)
