"""Delays at ragged edges: increasing functions of the share outside, and costs halfway between others."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from models.edge_costs import EdgeCosts, outside_pieces

delays = st.tuples(*[st.floats(0, 5)] * 3)


@given(delays)
def test_any_multiples_increase_with_what_lies_outside(pieces):
    share = np.linspace(0, 0.999, 200)
    late = outside_pieces(share) @ pieces
    assert late[0] == 0
    assert (np.diff(late) >= -1e-12).all()
    assert late[-1] <= sum(pieces) + 1e-9


def test_a_delay_that_grows_with_a_power_is_told_by_three_pieces():
    share = np.linspace(0.1, 0.95, 18)
    pieces = outside_pieces(share)
    for power in (1.0, 1.5, 2.4, 4.0):
        found = pieces @ nnls(pieces, share**power)[0]
        assert np.abs(found - share**power).max() < 0.07


def test_where_three_shares_are_measured_no_piece_is_a_combination_of_others():
    assert np.linalg.matrix_rank(outside_pieces(np.array([0.25, 0.5, 0.75]))) == 3


@given(delays, delays, st.floats(0, 3))
def test_what_is_masked_in_both_is_slow_times_slow(n, m, corner):
    costs = EdgeCosts((0.5, 1.0), n, m, corner)
    late = costs.delays(np.array([0.0, 0.3, 0.9]), np.array([0.4, 0.0, 0.6]))
    np.testing.assert_allclose(late[:, 2], late[:, 0] * late[:, 1])
    assert late[0, 0] == 0
    assert late[1, 1] == 0
    assert EdgeCosts.from_dict(costs.to_dict()) == costs
    assert costs.halfway(costs) == costs
    none = EdgeCosts((0.5, 1.0))
    np.testing.assert_allclose(costs.halfway(none).delay_n, np.array(n) / 2)


@pytest.mark.parametrize("power", [2.0, 4.0, 6.0, 9.0, 14.0])
def test_cores_that_wait_for_memory_end_together_as_far_as_nanoseconds_go(power):
    """Of 21 cores that compute 5 us a wave, 0.2 us more or less, while memory takes longer: by the law itself."""
    costs = EdgeCosts((0.7, 1.0), steps=10.0, seconds=5e-6, power=power)
    steps, spread = np.array([10.0, 10.0, 20.0, 10.0, 100.0]), 0.04
    memory = np.array([2.0, 1.5, 2.0, 3.0, 1.2])
    rates = np.linspace(1.0, 1.0 - spread, 21) / (1.0 - spread / 2.0)
    compute = 5e-6 * steps[:, None] / 10.0
    ends = ((compute / rates) ** power + (memory[:, None] * compute) ** power) ** (1.0 / power)
    expected = (ends <= ends[:, :1] + 1e-9).sum(axis=1)
    found = costs.ending_together(memory, steps, 21, spread)
    assert (np.abs(found - expected) <= 1 + expected // 8).all()
    assert power == 2.0 or expected.max() > 1
    assert costs.ending_together(memory, steps, 21, 0.0).tolist() == [21] * 5
    assert costs.ending_together(np.array([0.9]), steps[:1], 21, spread).tolist() == [1]
    unknown = replace(costs, seconds=0.0)
    assert unknown.ending_together(memory, steps, 21, spread).tolist() == [21] * 5
