"""Forward selection by held-out error: power on a planted term, size on null terms."""

import numpy as np
import pytest

from models.blocks import block_labels, fold_labels
from models.gram import BlockGram
from models.select import STANDARD_ERRORS, held_out_loss, select_terms
from models.solve import solve_nonnegative

SIDE = np.repeat(np.arange(16), 16), np.tile(np.arange(16), 16)
BLOCKS = np.repeat(block_labels(*SIDE), 4)
PLACES = [np.array([0, 1]), np.array([2]), np.array([3, 4])]
ALWAYS = [True, False, False]


def case(seed, cost=0.0, lack_of_fit=0.0):
    """Two columns that matter, one whose cost is given, two that cost nothing; errors shared by blocks."""
    rng = np.random.default_rng(seed)
    design = rng.uniform(0, 1, (BLOCKS.size, 5))
    design[:, 0] = 1.0
    time = design @ np.array([1.0, 3.0, cost, 0.0, 0.0])
    shared = lack_of_fit * rng.standard_normal(64)[BLOCKS]
    time *= np.exp(shared + 0.01 * rng.standard_normal(BLOCKS.size))
    sums = BlockGram.of(design, time, BLOCKS, 64)
    folds = fold_labels(np.arange(64), 8, rng)
    return design, time, sums, folds


def test_held_out_loss_against_refitting_the_samples():
    design, time, sums, folds = case(0, 0.1)
    slow = np.zeros(64)
    for fold in range(8):
        inside = folds[BLOCKS] == fold
        rest = design[~inside] / time[~inside, None]
        theta = solve_nonnegative(rest.T @ rest, rest.sum(axis=0))
        error = 1 - design[inside] @ theta / time[inside]
        slow += np.bincount(BLOCKS[inside], error**2, 64)
    np.testing.assert_allclose(held_out_loss(sums, folds), slow, rtol=1e-6)


@pytest.mark.parametrize("lack_of_fit", [0.0, 0.02])
def test_a_planted_term_is_chosen(lack_of_fit):
    chosen = [select_terms(case(seed, 0.1, lack_of_fit)[2], PLACES, ALWAYS, case(seed)[3]) for seed in range(20)]
    assert all(1 in terms for terms in chosen)


@pytest.mark.parametrize("lack_of_fit", [0.0, 0.02])
def test_null_terms_are_rarely_chosen(lack_of_fit):
    """Two null terms compete; two standard errors leave each a few per cent at most."""
    wrong = sum(
        select_terms(sums, PLACES, ALWAYS, folds) != (0,)
        for _, _, sums, folds in (case(seed, 0.0, lack_of_fit) for seed in range(200))
    )
    assert wrong <= 200 * 0.05


def test_a_term_that_few_blocks_show_is_chosen_where_it_halves_the_error():
    """Three blocks of 64 differ by 30 %: two standard errors are more than the sum of their gains."""
    design, time, _, folds = case(4, 0.0, 0.002)
    few = np.isin(BLOCKS, [3, 27, 55])
    design[:, 2] = np.where(few, np.where(BLOCKS == 3, 3.0, 0.5), 0.0)
    sums = BlockGram.of(design, time + 0.3 * design[:, 2], BLOCKS, 64)
    before, after = (held_out_loss(sums.take(places), folds) for places in (PLACES[0], np.arange(3)))
    gain = before - after
    assert gain.sum() < STANDARD_ERRORS * np.std(gain, ddof=1) * np.sqrt(gain.size)
    assert select_terms(sums, PLACES, ALWAYS, folds) == (0, 1)


def test_a_given_term_that_does_harm_alone_hides_no_other():
    """It stands in for what blocks share, and predicts nonsense in one block that few cells of others resemble."""
    design, time, _, folds = case(4, 0.0, 0.002)
    few = np.isin(BLOCKS, [3, 27, 55])
    design[:, 2] = np.where(few, np.where(BLOCKS == 3, 3.0, 0.5), 0.0)
    elsewhere = 1e-4 * np.random.default_rng(4).uniform(size=BLOCKS.size)
    harmful = np.where(BLOCKS == 63, 1e4, elsewhere)
    sums = BlockGram.of(
        np.column_stack([design, harmful]), time + 0.3 * design[:, 2] + 300.0 * elsewhere, BLOCKS, 64
    )
    places = [*PLACES, np.array([5])]
    always, given = [*ALWAYS, False], [False, False, False, True]
    assert select_terms(sums, places, [True, False, False, True], folds) == (0, 3)
    assert select_terms(sums, places, always, folds, given) == (0, 1, 3)


def test_terms_that_are_always_in_stay_in():
    _, _, sums, folds = case(1)
    assert select_terms(sums, PLACES, [True, True, True], folds) == (0, 1, 2)
    assert select_terms(sums, PLACES, [True, False, True], folds) == (0, 2)


def test_a_term_that_is_zero_on_the_grid_is_not_chosen():
    design, time, _, folds = case(2, 0.1)
    design[:, 3:] = 0
    assert select_terms(BlockGram.of(design, time, BLOCKS, 64), PLACES, ALWAYS, folds) == (0, 1)


def test_one_block_that_a_fold_cannot_tell_does_not_outweigh_all_others():
    """Where the term is missing, a column that stands in for it elsewhere predicts nonsense in one block."""
    design, time, _, folds = case(3, 2.0)
    stand_in = 1e-4 * design[:, 2] * np.random.default_rng(3).uniform(size=BLOCKS.size)
    wild = np.column_stack([design, np.where(BLOCKS == 63, 1e4, stand_in)])
    sums = BlockGram.of(wild, time, BLOCKS, 64)
    loss = held_out_loss(sums.take(np.array([0, 1, 5])), folds)
    assert loss[63] == pytest.approx(sums.count[63])
    places = [np.array([0, 1, 5]), np.array([2]), np.array([3, 4])]
    assert select_terms(sums, places, ALWAYS, folds) == (0, 1)


def test_a_term_that_costs_nothing_here_is_never_chosen():
    """Not even by the rounding of sums that it does not change, which alone is left of an exact landscape."""
    for seed in range(200):
        design, _, _, folds = case(seed)
        design[:, 2] = 0.0
        sums = BlockGram.of(design, design @ np.array([1.0, 3.0, 0.0, 0.5, 0.5]), BLOCKS, 64)
        assert 1 not in select_terms(sums, PLACES, [True, False, True], folds)


def test_a_term_that_one_fold_alone_determines_is_chosen_by_nearly_all_blocks():
    """A second column of the term costs something in one block: without it any cost fits, and its error is all."""
    design, time, _, folds = case(7, 0.3, 0.002)
    alone = np.zeros(BLOCKS.size)
    alone[BLOCKS == 5] = 1.0
    other = np.flatnonzero((folds[BLOCKS] != folds[5]) & (design[:, 3] > 0))[:1]
    alone[other] = 1e-6  # what another fold shows of it is noise
    time = time + 5.0 * alone
    sums = BlockGram.of(np.column_stack([design, alone]), time, BLOCKS, 64)
    places = [np.array([0, 1]), np.array([2, 5]), np.array([3, 4])]
    assert 1 in select_terms(sums, places, ALWAYS, folds)
