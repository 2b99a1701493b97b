"""Confidence sets of discrete constants: the best candidate is kept at its rate, rivals go where they can."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.constants.confidence import unrefuted


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def losses(rng, apart, spread, best=3, count=7, blocks=64):
    """Losses by block, quadratic in the distance to the best candidate, with noise of each candidate's own."""
    base = rng.chisquare(1, blocks)
    away = apart * (np.arange(count) - best) ** 2
    return base + away[:, None] + spread * rng.uniform(0, 1, (count, blocks))


def test_a_clear_winner_stands_alone(rng):
    assert np.flatnonzero(unrefuted([losses(rng, 0.1, 0.0)], rng)).tolist() == [3]


def test_the_set_holds_the_truth_and_stays_near_it(rng):
    kept = [unrefuted([losses(rng, 0.02, 0.3)], rng) for _ in range(200)]
    assert np.mean([found[3] for found in kept]) >= 0.95
    assert np.mean([found.sum() for found in kept]) < 4


def test_candidates_of_equal_expected_loss_are_each_kept_at_the_rate(rng):
    """The hardest case: seven equals, of which the set is to hold any given one in 95 % of draws."""
    kept = np.mean([unrefuted([losses(rng, 0.0, 0.5)], rng) for _ in range(200)], axis=0)
    assert kept.min() > 0.90  # 95 % less three standard errors


def test_candidates_that_fit_alike_share_the_set(rng):
    """One of them winning every draw, for its place in the list, would pass for knowledge."""
    assert unrefuted([np.tile(rng.chisquare(1, 64), (6, 1))], rng).all()


def test_tiles_are_added_and_one_may_lack_the_last_blocks(rng):
    loss = rng.chisquare(1, 64)
    vague = np.tile(loss, (3, 1))
    short = loss[:40] + 0.5 * (np.arange(3) != 1)[:, None]
    assert unrefuted([vague, short], rng).tolist() == [False, True, False]


def test_weak_tiles_together_refute_what_each_leaves_open(rng):
    tiles = [losses(rng, 0.03, 1.0, best=2, count=5) for _ in range(40)]
    alone = np.mean([unrefuted([tile], rng).sum() for tile in tiles])
    assert unrefuted(tiles, rng).sum() < alone


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 40))
def test_the_best_is_always_in_the_set_and_the_order_of_candidates_is_irrelevant(seed, count, blocks):
    rng = np.random.default_rng(seed)
    loss = rng.chisquare(1, (count, blocks))
    kept = unrefuted([loss], np.random.default_rng(1))
    assert kept[int(np.argmin(loss.sum(axis=1)))]
    order = rng.permutation(count)
    np.testing.assert_array_equal(unrefuted([loss[order]], np.random.default_rng(1)), kept[order])
