"""Shapley values against the mean over all orders of arrival, and their axioms."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attrib.shapley import coalitions, shapley_values
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
