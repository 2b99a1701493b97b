"""Shapley values against the mean over all orders of arrival, and their axioms."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attrib.shapley import antithetic_sample, coalitions, exact_sample, shapley_values
from harness.errors import InputError


def slow_shapley(worth, players):
    """Mean over all orders of what each player adds when it arrives."""
    total = np.zeros((players, *worth.shape[1:]))
    orders = list(permutations(range(players)))
    for order in orders:
        present = 0
        for player in order:
            total[player] += worth[present | 1 << player] - worth[present]
            present |= 1 << player
    return total / len(orders)


games = st.integers(0, 5).flatmap(
    lambda n: arrays(np.float64, (2**n, 2), elements=st.floats(-100, 100, allow_subnormal=False))
)


@given(games)
def test_matches_the_orders_of_arrival(worth):
    players = len(worth).bit_length() - 1
    np.testing.assert_allclose(shapley_values(worth), slow_shapley(worth, players), atol=1e-9)


@pytest.mark.parametrize("players", [1, 4, 12])
def test_values_add_up_to_the_total(players):
    worth = np.random.default_rng(players).normal(size=(2**players, 3, 2))
    values = shapley_values(worth)
    assert values.shape == (players, 3, 2)
    np.testing.assert_allclose(values.sum(axis=0), worth[-1] - worth[0], atol=1e-12)


def test_dummy_adds_nothing_and_twins_share_alike():
    members = coalitions(4)
    worth = members[:, 0] * 3.0 + 5.0 * (members[:, 1] & members[:, 2])
    np.testing.assert_allclose(shapley_values(worth), [3.0, 2.5, 2.5, 0.0], atol=1e-12)


def test_additive_game_gives_each_its_own():
    own = np.array([1.0, -2.0, 4.0, 0.5])
    np.testing.assert_allclose(shapley_values(coalitions(4) @ own), own, atol=1e-12)


def test_coalitions_are_bits():
    assert coalitions(3)[5].tolist() == [True, False, True]
    assert coalitions(0).shape == (1, 0)


def test_no_players_no_values():
    assert shapley_values(np.zeros((1, 7))).shape == (0, 7)


@pytest.mark.parametrize("worth", [np.zeros(3), np.zeros((0, 2)), np.array(1.0)])
def test_refuses_what_is_no_power_of_two(worth):
    with pytest.raises(InputError, match=r"2\*\*n"):
        shapley_values(worth)


# Sampled orders


def test_the_exact_sample_is_the_exact_value():
    worth = np.random.default_rng(0).normal(size=(16, 3))
    sample = exact_sample(4)
    np.testing.assert_allclose(np.tensordot(sample.mean, worth, axes=1), shapley_values(worth), atol=1e-12)
    assert sample.codes.tolist() == list(range(16))


@pytest.mark.parametrize("players", [1, 2, 5, 13])
def test_sampled_values_add_up_to_the_total(players):
    sample = antithetic_sample(players, 3, np.random.default_rng(players))
    assert sample.codes[0] == 0
    assert sample.codes[-1] == (1 << players) - 1
    worth = np.random.default_rng(1).normal(size=sample.codes.size)
    values = np.tensordot(sample.weights, worth, axes=1)
    np.testing.assert_allclose(values.sum(axis=1), worth[-1] - worth[0], atol=1e-12)


def test_sampling_is_unbiased_and_its_error_is_what_it_says():
    players, pairs = 6, 8
    worth = np.random.default_rng(2).normal(size=1 << players)
    exact = shapley_values(worth)
    found, errors = [], []
    for seed in range(400):
        sample = antithetic_sample(players, pairs, np.random.default_rng(seed))
        found.append(sample.mean @ worth[sample.codes])
        errors.append(sample.standard_error(worth[sample.codes]))
    spread = np.std(found, axis=0)
    assert np.all(np.abs(np.mean(found, axis=0) - exact) < 4 * spread / np.sqrt(400))
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(errors), axis=0)), spread, rtol=0.12)


def test_a_pair_cancels_what_depends_on_the_number_of_players_alone():
    sizes = coalitions(7).sum(axis=1)
    sample = antithetic_sample(7, 2, np.random.default_rng(0))
    # A quadratic worth: early joiners add little, late ones much, and both together the same.
    values = np.tensordot(sample.weights, (sizes**2.0)[sample.codes], axes=1)
    np.testing.assert_allclose(values, 7.0)


def test_sampling_needs_players_and_pairs():
    for players, pairs in ((0, 3), (3, 1)):
        with pytest.raises(InputError, match="a player and two pairs"):
            antithetic_sample(players, pairs, np.random.default_rng(0))
