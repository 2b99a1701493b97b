"""Confidence sets of discrete constants."""

import numpy as np
import pytest

from models.profile import winning_set


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def losses(rng, best, spread, blocks=64, count=7):
    """Losses by block, quadratic in the distance to the best candidate, with noise of their own."""
    base = rng.chisquare(1, blocks)
    return [(base + 0.1 * (j - best) ** 2 + spread * rng.uniform(0, 1, blocks), 0.0) for j in range(count)]


def test_a_clear_winner_stands_alone(rng):
    assert winning_set([losses(rng, 3, 0.0)], list(range(7)), rng) == (3,)


def test_the_set_holds_the_truth_and_stays_near_it(rng):
    hits = sizes = 0
    for _ in range(100):
        base = rng.chisquare(1, 64)
        table = [(base + 0.02 * (j - 3) ** 2 + 0.3 * rng.uniform(0, 1, 64), 0.0) for j in range(7)]
        found = winning_set([table], list(range(7)), rng)
        hits += 3 in found
        sizes += len(found)
    assert hits >= 93  # nominal 95; 100 draws
    assert sizes < 350


def test_candidates_that_fit_alike_share_the_set(rng):
    """One of them winning every draw, for its place in the list, would pass for knowledge."""
    loss = rng.chisquare(1, 64)
    assert winning_set([[(loss, 0.0)] * 6], [10, 20, 30, 40, 50, 60], rng) == (10, 20, 30, 40, 50, 60)


def test_a_penalty_decides_between_equal_fits(rng):
    loss = rng.chisquare(1, 64)
    assert winning_set([[(loss, 0.2), (loss, 0.0), (loss, 0.1)]], [1, 2, 3], rng) == (2,)


def test_tiles_are_added_and_one_may_lack_the_last_blocks(rng):
    loss = rng.chisquare(1, 64)
    vague = [(loss, 0.0)] * 3
    short = [(loss[:40] + 0.5 * (j != 1), 0.0) for j in range(3)]
    assert winning_set([vague, short], [1, 2, 3], rng) == (2,)
